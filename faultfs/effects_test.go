package faultfs_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// onEachBase runs a test on the real file system and on the one in memory,
// with a directory to work in.
func onEachBase(t *testing.T, test func(t *testing.T, base afero.Fs, dir string)) {
	t.Run("os", func(t *testing.T) { test(t, afero.NewOsFs(), t.TempDir()) })
	t.Run("mem", func(t *testing.T) {
		base := afero.NewMemMapFs()
		require.NoError(t, base.MkdirAll("/work", 0o755))
		test(t, base, "/work")
	})
}

// count is a rule that only counts.
func count(op faultfs.Op) faultfs.Rule { return faultfs.Rule{Op: op, Count: true} }

func open(t *testing.T, fsys afero.Fs, name string) afero.File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func content(t *testing.T, fsys afero.Fs, name string) string {
	t.Helper()
	b, err := afero.ReadFile(fsys, name)
	require.NoError(t, err)
	return string(b)
}

// step is one call of each way into the file system. It works in a directory
// with a file "f" that holds "0123456789", open as f, and a directory "d".
type step struct {
	name string
	op   faultfs.Op
	call func(fsys *faultfs.FS, f afero.File, dir string) error
}

func second[T any](_ T, err error) error { return err }

var steps = []step{
	{"Open", "open", func(fs *faultfs.FS, _ afero.File, dir string) error { return closing(fs.Open(dir + "/f")) }},
	{"OpenFile", "open", func(fs *faultfs.FS, _ afero.File, dir string) error {
		return closing(fs.OpenFile(dir+"/f", os.O_RDWR, 0))
	}},
	{"OpenFile creating", "create", func(fs *faultfs.FS, _ afero.File, dir string) error {
		return closing(fs.OpenFile(dir+"/new", os.O_RDWR|os.O_CREATE, 0o644))
	}},
	{"Create", "create", func(fs *faultfs.FS, _ afero.File, dir string) error { return closing(fs.Create(dir + "/new")) }},
	{"Read", "read", func(_ *faultfs.FS, f afero.File, _ string) error { return second(f.Read(make([]byte, 3))) }},
	{"ReadAt", "read", func(_ *faultfs.FS, f afero.File, _ string) error { return second(f.ReadAt(make([]byte, 3), 4)) }},
	{"Write", "write", func(_ *faultfs.FS, f afero.File, _ string) error { return second(f.Write([]byte("abc"))) }},
	{"WriteAt", "write", func(_ *faultfs.FS, f afero.File, _ string) error { return second(f.WriteAt([]byte("abc"), 4)) }},
	{"WriteString", "write", func(_ *faultfs.FS, f afero.File, _ string) error { return second(f.WriteString("abc")) }},
	{"Sync", "sync", func(_ *faultfs.FS, f afero.File, _ string) error { return f.Sync() }},
	{"SyncData", "sync", func(_ *faultfs.FS, f afero.File, _ string) error { return vfs.SyncData(f) }},
	{"SyncDir", "syncdir", func(fs *faultfs.FS, _ afero.File, dir string) error { return vfs.SyncDir(fs, dir) }},
	{"Truncate", "truncate", func(_ *faultfs.FS, f afero.File, _ string) error { return f.Truncate(4) }},
	{"Preallocate", "preallocate", func(_ *faultfs.FS, f afero.File, _ string) error { return vfs.Preallocate(f, 100) }},
	{"Rename", "rename", func(fs *faultfs.FS, _ afero.File, dir string) error { return fs.Rename(dir+"/f", dir+"/g") }},
	{"Remove", "remove", func(fs *faultfs.FS, _ afero.File, dir string) error { return fs.Remove(dir + "/d") }},
	{"RemoveAll", "remove", func(fs *faultfs.FS, _ afero.File, dir string) error { return fs.RemoveAll(dir + "/d") }},
	{"Mkdir", "mkdir", func(fs *faultfs.FS, _ afero.File, dir string) error { return fs.Mkdir(dir+"/new", 0o755) }},
	{"MkdirAll", "mkdir", func(fs *faultfs.FS, _ afero.File, dir string) error { return fs.MkdirAll(dir+"/new/er", 0o755) }},
	{"Stat", "stat", func(fs *faultfs.FS, _ afero.File, dir string) error { return second(fs.Stat(dir + "/f")) }},
	{"Lstat", "stat", func(fs *faultfs.FS, _ afero.File, dir string) error {
		_, _, err := fs.LstatIfPossible(dir + "/f")
		return err
	}},
	{"File.Stat", "stat", func(_ *faultfs.FS, f afero.File, _ string) error { return second(f.Stat()) }},
	{"Seek", "seek", func(_ *faultfs.FS, f afero.File, _ string) error { return second(f.Seek(2, io.SeekStart)) }},
	{"TryLock", "lock", func(fs *faultfs.FS, f afero.File, _ string) error { return second(vfs.TryLock(fs, f, f.Name())) }},
	{"Chmod", "attr", func(fs *faultfs.FS, _ afero.File, dir string) error { return fs.Chmod(dir+"/f", 0o600) }},
	{"Chown", "attr", func(fs *faultfs.FS, _ afero.File, dir string) error {
		return fs.Chown(dir+"/f", os.Getuid(), os.Getgid())
	}},
	{"Chtimes", "attr", func(fs *faultfs.FS, _ afero.File, dir string) error {
		return fs.Chtimes(dir+"/f", time.Unix(1, 0), time.Unix(1, 0))
	}},
	{"Close", "close", func(_ *faultfs.FS, f afero.File, _ string) error { return f.Close() }},
}

