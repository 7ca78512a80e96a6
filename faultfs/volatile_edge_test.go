package faultfs_test

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

func TestTheLimitRefusesWithoutEffectAndSyncMakesRoom(t *testing.T) {
	base := afero.NewMemMapFs()
	v := faultfs.NewVolatile(base, faultfs.VolatileOptions{LimitBytes: 16 << 10})
	f := write(t, v, "/f", "data")
	require.NoError(t, v.SyncDir("/"))
	_, err := f.WriteAt(make([]byte, 64<<10), 1)
	var pathErr *faultfs.PathError
	require.ErrorAs(t, err, &pathErr)
	require.ErrorIs(t, err, faultfs.ErrVolatileFull)
	require.Equal(t, "data", content(t, v, "/f"), "a refused write has no effect")
	require.NoError(t, vfs.Preallocate(f, 64<<20), "space without data costs nothing")

	page := make([]byte, 4096)
	written := fillUp(t, f, page)
	require.Positive(t, written)
	_, err = v.Create("/g")
	require.NoError(t, err, "a name still fits")
	for _, name := range []string{"/1", "/2", "/3", "/4"} {
		_, err = v.Create(name)
	}
	require.ErrorIs(t, err, faultfs.ErrVolatileFull)
	require.NoError(t, f.Sync())
	require.NoError(t, v.SyncDir("/"))
	require.Equal(t, written, fillUp(t, f, page), "all the room is back")
}

// fillUp writes pages until the layer refuses, and returns how many it took.
func fillUp(t *testing.T, f afero.File, page []byte) (n int64) {
	t.Helper()
	for ; n < 100; n++ {
		if _, err := f.WriteAt(page, n*int64(len(page))); err != nil {
			require.ErrorIs(t, err, faultfs.ErrVolatileFull)
			return n
		}
	}
	t.Fatal("the limit is never reached")
	return 0
}

func TestRemovingWhatWasNeverSyncedMakesRoom(t *testing.T) {
	v := faultfs.NewVolatile(afero.NewMemMapFs(), faultfs.VolatileOptions{LimitBytes: 64 << 10})
	for range 100 {
		f := write(t, v, "/f", strings.Repeat("x", 32<<10))
		require.NoError(t, v.Remove("/f"))
		require.Zero(t, v.Pending(), "a file without a name costs nothing")
		require.NoError(t, f.Close())
	}
}

// What the base refuses while something is synced is reported, stays pending,
// and is there after a later sync.
func TestWhatCannotBeWrittenBelowStaysPending(t *testing.T) {
	for rule, sync := range map[string]func(v *faultfs.Volatile, f afero.File) error{
		"write * #1 EIO":          func(_ *faultfs.Volatile, f afero.File) error { return f.Sync() },
		"write * #1 tear=600 EIO": func(_ *faultfs.Volatile, f afero.File) error { return f.Sync() },
		"truncate * #1 ENOSPC":    func(_ *faultfs.Volatile, f afero.File) error { return f.Sync() },
		"create * #1 ENOSPC":      func(v *faultfs.Volatile, _ afero.File) error { return v.SyncDir("/") },
		"mkdir * #1 ENOSPC":       func(v *faultfs.Volatile, _ afero.File) error { return v.SyncDir("/") },
		"rename * #1 EIO":         func(v *faultfs.Volatile, _ afero.File) error { return v.SyncDir("/") },
		"remove * #1 EACCES":      func(v *faultfs.Volatile, _ afero.File) error { return v.SyncDir("/") },
		"rename */renamed #1 EIO": func(v *faultfs.Volatile, _ afero.File) error { return v.SyncDir("/") },
	} {
		t.Run(rule, func(t *testing.T) {
			base := faultfs.New(afero.NewMemMapFs())
			v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
			f := write(t, v, "/f", "old")
			require.NoError(t, f.Sync())
			for _, name := range []string{"/gone", "/before"} {
				require.NoError(t, write(t, v, name, "").Close())
			}
			require.NoError(t, v.SyncDir("/"))
			require.NoError(t, v.Remove("/gone"))
			require.NoError(t, v.Rename("/before", "/renamed"))
			require.NoError(t, v.Mkdir("/dir", 0o755))
			write(t, v, "/new", "")
			_, err := f.WriteAt([]byte(strings.Repeat("n", 2000)), 0)
			require.NoError(t, err)
			before := v.Pending()

			strike := base.Inject(faultfs.MustParse(rule)[0])
			require.Error(t, sync(v, f))
			require.NotZero(t, strike.Fired())
			require.NotZero(t, v.Pending())
			require.LessOrEqual(t, v.Pending().Bytes, before.Bytes)
			require.NoError(t, sync(v, f), "the next one succeeds")
			require.NoError(t, f.Sync())
			require.NoError(t, v.SyncDir("/"))
			require.Zero(t, v.Pending())
			require.Equal(t, tree(t, v, "/"), tree(t, base, "/"))
			requireNoHiddenFiles(t, base, "/")
		})
	}
}

