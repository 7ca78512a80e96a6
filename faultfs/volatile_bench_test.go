package faultfs_test

import (
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

func BenchmarkVolatileWriteSync(b *testing.B) {
	v := faultfs.NewVolatile(afero.NewOsFs(), faultfs.VolatileOptions{})
	f, err := v.Create(filepath.Join(b.TempDir(), "f"))
	require.NoError(b, err)
	defer f.Close()
	data := make([]byte, 200)
	for i := 0; b.Loop(); i++ {
		_, err := f.WriteAt(data, int64(i*len(data)))
		require.NoError(b, err)
		require.NoError(b, f.Sync())
	}
}

func BenchmarkVolatileRead(b *testing.B) {
	v := faultfs.NewVolatile(afero.NewOsFs(), faultfs.VolatileOptions{})
	f, err := v.Create(filepath.Join(b.TempDir(), "f"))
	require.NoError(b, err)
	defer f.Close()
	_, err = f.WriteAt(make([]byte, 1<<20), 0)
	require.NoError(b, err)
	require.NoError(b, f.Sync())
	data := make([]byte, 4096)
	for i := 0; b.Loop(); i++ {
		_, err := f.ReadAt(data, int64(i%256)*4096)
		require.NoError(b, err)
	}
}

func BenchmarkVolatileNew(b *testing.B) {
	base := afero.NewMemMapFs()
	for b.Loop() {
		v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
		_, err := v.Stat("/")
		require.NoError(b, err)
	}
}