func closing(f afero.File, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

// stepFixture prepares what the steps work on, and returns the file system
// under test on top of one that counts what reaches the base.
func stepFixture(t *testing.T, base afero.Fs, dir string) (inner, outer *faultfs.FS, f afero.File) {
	t.Helper()
	require.NoError(t, afero.WriteFile(base, dir+"/f", []byte("0123456789"), 0o644))
	require.NoError(t, base.MkdirAll(dir+"/d", 0o755))
	inner = faultfs.New(base)
	outer = faultfs.New(inner)
	return inner, outer, open(t, outer, dir+"/f")
}

func TestEveryCallCanBeMadeToFailWithoutEffect(t *testing.T) {
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
				inner, outer, f := stepFixture(t, base, dir)
				below := inner.Inject(count(faultfs.OpAny))
				rule := outer.Inject(faultfs.Rule{Op: s.op, N: 1, Err: syscall.EDQUOT})

				err := s.call(outer, f, dir)
				var pathErr *fs.PathError
				require.ErrorIs(t, err, syscall.EDQUOT)
				require.ErrorAs(t, err, &pathErr)
				require.Equal(t, string(s.op), pathErr.Op)
				require.Contains(t, pathErr.Path, dir)
				require.Equal(t, 1, rule.Fired())
				require.Equal(t, map[bool]int{false: 0, true: 1}[s.op == faultfs.OpClose], below.Calls(),
					"only a struck close reaches the file system below")
			})
		})
	}
}

func TestEveryCallReachesTheBaseOnceWhenNothingStrikes(t *testing.T) {
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
				inner, outer, f := stepFixture(t, base, dir)
				below := inner.Inject(count(s.op))
				require.NoError(t, s.call(outer, f, dir))
				require.Equal(t, 1, below.Calls())
			})
		})
	}
}

func TestAfterHasTheEffectAndThenFails(t *testing.T) {
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
				inner, outer, f := stepFixture(t, base, dir)
				below := inner.Inject(count(s.op))
				outer.Inject(faultfs.Rule{Op: s.op, N: 1, Err: syscall.EIO, After: true})
				require.ErrorIs(t, s.call(outer, f, dir), syscall.EIO)
				require.Equal(t, 1, below.Calls())
			})
		})
	}
}