func TestAFileThatCannotBeOpenedBelowIsReported(t *testing.T) {
	base := faultfs.New(afero.NewMemMapFs())
	require.NoError(t, afero.WriteFile(base, "/f", []byte("data"), 0o644))
	v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
	for _, rule := range []string{"stat * #1 EIO", "create|open * #1 EMFILE"} {
		strike := base.Inject(faultfs.MustParse(rule)[0])
		_, err := v.OpenFile("/f", os.O_RDWR, 0)
		var errno syscall.Errno
		require.ErrorAs(t, err, &errno)
		require.Equal(t, strike.Rule().Err, errno)
	}
	base.Inject(faultfs.MustParse("read * #1 EIO")[0])
	f := open(t, v, "/f")
	_, err := f.Read(make([]byte, 4))
	require.ErrorIs(t, err, syscall.EIO)
	require.Equal(t, "data", content(t, v, "/f"))

	// A write of a part of a sector has to read the rest of it.
	g, err := v.OpenFile("/f", os.O_RDWR, 0)
	require.NoError(t, err)
	defer g.Close()
	base.Inject(faultfs.MustParse("read * #1 EIO")[0])
	_, err = g.WriteAt([]byte("x"), 1)
	require.ErrorIs(t, err, syscall.EIO)
	require.Zero(t, v.Pending())

	base.Inject(faultfs.MustParse("create|open * #1+ heal=1 EIO")[0])
	h := write(t, v, "/new", "text")
	require.ErrorIs(t, h.Sync(), syscall.EIO, "no place for it below")
	require.NoError(t, h.Sync())
	base.Inject(faultfs.MustParse("open|create|list * #1 EIO")[0])
	_, err = afero.ReadDir(v, "/")
	require.ErrorIs(t, err, syscall.EIO)
}

func TestHiddenNamesAreRefusedAndLeftOversRemoved(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		left := filepath.Join(dir, faultfs.HiddenPrefix+"of-an-earlier-layer-1")
		require.NoError(t, afero.WriteFile(base, left, []byte("x"), 0o644))
		_, err := v.Create(left)
		require.ErrorIs(t, err, syscall.EINVAL)
		_, err = v.Stat(left)
		require.ErrorIs(t, err, syscall.EINVAL)
		infos, err := afero.ReadDir(v, dir)
		require.NoError(t, err)
		require.Empty(t, infos)
		requireNoHiddenFiles(t, base, dir)
	})
}

func TestTheLockKeepsOutASecondLayer(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		require.NoError(t, v.MkdirAll(filepath.Join(dir, "a", "b"), 0o755))
		name := filepath.Join(dir, "a", "b", "LOCK")
		f := write(t, v, name, "")
		require.NoError(t, f.(vfs.Locker).TryLock())
		require.NoError(t, f.(vfs.Locker).TryLock(), "it has the lock")
		second := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
		g := write(t, second, name, "")
		require.ErrorIs(t, g.(vfs.Locker).TryLock(), vfs.ErrLocked)
		_, err := v.Crash(1, "")
		require.NoError(t, err)
		require.NoError(t, g.(vfs.Locker).TryLock(), "the cut gives the lock back")
	})
}

func TestFailedSyncThatReverts(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		name := filepath.Join(dir, "f")
		f := write(t, v, name, "old")
		require.NoError(t, f.Sync())
		require.NoError(t, v.SyncDir(dir))
		_, err := f.WriteAt([]byte("newer"), 0)
		require.NoError(t, err)
		require.NoError(t, v.Rename(name, name+"2"))
		require.NoError(t, f.(vfs.SyncFailer).FailSync(vfs.CacheReverted))
		require.NoError(t, v.FailSyncDir(dir, vfs.CacheReverted))
		require.Equal(t, map[string]string{"f": "old"}, tree(t, v, dir))
		require.Zero(t, v.Pending())
	})
}

func TestUnknownPersonalitiesAreRefused(t *testing.T) {
	v := faultfs.NewVolatile(afero.NewMemMapFs(), faultfs.VolatileOptions{})
	f := write(t, v, "/f", "")
	require.ErrorContains(t, f.(vfs.SyncFailer).FailSync("late"), "not a personality")
	require.ErrorContains(t, v.FailSyncDir("/", "late"), "not a personality")
	require.ErrorIs(t, v.FailSyncDir("/f", vfs.PagesClean), syscall.ENOTDIR)
}

