package testdisk

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// goldenPending is 0x0102 bytes and 3 entries, as the package comment draws it.
const goldenPending = "484650454e440001" + "0201000000000000" + "0300000000000000" + "b1561f5f"

func TestPendingRecordIsAsDrawn(t *testing.T) {
	want := vfs.Lost{Bytes: 0x0102, Entries: 3}
	record := appendPending(nil, want)
	require.Equal(t, goldenPending, hex.EncodeToString(record))
	got, err := parsePending(record)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestDamagedPendingRecordsAreRefused(t *testing.T) {
	record := appendPending(nil, vfs.Lost{Bytes: 7, Entries: 1})
	for at := range record {
		damaged := append([]byte{}, record...)
		damaged[at] ^= 4
		_, err := parsePending(damaged)
		require.Error(t, err, "byte %d", at)
		_, err = parsePending(record[:at])
		require.Error(t, err, "%d bytes", at)
	}
	_, err := parsePending(append(record, 0))
	require.Error(t, err)
}

func TestPendingFileSaysTheLatest(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pending")
	require.NoError(t, os.WriteFile(name, make([]byte, 100), 0o644))
	p, err := CreatePending(afero.NewOsFs(), name)
	require.NoError(t, err)
	require.Equal(t, vfs.Lost{}, readPending(t, name), "what was there before is gone")

	for n := range int64(10) {
		want := vfs.Lost{Bytes: n * 1000, Entries: n}
		require.NoError(t, p.Update(want))
		require.Equal(t, want, readPending(t, name))
	}
	require.NoError(t, p.Close())
	require.ErrorIs(t, p.Close(), os.ErrClosed)
}

func readPending(t *testing.T, name string) vfs.Lost {
	t.Helper()
	p, err := ReadPending(name)
	require.NoError(t, err)
	return p
}

func TestPendingFileErrorsAreSaid(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadPending(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, []byte("x"), 0o644))
	_, err = ReadPending(bad)
	require.ErrorContains(t, err, bad)

	for rule, want := range map[string]string{
		"create * EIO":   "create the pending file",
		"write * #1 EIO": "write the pending file",
	} {
		_, err = CreatePending(faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(rule)...), "pending")
		require.ErrorContains(t, err, want)
	}
	p, err := CreatePending(faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("write * #2 EIO")...), "pending")
	require.NoError(t, err)
	one := vfs.Lost{Bytes: 1}
	require.ErrorContains(t, p.Update(one), "write the pending file")
	require.NoError(t, p.Update(one), "it is tried again")
	require.NoError(t, p.Close())
}