func TestAfterReportsTheErrorBelowWhenThereIsOne(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("any * EIO after")...)
	_, err := fsys.Stat("/missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = fsys.Open("/missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestAfterOnWriteReportsNothingWrittenAndWritesAll(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		fsys := faultfs.New(base, faultfs.MustParse("write f #1 EIO after")...)
		f := open(t, fsys, dir+"/f")
		n, err := f.Write([]byte("hello"))
		require.ErrorIs(t, err, syscall.EIO)
		require.Zero(t, n)
		require.Equal(t, "hello", content(t, base, dir+"/f"))
	})
}

func TestAfterOnOpenDoesNotLeakTheFileBelow(t *testing.T) {
	inner := faultfs.New(afero.NewMemMapFs())
	closes := inner.Inject(count("close"))
	fsys := faultfs.New(inner, faultfs.MustParse("create * EIO after")...)
	unseen := fsys.Inject(count("close"))
	_, err := fsys.Create("/f")
	require.ErrorIs(t, err, syscall.EIO)
	require.Zero(t, unseen.Calls(), "nobody called Close on what he does not have")
	require.Equal(t, 1, closes.Calls())
	require.Equal(t, "", content(t, inner, "/f"), "the file is there all the same")
}

func TestTornWriteLeavesExactlyTheTornBytes(t *testing.T) {
	calls := map[string]func(f afero.File, p []byte) (int, error){
		"Write":       func(f afero.File, p []byte) (int, error) { return f.Write(p) },
		"WriteString": func(f afero.File, p []byte) (int, error) { return f.WriteString(string(p)) },
		"WriteAt":     func(f afero.File, p []byte) (int, error) { return f.WriteAt(p, 2) },
	}
	for name, write := range calls {
		t.Run(name, func(t *testing.T) {
			onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
				require.NoError(t, afero.WriteFile(base, dir+"/f", []byte("ab"), 0o644))
				fsys := faultfs.New(base, faultfs.MustParse("write f #1 tear=3 EIO")...)
				f := open(t, fsys, dir+"/f")
				_, err := f.Seek(2, io.SeekStart)
				require.NoError(t, err)

				n, err := write(f, []byte("0123456789"))
				require.ErrorIs(t, err, syscall.EIO)
				require.Equal(t, 3, n)
				require.Equal(t, "ab012", content(t, base, dir+"/f"))
				fsys.CheckFired(t)
			})
		})
	}
}

func TestWriteShorterThanItsTearIsWrittenWholeAndFails(t *testing.T) {
	base := afero.NewMemMapFs()
	f := open(t, faultfs.New(base, faultfs.MustParse("write * tear=100 EIO")...), "/f")
	n, err := f.Write([]byte("abc"))
	require.ErrorIs(t, err, syscall.EIO)
	require.Equal(t, 3, n)
	require.Equal(t, "abc", content(t, base, "/f"))
	n, err = f.Write(nil)
	require.ErrorIs(t, err, syscall.EIO)
	require.Zero(t, n)
}

func TestFailedCallsBelowAreReportedAsTheyAre(t *testing.T) {
	inner := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("write * EROFS; sync * EROFS; close * EROFS")...)
	fsys := faultfs.New(inner, faultfs.MustParse("write * #1 tear=3 EIO; write * #2 EIO after; close * EIO")...)
	f := open(t, fsys, "/f")
	for range 3 { // torn, after, and not struck at all
		n, err := f.Write([]byte("abcdef"))
		require.ErrorIs(t, err, syscall.EROFS)
		require.Zero(t, n)
	}
	require.ErrorIs(t, f.Sync(), syscall.EROFS)
	require.ErrorIs(t, f.Close(), syscall.EROFS)
}

func TestStruckReadReturnsNothing(t *testing.T) {
	base := afero.NewMemMapFs()
	require.NoError(t, afero.WriteFile(base, "/f", []byte("abc"), 0o644))
	f, err := faultfs.New(base, faultfs.MustParse("read|list|stat * EIO")...).Open("/f")
	require.NoError(t, err)
	p := []byte("...")
	n, err := f.ReadAt(p, 0)
	require.ErrorIs(t, err, syscall.EIO)
	require.Zero(t, n)
	require.Equal(t, "...", string(p))
	info, err := f.Stat()
	require.ErrorIs(t, err, syscall.EIO)
	require.Nil(t, info)
}