func TestAnOrphanedShorteningIsNeverUndoneForTheReader(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		name := filepath.Join(dir, "f")
		f := write(t, v, name, strings.Repeat("A", 3000))
		require.NoError(t, f.Sync())
		require.NoError(t, v.SyncDir(dir))
		require.NoError(t, f.Truncate(100))
		require.NoError(t, f.(vfs.SyncFailer).FailSync(vfs.PagesClean))
		require.NoError(t, f.Sync())
		require.Len(t, below(t, base, dir)["f"], 3000)
		_, err := f.WriteAt([]byte("B"), 2500)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		want := strings.Repeat("A", 100) + string(make([]byte, 2400)) + "B"
		require.Equal(t, want, content(t, v, name))
		require.Equal(t, want, below(t, base, dir)["f"])
		require.Zero(t, v.Pending())
	})
}

func TestWritesPastTheLargestFileAreRefused(t *testing.T) {
	f := write(t, faultfs.NewVolatile(afero.NewMemMapFs(), faultfs.VolatileOptions{}), "/f", "")
	_, err := f.WriteAt([]byte("xx"), math.MaxInt64-1)
	require.ErrorIs(t, err, syscall.EFBIG)
}

// Writers, readers, syncs and renames at once, for the race detector; each
// writer finds its own bytes.
func TestVolatileUnderConcurrency(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		shared := write(t, v, filepath.Join(dir, "shared"), "")
		var wg sync.WaitGroup
		for w := range int64(4) {
			wg.Go(func() {
				name := filepath.Join(dir, string(rune('a'+w)))
				for i := range int64(40) {
					_, err := shared.WriteAt([]byte{byte(i)}, w*700)
					got := make([]byte, 1)
					_, readErr := shared.ReadAt(got, w*700)
					if err != nil || readErr != nil && readErr != io.EOF || got[0] != byte(i) {
						t.Errorf("read %d after %d: %v, %v", got[0], i, err, readErr)
					}
					f, err := v.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
					if err != nil || shared.Sync() != nil || f.Sync() != nil || f.Close() != nil ||
						v.SyncDir(dir) != nil || v.Rename(name, name+"2") != nil {
						t.Errorf("a call failed: %v", err)
					}
				}
			})
		}
		wg.Wait()
		require.NoError(t, shared.Sync())
		require.NoError(t, v.SyncDir(dir))
		require.Equal(t, tree(t, v, dir), tree(t, base, dir))
		require.Zero(t, v.Pending())
	})
}

// A tree that is removed and whose removal is synced at the top alone leaves
// nothing pending, and nothing below.
func TestARemovedTreeIsGoneWithItsTop(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		top := filepath.Join(dir, "top")
		for _, d := range []string{top, filepath.Join(top, "in")} {
			require.NoError(t, v.Mkdir(d, 0o755))
			require.NoError(t, write(t, v, filepath.Join(d, "f"), "data").Close())
			require.NoError(t, v.SyncDir(d))
		}
		require.NoError(t, v.SyncDir(top))
		require.NoError(t, v.SyncDir(dir))
		require.NoError(t, v.RemoveAll(top))
		require.NotEmpty(t, below(t, base, dir))
		require.NoError(t, v.SyncDir(dir))
		require.Zero(t, v.Pending())
		require.Empty(t, below(t, base, dir))
		requireNoHiddenFiles(t, base, dir)
	})
}

// A file moves out of a directory and takes its place, while it is open.
func TestAFileTakesThePlaceOfItsDirectory(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		d := filepath.Join(dir, "d")
		require.NoError(t, v.Mkdir(d, 0o755))
		require.NoError(t, v.SyncDir(dir))
		f := write(t, v, filepath.Join(d, "x"), "data")
		require.NoError(t, f.Sync())
		require.NoError(t, v.Rename(filepath.Join(d, "x"), filepath.Join(dir, "tmp")))
		require.NoError(t, v.Remove(d))
		require.NoError(t, v.Rename(filepath.Join(dir, "tmp"), d))
		require.NoError(t, v.SyncDir(dir))
		require.Equal(t, map[string]string{"d": "data"}, below(t, base, dir))
		require.Zero(t, v.Pending())
		_, err := f.WriteAt([]byte("DATA"), 0)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		require.Equal(t, map[string]string{"d": "DATA"}, below(t, base, dir))
	})
}

