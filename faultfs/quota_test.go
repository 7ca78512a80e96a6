package faultfs_test

import (
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// onFullDisk runs a test on each base with a quota of so many bytes.
func onFullDisk(t *testing.T, quota int64, test func(t *testing.T, d disk)) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		require.NoError(t, afero.WriteFile(base, dir+"/old", []byte("0123456789"), 0o644))
		fsys := faultfs.New(base)
		inj := fsys.Inject(faultfs.Rule{Op: faultfs.OpWrite, Quota: quota})
		test(t, disk{t, fsys, inj, dir})
	})
}

type disk struct {
	t    *testing.T
	fsys *faultfs.FS
	full *faultfs.Injection
	dir  string
}

func (d disk) open(name string) afero.File { return open(d.t, d.fsys, d.dir+"/"+name) }

// room requires that exactly n bytes are left, by writing one byte too many
// into a file of its own. It takes the file away again, so the room stays.
func (d disk) room(n int) {
	d.t.Helper()
	name := d.dir + "/room"
	f, err := d.fsys.Create(name)
	if n == 0 {
		require.ErrorIs(d.t, err, syscall.ENOSPC, "there should be no room at all")
		return
	}
	require.NoError(d.t, err)
	written, err := f.Write(make([]byte, n+1))
	require.ErrorIs(d.t, err, syscall.ENOSPC, "there should be room for %d bytes", n)
	require.Equal(d.t, n, written, "there should be room for %d bytes", n)
	require.NoError(d.t, f.Close())
	require.NoError(d.t, d.fsys.Remove(name))
}

func TestQuotaWritesThePartThatFits(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		f := d.open("f")
		n, err := f.Write([]byte("abcdef"))
		require.NoError(t, err)
		require.Equal(t, 6, n)

		n, err = f.WriteString("ghijkl")
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, 4, n)
		require.Equal(t, "abcdefghij", content(t, d.fsys, f.Name()))

		n, err = f.Write([]byte("k"))
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Zero(t, n)
		require.Equal(t, 2, d.full.Fired())
		require.Equal(t, 4, d.full.Calls(), "the creation and three writes")
		d.fsys.CheckFired(t)
	})
}

func TestQuotaFailsWithItsErrno(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("write * quota=1 EDQUOT")...)
	_, err := open(t, fsys, "/f").Write([]byte("ab"))
	require.ErrorIs(t, err, syscall.EDQUOT)
	require.NotErrorIs(t, err, syscall.ENOSPC)
}

func TestOverwritingCostsNothing(t *testing.T) {
	onFullDisk(t, faultfs.Full, func(t *testing.T, d disk) {
		f := d.open("old")
		n, err := f.WriteAt([]byte("abc"), 7)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		_, err = f.Write(nil)
		require.NoError(t, err)
		n, err = f.WriteAt([]byte("xyz"), 8)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, 2, n)
		require.Equal(t, "0123456axy", content(t, d.fsys, f.Name()))
	})
}

func TestHolesCostAsMuchAsData(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		f := d.open("f")
		n, err := f.WriteAt([]byte("abcdef"), 6)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, 4, n)
		d.room(0)
		n, err = f.WriteAt([]byte("abcdef"), 12)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Zero(t, n)
		require.Len(t, content(t, d.fsys, f.Name()), 10)
	})
}

func TestTruncateAndPreallocateAreAllOrNothing(t *testing.T) {
	grow := map[string]func(f afero.File, size int64) error{
		"truncate":    func(f afero.File, size int64) error { return f.Truncate(size) },
		"preallocate": func(f afero.File, size int64) error { return vfs.Preallocate(f, size) },
	}
	for name, resize := range grow {
		t.Run(name, func(t *testing.T) {
			onFullDisk(t, 100, func(t *testing.T, d disk) {
				f := d.open("old")
				require.NoError(t, resize(f, 60))
				d.room(50)
				require.ErrorIs(t, resize(f, 111), syscall.ENOSPC)
				require.Len(t, content(t, d.fsys, f.Name()), 60)
				_, err := f.WriteAt(make([]byte, 60), 0)
				require.NoError(t, err, "the space is reserved")
				require.NoError(t, resize(f, 110))
				d.room(0)
			})
		})
	}
}