func TestListingAndSyncOfAnOpenDirectory(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		require.NoError(t, afero.WriteFile(base, dir+"/f", nil, 0o644))
		fsys := faultfs.New(base, faultfs.MustParse("list * #1+ heal=2 EIO; syncdir * #1 EIO; sync * #1 EIO")...)
		d, err := fsys.Open(dir)
		require.NoError(t, err)
		defer d.Close()

		infos, err := d.Readdir(-1)
		require.ErrorIs(t, err, syscall.EIO)
		require.Empty(t, infos)
		names, err := d.Readdirnames(-1)
		require.ErrorIs(t, err, syscall.EIO)
		require.Empty(t, names)
		names, err = d.Readdirnames(-1)
		require.NoError(t, err)
		require.Equal(t, []string{"f"}, names)

		require.ErrorIs(t, d.Sync(), syscall.EIO)
		require.Equal(t, faultfs.MustParse("sync * #1 EIO"), fsys.Unfired(), "a directory is synced by syncdir")
	})
}

func TestStruckCloseStillReleasesFileAndLock(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		fsys := faultfs.New(base, faultfs.MustParse("close LOCK #1 EIO")...)
		held, other := open(t, fsys, dir+"/LOCK"), open(t, faultfs.New(base), dir+"/LOCK")
		lock := func(f afero.File) error { return f.(vfs.Locker).TryLock() }

		require.NoError(t, lock(held))
		require.ErrorIs(t, lock(other), vfs.ErrLocked, "the lock is that of the base, whoever wraps it")
		require.ErrorIs(t, held.Close(), syscall.EIO)
		require.NoError(t, lock(other))
	})
}

func TestClosingTwiceIsWhatItIsBelow(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		plain, wrapped := open(t, base, dir+"/f"), open(t, faultfs.New(base), dir+"/f")
		require.NoError(t, plain.Close())
		require.NoError(t, wrapped.Close())
		require.Equal(t, plain.Close() == nil, wrapped.Close() == nil)
	})
}

func TestDataSyncAndPreallocationReachTheRealFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	f := open(t, faultfs.New(afero.NewOsFs()), name)
	require.NoError(t, vfs.Preallocate(f, 1<<20))
	require.NoError(t, vfs.SyncData(f))
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, info.Size())
}

func TestCorruptDamagesExactlyTheBytesNamed(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		name := dir + "/f"
		require.NoError(t, afero.WriteFile(base, name, []byte("0123456789"), 0o644))
		require.NoError(t, faultfs.Corrupt(base, name, 3, func(b []byte) { copy(b, "xy") }, 2))
		require.Equal(t, "012xy56789", content(t, base, name))
		require.NoError(t, faultfs.FlipBit(base, name, 8*9+1))
		require.Equal(t, "012xy5678;", content(t, base, name)) // '9' ^ 2
	})
}

func TestCorruptRefusesToDoNothing(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		name := dir + "/f"
		require.NoError(t, afero.WriteFile(base, name, []byte("0123456789"), 0o644))
		flip := func(b []byte) { b[0] ^= 1 }
		require.ErrorContains(t, faultfs.Corrupt(base, name, 0, func([]byte) {}, 10), "undamaged")
		require.ErrorContains(t, faultfs.Corrupt(base, name, 8, flip, 3), "reading 3 bytes at 8")
		require.ErrorContains(t, faultfs.FlipBit(base, name, 80), "reading 1 bytes at 10")
		require.ErrorIs(t, faultfs.FlipBit(base, dir+"/missing", 0), fs.ErrNotExist)
		require.Equal(t, "0123456789", content(t, base, name))

		for text, because := range map[string]string{"write * EIO": "damaging", "close * EIO": "closing"} {
			failing := faultfs.New(base, faultfs.MustParse(text)...)
			require.ErrorContains(t, faultfs.FlipBit(failing, name, 0), because)
		}
	})
}
