package faultfs

import (
	"bytes"
	"os"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// Of a file with more pending sectors than a small integer can number, each
// answers a look at it with its own content, as a disk that is made of it does.
func TestManyPendingSectorsTellTheirContent(t *testing.T) {
	const sectors = 17 << 20 / SectorBytes
	d := NewDisk()
	require.NoError(t, afero.WriteFile(d, "large", bytes.Repeat([]byte("holdfast"), sectors*SectorBytes/8), 0o644))
	s := d.Space(d.Points(), Weak).Everything()
	want := s.Value(Fact{Kind: FactSector, Path: "/large", At: 0})
	require.NotZero(t, want)
	for i := range int64(sectors) {
		if got := s.Value(Fact{Kind: FactSector, Path: "/large", At: i}); got != want {
			require.Failf(t, "wrong content", "sector %d has the value %x, want %x", i, got, want)
		}
	}
}

// Zeros that were synced are content like any other: no crash turns them into
// garbage when the write behind them in their sector is lost.
func TestSyncedZerosStay(t *testing.T) {
	d := NewDisk()
	f, err := d.OpenFile("f", os.O_RDWR|os.O_CREATE, 0o644)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt(make([]byte, 100), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, d.SyncDir("/"))
	_, err = f.WriteAt(bytes.Repeat([]byte{7}, 100), 100)
	require.NoError(t, err)

	states := 0
	for s := range d.Space(d.Points(), Weak).All() {
		states++
		b, err := afero.ReadFile(s.Disk(), "/f")
		require.NoError(t, err)
		require.Equal(t, make([]byte, 100), b[:100], "state %s", s.ID())
	}
	require.Equal(t, 4, states, "without the size; with it zeros, garbage, or the data")
}
