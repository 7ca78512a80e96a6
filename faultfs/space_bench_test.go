package faultfs

import (
	"fmt"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// benchDisk is a small store in the middle of a group: six files, one of which
// has five sectors pending.
func benchDisk(b *testing.B) *Disk {
	d := NewDisk()
	require.NoError(b, d.MkdirAll("/data", 0o755))
	for i := range 6 {
		name := fmt.Sprintf("/data/%08d.seg", i)
		require.NoError(b, afero.WriteFile(d, name, make([]byte, 4096), 0o644))
		f, err := d.OpenFile(name, 2, 0)
		require.NoError(b, err)
		_, err = f.WriteAt([]byte("something"), 1000)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
	}
	require.NoError(b, d.SyncDir("/data"))
	require.NoError(b, d.SyncDir("/"))
	f, err := d.OpenFile("/data/00000003.seg", 2, 0)
	require.NoError(b, err)
	_, err = f.WriteAt([]byte(fmt.Sprint(make([]int, 1000))), 1500)
	require.NoError(b, err)
	return d
}

func BenchmarkSpace(b *testing.B) {
	d := benchDisk(b)
	for b.Loop() {
		d.Space(d.Points(), Weak).Count()
	}
}

func BenchmarkStates(b *testing.B) {
	d := benchDisk(b)
	space := d.Space(d.Points(), Weak)
	n, _ := space.Count()
	b.ReportMetric(float64(n), "states")
	for i := 0; i < b.N; {
		for st := range space.All() {
			st.Hash()
			if i++; i == b.N {
				break
			}
		}
	}
}

func BenchmarkStateDisk(b *testing.B) {
	d := benchDisk(b)
	for st := range d.Space(d.Points(), Weak).All() {
		for b.Loop() {
			st.Disk()
		}
		break
	}
}
