package faultfstest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/vfs"
)

// fileCases are about what is in a file.
var fileCases = []Case{
	{"append", "A file opened with O_APPEND is written at its end, wherever its cursor is.", func(c *checker) {
		c.file("f", "one")
		f := c.open("f", os.O_WRONLY|os.O_APPEND)
		for _, text := range []string{"two", "three"} {
			_, err := f.Write([]byte(text))
			require.NoError(c, err)
		}
		c.has("f", "onetwothree")
	}},
	{"sparse", "What was never written between two writes reads as zeros.", func(c *checker) {
		f := c.file("f", "a")
		c.writeAt(f, "z", 10_000)
		c.holds(f, "a"+zeros(9_999)+"z")
	}},
	{"read past the end", "A read at or beyond the end returns nothing and io.EOF.", func(c *checker) {
		f := c.file("f", "abc")
		for _, off := range []int64{3, 4, 1000} {
			n, err := f.ReadAt(make([]byte, 2), off)
			require.Zero(c, n)
			require.ErrorIs(c, err, io.EOF)
		}
	}},
	{"short read", "A read that meets the end returns what is there and, if positional, io.EOF.", func(c *checker) {
		n, err := c.file("f", "abc").ReadAt(make([]byte, 5), 1)
		require.Equal(c, 2, n)
		require.ErrorIs(c, err, io.EOF)
	}},
	{"negative offset", "An offset before the beginning is an error.", func(c *checker) {
		f := c.file("f", "abc")
		_, err := f.ReadAt(make([]byte, 1), -1)
		require.Error(c, err)
		_, err = f.WriteAt([]byte("x"), -1)
		require.Error(c, err)
		c.holds(f, "abc")
	}},
	{"positional read", "ReadAt does not move the cursor.", func(c *checker) {
		f := c.file("f", "abcdef")
		_, err := f.ReadAt(make([]byte, 2), 3)
		require.NoError(c, err)
		c.cursor(f, 0)
	}},
	{"positional write", "WriteAt does not move the cursor.", func(c *checker) {
		f := c.file("f", "abcdef")
		c.writeAt(f, "XY", 3)
		c.cursor(f, 0)
	}},
	{"cursor", "Read and Write go on where the one before stopped.", func(c *checker) {
		f := c.file("f", "abcdef")
		_, err := io.ReadFull(f, make([]byte, 2))
		require.NoError(c, err)
		_, err = f.WriteString("XY")
		require.NoError(c, err)
		c.cursor(f, 4)
		c.holds(f, "abXYef")
	}},
	{"seek", "Seek counts from the start, the cursor or the end, and refuses a place before the beginning.", func(c *checker) {
		f := c.file("f", "abcdef")
		for _, s := range []struct {
			off    int64
			whence int
			want   int64
		}{{4, io.SeekStart, 4}, {-1, io.SeekCurrent, 3}, {-2, io.SeekEnd, 4}, {5, io.SeekEnd, 11}} {
			got, err := f.Seek(s.off, s.whence)
			require.NoError(c, err)
			require.Equal(c, s.want, got)
		}
		_, err := f.Seek(-1, io.SeekStart)
		require.Error(c, err)
	}},
	{"truncate", "Truncate cuts, and grows with zeros, even over what was cut before.", func(c *checker) {
		f := c.file("f", "abcdef")
		require.NoError(c, f.Truncate(2))
		c.holds(f, "ab")
		require.NoError(c, f.Truncate(5))
		c.holds(f, "ab"+zeros(3))
		require.Error(c, f.Truncate(-1))
	}},
	{"preallocate", "Preallocate grows with zeros and never shrinks.", func(c *checker) {
		f := c.file("f", "ab")
		for _, size := range []int64{5, 3} {
			require.NoError(c, vfs.Preallocate(f, size))
			c.holds(f, "ab"+zeros(3))
		}
	}},
	{"size", "Stat tells the size, through the file and through its name.", func(c *checker) {
		f := c.file("f", "abc")
		c.writeAt(f, "x", 700)
		require.EqualValues(c, 701, c.size(f))
		info, err := c.fsys.Stat(c.path("f"))
		require.NoError(c, err)
		require.EqualValues(c, 701, info.Size())
		require.Equal(c, "f", info.Name())
		require.True(c, info.Mode().IsRegular())
	}},
	{"open modes", "A file opened for reading cannot be written, nor one opened for writing read.", func(c *checker) {
		c.file("f", "abc")
		_, err := c.open("f", os.O_RDONLY).Write([]byte("x"))
		require.Error(c, err)
		_, err = c.open("f", os.O_WRONLY).Read(make([]byte, 1))
		require.Error(c, err)
	}},
	{"closed", "A closed file refuses every call, a second Close included.", func(c *checker) {
		f := c.file("f", "abc")
		require.NoError(c, f.Close())
		_, readErr := f.ReadAt(make([]byte, 1), 0)
		_, writeErr := f.WriteAt([]byte("x"), 0)
		_, statErr := f.Stat()
		_, seekErr := f.Seek(0, io.SeekStart)
		for _, err := range []error{readErr, writeErr, statErr, seekErr, f.Truncate(0), f.Sync(), f.Close()} {
			require.True(c, errors.Is(err, os.ErrClosed) || errors.Is(err, afero.ErrFileClosed), "%v", err)
		}
	}},
	{"two handles", "What one handle wrote another one reads at once.", func(c *checker) {
		f, g := c.file("f", "abc"), c.open("f", os.O_RDWR)
		c.writeAt(f, "X", 1)
		c.holds(g, "aXc")
	}},
	{"overlap", "Positional calls at once, on a file that says they may, reach the places that they name.", func(c *checker) {
		f := c.file("f", zeros(8*64))
		if !vfs.OverlapsSafely(f) {
			return
		}
		require.Empty(c, overlapping(f), "a slot holds what another one wrote")
	}},
	{"sync", "Sync and data sync succeed, again and again, and change nothing that is read.", func(c *checker) {
		f := c.file("f", "abc")
		for range 2 {
			require.NoError(c, f.Sync())
			require.NoError(c, vfs.SyncData(f))
		}
		c.holds(f, "abc")
	}},
	{"lock", "A locked file refuses a second owner until it is closed.", func(c *checker) {
		f, g := c.file("f", ""), c.open("f", os.O_RDWR)
		unlock, err := vfs.TryLock(c.fsys, f, c.path("f"))
		require.NoError(c, err)
		_, err = vfs.TryLock(c.fsys, g, c.path("f"))
		require.ErrorIs(c, err, vfs.ErrLocked)
		require.NoError(c, f.Close())
		unlock()
		unlock, err = vfs.TryLock(c.fsys, g, c.path("f"))
		require.NoError(c, err)
		unlock()
	}},
}

func zeros(n int) string { return string(make([]byte, n)) }

func (c *checker) cursor(f afero.File, want int64) {
	pos, err := f.Seek(0, io.SeekCurrent)
	require.NoError(c, err)
	require.Equal(c, want, pos)
}

// overlapping writes and reads eight slots at once, and returns the slots where
// something else was read than had been written.
func overlapping(f afero.File) (bad []int64) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for slot := range int64(8) {
		wg.Go(func() {
			want, got := bytes.Repeat([]byte{byte(slot + 1)}, 64), make([]byte, 64)
			for range 200 {
				_, writeErr := f.WriteAt(want, slot*64)
				_, readErr := f.ReadAt(got, slot*64)
				if writeErr != nil || readErr != nil || !bytes.Equal(want, got) {
					mu.Lock()
					defer mu.Unlock()
					bad = append(bad, slot)
					return
				}
			}
		})
	}
	wg.Wait()
	return bad
}