func TestShrinkingAndRemovingGiveBack(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		f := d.open("f")
		_, err := f.Write([]byte("abcdefgh"))
		require.NoError(t, err)
		d.room(2)
		require.NoError(t, f.Truncate(5))
		d.room(5)
		require.NoError(t, f.Close())
		require.NoError(t, d.fsys.Remove(f.Name()))
		d.room(10)
		require.NoError(t, d.fsys.Remove(d.dir+"/old"))
		d.room(20)
		require.Error(t, d.fsys.Remove(d.dir+"/old"))
		d.room(20)
	})
}

func TestOpeningWithTruncationGivesBack(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		f, err := d.fsys.OpenFile(d.dir+"/old", os.O_RDWR|os.O_TRUNC, 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		d.room(20)
		_, err = f.Write([]byte("x"))
		require.Error(t, err)
		require.NotErrorIs(t, err, syscall.ENOSPC)
		d.room(20)
	})
}

func TestARemovedFileGivesBackWhenItsLastHandleIsClosed(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		fsys := faultfs.New(base)
		d := disk{t, fsys, nil, dir}
		one, two := d.open("f"), d.open("f")
		d.full = fsys.Inject(faultfs.MustParse("write * quota=10")[0])
		_, err := one.Write([]byte("abcdef"))
		require.NoError(t, err)
		require.NoError(t, fsys.Remove(one.Name()))
		d.room(4)
		_, err = two.WriteAt([]byte("gh"), 6)
		require.NoError(t, err, "a removed file can still grow")
		d.room(2)
		require.NoError(t, one.Close())
		d.room(2)
		require.NoError(t, two.Close())
		d.room(10)
	})
}

func TestRenameOverAFileGivesBackWhatWasThere(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		f := d.open("f")
		_, err := f.Write([]byte("abc"))
		require.NoError(t, err)
		require.NoError(t, d.fsys.Rename(f.Name(), f.Name()))
		d.room(7)
		require.NoError(t, d.fsys.Rename(f.Name(), d.dir+"/old"))
		d.room(17)
		require.NoError(t, d.fsys.Remove(d.dir+"/old"))
		d.room(17) // still open under its former name
		require.NoError(t, f.Close())
		d.room(20)
		require.Error(t, d.fsys.Rename(d.dir+"/missing", d.dir+"/old"))
		d.room(20)
	})
}

func TestRenameOverAnOpenFileGivesBackWhenItIsClosed(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		old := d.open("old")
		require.NoError(t, d.open("f").Close())
		require.NoError(t, d.fsys.Rename(d.dir+"/f", old.Name()))
		d.room(10)
		require.NoError(t, old.Close())
		d.room(20)
	})
}

func TestRemoveAllAndRenamedDirectories(t *testing.T) {
	onFullDisk(t, 100, func(t *testing.T, d disk) {
		require.NoError(t, d.fsys.MkdirAll(d.dir+"/a/b", 0o755))
		one, two := d.open("a/one"), d.open("a/b/two")
		for _, f := range []afero.File{one, two} {
			_, err := f.Write([]byte("0123456789"))
			require.NoError(t, err)
		}
		require.NoError(t, one.Close())
		require.NoError(t, d.fsys.Rename(d.dir+"/a", d.dir+"/c"))
		d.room(80)
		require.NoError(t, d.fsys.RemoveAll(d.dir+"/c"))
		d.room(90)
		require.NoError(t, two.Close())
		d.room(100)
	})
}

