package faultfs_test

import (
	"os"
	"sync"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// counting counts the files that are open below.
type counting struct {
	afero.Fs
	mu   sync.Mutex
	open int
}

func (c *counting) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := c.Fs.OpenFile(name, flag, perm)
	return c.count(f, err)
}

func (c *counting) Open(name string) (afero.File, error) { return c.count(c.Fs.Open(name)) }

func (c *counting) count(f afero.File, err error) (afero.File, error) {
	if err != nil {
		return nil, err
	}
	c.add(1)
	return &counted{f, c}, nil
}

func (c *counting) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open += n
}

type counted struct {
	afero.File
	fs *counting
}

func (f *counted) Close() error {
	f.fs.add(-1)
	return f.File.Close()
}

func TestFilesBelowAreOpenOnlyWhileFilesAreOpenHere(t *testing.T) {
	base := &counting{Fs: afero.NewMemMapFs()}
	v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
	use := func(name string) afero.File {
		f := write(t, v, name, "data")
		require.NoError(t, f.Sync())
		require.NoError(t, v.SyncDir("/"))
		require.Equal(t, "data", content(t, v, name))
		require.NoError(t, v.Rename(name, name+"2"))
		require.NoError(t, v.SyncDir("/"))
		require.NoError(t, f.(vfs.Locker).TryLock())
		return f
	}
	for i := range 5 {
		require.NoError(t, use("/"+string(rune('a'+i))).Close())
	}
	require.Zero(t, base.open)
	f := use("/removed")
	require.NoError(t, v.Remove("/removed2"))
	require.NoError(t, v.SyncDir("/"))
	_, err := f.ReadAt(make([]byte, 1), 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Zero(t, base.open)
	requireNoHiddenFiles(t, base, "/")
	use("/crashed")
	require.NotZero(t, base.open)
	_, err = v.Crash(1, faultfs.KeepAny)
	require.NoError(t, err)
	require.Zero(t, base.open)
}