func TestTwoFilesSwapNames(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		for _, name := range []string{"a", "b"} {
			require.NoError(t, write(t, v, at(name), "was "+name).Sync())
		}
		require.NoError(t, v.SyncDir(dir))
		for _, move := range [][2]string{{"a", "c"}, {"b", "a"}, {"c", "b"}} {
			require.NoError(t, v.Rename(at(move[0]), at(move[1])))
		}
		require.NoError(t, v.SyncDir(dir))
		require.Equal(t, map[string]string{"a": "was b", "b": "was a"}, below(t, base, dir))
		require.Zero(t, v.Pending())
		requireNoHiddenFiles(t, base, dir)
	})
}

func TestARenamedDirectoryHasOneNameBelow(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
		for _, name := range []string{"from", "to", "from/d"} {
			require.NoError(t, v.Mkdir(at(name), 0o755))
		}
		f := write(t, v, at("from", "d", "f"), "data")
		require.NoError(t, f.Sync())
		for _, name := range []string{"from/d", "from", "."} {
			require.NoError(t, v.SyncDir(at(name)))
		}
		require.NoError(t, v.Rename(at("from", "d"), at("to", "d")))
		require.Equal(t, faultfs.Pending{Entries: 2}, v.Pending())
		require.NoError(t, v.SyncDir(at("to")))
		require.Equal(t, map[string]string{filepath.Join("to", "d", "f"): "data"}, below(t, base, dir))
		require.NoError(t, v.SyncDir(at("from")))
		require.Zero(t, v.Pending())

		require.NoError(t, v.Rename(at("to", "d"), at("from", "e")))
		require.NoError(t, v.SyncDir(at("to")))
		require.Empty(t, below(t, base, dir), "the old name is gone, the new one is not there")
		require.Equal(t, "data", content(t, v, at("from", "e", "f")))
		require.NoError(t, v.SyncDir(at("from")))
		require.Equal(t, map[string]string{filepath.Join("from", "e", "f"): "data"}, below(t, base, dir))
		requireNoHiddenFiles(t, base, dir)
	})
}

// The content of a file went with the new name when a failed sync of the
// directory gave it the old one back, if the new name came first in the
// alphabet.
func TestAFileWhoseRenameIsRevertedKeepsItsContent(t *testing.T) {
	for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} {
		eachVolatile(t, func(t *testing.T, _ afero.Fs, v *faultfs.Volatile, dir string) {
			old := filepath.Join(dir, names[0])
			require.NoError(t, write(t, v, old, "data").Close())
			require.NoError(t, v.SyncDir(dir))
			require.NoError(t, v.Rename(old, filepath.Join(dir, names[1])))
			require.NoError(t, v.FailSyncDir(dir, vfs.CacheReverted))
			require.Equal(t, map[string]string{names[0]: "data"}, tree(t, v, dir))
		})
	}
}

// The directory was gone from below at its removal, though that was not synced,
// when the one that it was in had no durable name yet; and syncing the removal
// later panicked.
func TestAnUnsyncedRemovalOfADirectoryInAnUnsyncedOneRemovesNothing(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		outer := filepath.Join(dir, "outer")
		inner := filepath.Join(outer, "inner")
		require.NoError(t, v.MkdirAll(inner, 0o755))
		require.NoError(t, v.SyncDir(outer))
		require.NoError(t, v.Remove(inner))
		require.NoError(t, v.SyncDir(dir))
		there, err := afero.DirExists(base, inner)
		require.NoError(t, err)
		require.True(t, there, "that it is gone is not synced")
		require.NoError(t, v.SyncDir(outer))
		there, err = afero.DirExists(base, inner)
		require.NoError(t, err)
		require.False(t, there)
		require.Zero(t, v.Pending())
		requireNoHiddenFiles(t, base, dir)
	})
}

// The old name was gone with the sync of the new one, though the directory of
// the old one, whose own name was not durable yet, had not been synced.
func TestBothNamesOfARenameOutOfAnUnsyncedDirectoryAreThere(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		sub := filepath.Join(dir, "sub")
		require.NoError(t, v.Mkdir(sub, 0o755))
		write(t, v, filepath.Join(sub, "f"), "")
		require.NoError(t, v.SyncDir(sub))
		require.NoError(t, v.Rename(filepath.Join(sub, "f"), filepath.Join(dir, "a")))
		require.NoError(t, v.SyncDir(dir))
		require.Equal(t, map[string]string{"a": "", filepath.Join("sub", "f"): ""}, below(t, base, dir))
		require.NoError(t, v.SyncDir(sub))
		require.Equal(t, map[string]string{"a": ""}, below(t, base, dir))
		requireNoHiddenFiles(t, base, dir)
	})
}