func TestNothingCanBeMadeOnAFullDisk(t *testing.T) {
	onFullDisk(t, faultfs.Full, func(t *testing.T, d disk) {
		_, err := d.fsys.Create(d.dir + "/new")
		require.ErrorIs(t, err, syscall.ENOSPC)
		_, err = d.fsys.OpenFile(d.dir+"/new", os.O_CREATE|os.O_WRONLY, 0o644)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorIs(t, d.fsys.Mkdir(d.dir+"/new", 0o755), syscall.ENOSPC)
		require.ErrorIs(t, d.fsys.MkdirAll(d.dir+"/new", 0o755), syscall.ENOSPC)
		exists, err := afero.Exists(d.fsys, d.dir+"/new")
		require.NoError(t, err)
		require.False(t, exists)

		require.NoError(t, d.fsys.MkdirAll(d.dir, 0o755), "what is there need not be made")
		require.NoError(t, d.open("old").Close())
		_, err = d.fsys.OpenFile(d.dir+"/missing", os.O_RDWR, 0)
		require.ErrorIs(t, err, os.ErrNotExist)
		require.Equal(t, 4, d.full.Fired())
	})
}

func TestRaisingOrRemovingTheQuotaHeals(t *testing.T) {
	onFullDisk(t, 3, func(t *testing.T, d disk) {
		f := d.open("f")
		_, err := f.Write([]byte("abcdef"))
		require.ErrorIs(t, err, syscall.ENOSPC)
		d.full.SetQuota(5)
		d.room(2)
		d.full.SetQuota(1)
		d.room(0)
		d.full.Remove()
		_, err = f.Write(make([]byte, 1000))
		require.NoError(t, err)
	})
	plain := faultfs.New(afero.NewMemMapFs()).Inject(faultfs.MustParse("sync * EIO")[0])
	require.Panics(t, func() { plain.SetQuota(1) })
}

func TestTheTightestQuotaDecides(t *testing.T) {
	onFullDisk(t, 8, func(t *testing.T, d disk) {
		f := d.open("f")
		_, err := f.Write([]byte("abc"))
		require.NoError(t, err)
		user := d.fsys.Inject(faultfs.MustParse("write * quota=2 EDQUOT")[0])
		n, err := f.Write([]byte("defg"))
		require.ErrorIs(t, err, syscall.EDQUOT)
		require.Equal(t, 2, n)
		user.SetQuota(100)
		d.room(3)
	})
}

func TestAppendersAreChargedAtTheEndOfTheFile(t *testing.T) {
	onFullDisk(t, 4, func(t *testing.T, d disk) {
		f, err := d.fsys.OpenFile(d.dir+"/old", os.O_WRONLY|os.O_APPEND, 0)
		require.NoError(t, err)
		defer f.Close()
		n, err := f.Write([]byte("abcdef"))
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, 4, n)
		require.Equal(t, "0123456789abcd", content(t, d.fsys, f.Name()))
	})
}

func TestAFailedWriteIsNotCharged(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		f := d.open("f")
		d.fsys.Inject(faultfs.MustParse("write * #1 EIO")[0])
		_, err := f.Write([]byte("abcdef"))
		require.ErrorIs(t, err, syscall.EIO)
		d.fsys.Inject(faultfs.MustParse("write f #1 tear=2 EIO")[0])
		_, err = f.Write([]byte("abcdef"))
		require.ErrorIs(t, err, syscall.EIO)
		d.room(8)
	})
}

func TestConcurrentWritersShareTheQuotaExactly(t *testing.T) {
	const writers, writes, quota = 8, 50, 1000
	onFullDisk(t, quota, func(t *testing.T, d disk) {
		var files [writers]afero.File
		for w := range files {
			files[w] = d.open("f" + string(rune('0'+w)))
		}
		var written atomic.Int64
		var wg sync.WaitGroup
		for _, f := range files {
			wg.Go(func() {
				for range writes {
					n, _ := f.Write([]byte("0123456"))
					written.Add(int64(n))
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, quota, written.Load())
		total := 0
		for _, f := range files {
			total += len(content(t, d.fsys, f.Name()))
		}
		require.Equal(t, quota, total)
	})
}

func TestAnEndlessQuotaDoesNotOverflow(t *testing.T) {
	onFullDisk(t, math.MaxInt64, func(t *testing.T, d disk) {
		require.NoError(t, d.fsys.Remove(d.dir+"/old"))
		_, err := d.open("f").Write([]byte("abc"))
		require.NoError(t, err)
		require.Zero(t, d.full.Fired())
	})
}
