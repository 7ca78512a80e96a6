package vfs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/vfs"
)

// plain hides everything that a file has beyond afero's interface.
type plain struct{ afero.File }

func create(t *testing.T, fsys afero.Fs, name string) afero.File {
	t.Helper()
	f, err := fsys.Create(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// files are one on the real disk, directly and through a wrapper that can be
// seen through, one behind a wrapper that cannot, and one in memory.
func files(t *testing.T) map[string]afero.File {
	osfs, tmp := afero.NewOsFs(), t.TempDir()
	return map[string]afero.File{
		"disk":      create(t, osfs, filepath.Join(tmp, "direct")),
		"base path": create(t, afero.NewBasePathFs(osfs, tmp), "based"),
		"hidden":    plain{create(t, osfs, filepath.Join(tmp, "hidden"))},
		"memory":    create(t, afero.NewMemMapFs(), "file"),
	}
}

func TestSyncData(t *testing.T) {
	for name, f := range files(t) {
		t.Run(name, func(t *testing.T) {
			_, err := f.WriteString("data")
			require.NoError(t, err)
			require.NoError(t, vfs.SyncData(f))
		})
	}
}

func TestPreallocateGrowsWithZerosAndNeverShrinks(t *testing.T) {
	for name, f := range files(t) {
		t.Run(name, func(t *testing.T) {
			_, err := f.WriteString("data")
			require.NoError(t, err)
			for _, size := range []int64{10, 4096, 100} {
				require.NoError(t, vfs.Preallocate(f, size))
			}
			b := make([]byte, 4096)
			_, err = f.ReadAt(b, 0)
			require.NoError(t, err)
			require.Equal(t, append([]byte("data"), make([]byte, 4092)...), b)
			info, err := f.Stat()
			require.NoError(t, err)
			require.EqualValues(t, 4096, info.Size())
		})
	}
}

func TestErrorsOfAClosedFile(t *testing.T) {
	for name, f := range files(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, f.Close())
			if name != "memory" { // afero's file in memory can be synced when closed
				require.Error(t, vfs.SyncData(f))
			}
			require.Error(t, vfs.Preallocate(f, 1<<20))
		})
	}
}

func TestSyncDir(t *testing.T) {
	tmp := t.TempDir()
	require.NoError(t, vfs.SyncDir(afero.NewOsFs(), tmp))
	err := vfs.SyncDir(afero.NewOsFs(), filepath.Join(tmp, "missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	memory := afero.NewMemMapFs()
	require.NoError(t, memory.MkdirAll("/a/b", 0o755))
	require.NoError(t, vfs.SyncDir(memory, "/a/b"))
}

func TestLockKeepsOutASecondOwnerUntilClose(t *testing.T) {
	tmp := t.TempDir()
	for name, fsys := range map[string]afero.Fs{
		"disk":      afero.NewOsFs(),
		"base path": afero.NewBasePathFs(afero.NewOsFs(), "/"),
		"memory":    afero.NewMemMapFs(),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(tmp, name)
			lock := func() (afero.File, func(), error) {
				f, err := fsys.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
				if errors.Is(err, fs.ErrNotExist) {
					f, err = fsys.Create(path)
				}
				require.NoError(t, err)
				unlock, err := vfs.TryLock(fsys, f, path)
				return f, unlock, err
			}
			first, unlock, err := lock()
			require.NoError(t, err)
			second, _, err := lock()
			require.ErrorIs(t, err, vfs.ErrLocked)
			require.NoError(t, second.Close())
			third, _, err := lock()
			require.ErrorIs(t, err, vfs.ErrLocked, "a loser that goes away frees nothing")
			require.NoError(t, third.Close())

			require.NoError(t, first.Close())
			unlock()
			fourth, unlock, err := lock()
			require.NoError(t, err)
			unlock()
			require.NoError(t, fourth.Close())
		})
	}
}

// uncomparable is a file system value that cannot be a map's key.
type uncomparable struct {
	afero.Fs
	_ []int
}

func TestLockOnAFileSystemThatCannotBeTold(t *testing.T) {
	fsys := uncomparable{Fs: afero.NewMemMapFs()}
	_, err := vfs.TryLock(fsys, create(t, fsys, "f"), "f")
	require.ErrorContains(t, err, "cannot be locked")
}

// asked implements every optional interface, and keeps what it was asked.
type asked struct{ calls []string }

var errAsked = errors.New("asked")

func (a *asked) SyncData() error         { a.calls = append(a.calls, "data"); return errAsked }
func (a *asked) Preallocate(int64) error { a.calls = append(a.calls, "preallocate"); return errAsked }
func (a *asked) TryLock() error          { a.calls = append(a.calls, "lock"); return errAsked }
func (a *asked) SyncDir(string) error    { a.calls = append(a.calls, "dir"); return errAsked }

func TestWhoImplementsAnInterfaceIsAsked(t *testing.T) {
	a := new(asked)
	f := struct {
		afero.File
		vfs.DataSyncer
		vfs.Preallocator
		vfs.Locker
	}{nil, a, a, a}
	require.ErrorIs(t, vfs.SyncData(f), errAsked)
	require.ErrorIs(t, vfs.Preallocate(f, 1), errAsked)
	_, err := vfs.TryLock(nil, f, "")
	require.ErrorIs(t, err, errAsked)
	fsys := struct {
		afero.Fs
		vfs.DirSyncer
	}{nil, a}
	require.ErrorIs(t, vfs.SyncDir(fsys, "d"), errAsked)
	require.Equal(t, []string{"data", "preallocate", "lock", "dir"}, a.calls)
}

func TestOverlappingCallsReadAndWriteWhereTheySay(t *testing.T) {
	for name, f := range files(t) {
		t.Run(name, func(t *testing.T) {
			f := vfs.Overlapping(f)
			require.True(t, vfs.OverlapsSafely(f))
			const slots, size = 8, 64
			require.NoError(t, vfs.Preallocate(f, slots*size))
			var wg sync.WaitGroup
			for slot := range int64(slots) {
				wg.Go(func() {
					want, got := bytes.Repeat([]byte{byte(slot + 1)}, size), make([]byte, size)
					for range 500 {
						_, writeErr := f.WriteAt(want, slot*size)
						_, readErr := f.ReadAt(got, slot*size)
						if writeErr != nil || readErr != nil || !bytes.Equal(want, got) {
							t.Errorf("slot %d holds %v: %v, %v", slot, got[:4], writeErr, readErr)
							return
						}
					}
				})
			}
			wg.Wait()
			require.NoError(t, vfs.SyncData(f))
		})
	}
}
