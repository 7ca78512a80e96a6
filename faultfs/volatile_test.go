package faultfs_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// eachVolatile runs a test on layers over the real disk and over memory. dir
// exists below.
func eachVolatile(t *testing.T, test func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string)) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		require.NoError(t, base.MkdirAll(dir, 0o755))
		test(t, base, faultfs.NewVolatile(base, faultfs.VolatileOptions{}), dir)
	})
}

func write(t *testing.T, fsys afero.Fs, name, text string) afero.File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	_, err = f.WriteAt([]byte(text), 0)
	require.NoError(t, err)
	return f
}

// below returns path -> content of the files in dir, hidden ones excluded.
func below(t *testing.T, base afero.Fs, dir string) map[string]string {
	t.Helper()
	return tree(t, base, dir)
}

func TestNothingIsBelowBeforeItsSync(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		name := filepath.Join(dir, "f")
		f := write(t, v, name, "data")
		require.Equal(t, "data", content(t, v, name))
		require.Empty(t, below(t, base, dir))
		require.Equal(t, faultfs.Pending{Bytes: 512 + 8, Entries: 1}, v.Pending())

		require.NoError(t, f.Sync())
		require.Empty(t, below(t, base, dir), "the name is not synced")
		require.Equal(t, faultfs.Pending{Entries: 1}, v.Pending())

		_, err := f.WriteAt([]byte("later"), 4)
		require.NoError(t, err)
		require.NoError(t, v.SyncDir(dir))
		require.Equal(t, map[string]string{"f": "data"}, below(t, base, dir), "the name and what was synced, no more")
		require.NoError(t, f.Sync())
		require.Equal(t, map[string]string{"f": "datalater"}, below(t, base, dir))
		require.Zero(t, v.Pending())
	})
}

func TestADirectorySyncGivesAnUnsyncedFileANameAndNoContent(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		write(t, v, filepath.Join(dir, "f"), "data")
		require.NoError(t, v.SyncDir(dir))
		require.Equal(t, map[string]string{"f": ""}, below(t, base, dir))
	})
}

func TestEachHalfOfARenameBelongsToItsDirectory(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		for _, d := range []string{"a", "b"} {
			require.NoError(t, v.Mkdir(filepath.Join(dir, d), 0o755))
		}
		require.NoError(t, v.SyncDir(dir))
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		f := write(t, v, filepath.Join(a, "f"), "one")
		require.NoError(t, f.Sync())
		require.NoError(t, v.SyncDir(a))
		require.NoError(t, v.Rename(filepath.Join(a, "f"), filepath.Join(b, "g")))
		require.NoError(t, v.SyncDir(b))
		both := func(text string) map[string]string {
			return map[string]string{filepath.Join("a", "f"): text, filepath.Join("b", "g"): text}
		}
		require.Equal(t, both("one"), below(t, base, dir))
		_, err := f.WriteAt([]byte("two"), 0)
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		require.Equal(t, both("two"), below(t, base, dir), "a sync writes to both names")
		require.NoError(t, v.SyncDir(a))
		require.Equal(t, map[string]string{filepath.Join("b", "g"): "two"}, below(t, base, dir))

		require.NoError(t, v.Rename(filepath.Join(b, "g"), filepath.Join(a, "h")))
		require.NoError(t, v.SyncDir(b))
		require.Empty(t, below(t, base, dir), "neither name")
		require.Equal(t, "two", content(t, v, filepath.Join(a, "h")))
		require.NoError(t, v.SyncDir(a))
		require.Equal(t, map[string]string{filepath.Join("a", "h"): "two"}, below(t, base, dir))
	})
}

func TestCrashStopsEveryCall(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		name := filepath.Join(dir, "f")
		f := write(t, v, name, "data")
		lost, err := v.Crash(1, "")
		require.NoError(t, err)
		require.Equal(t, vfs.Lost{Bytes: 520, Entries: 1}, lost)
		_, err = f.ReadAt(make([]byte, 1), 0)
		require.ErrorIs(t, err, vfs.ErrCrashed)
		require.ErrorIs(t, f.Sync(), vfs.ErrCrashed)
		_, err = v.Stat(name)
		require.ErrorIs(t, err, vfs.ErrCrashed)
		_, err = v.Crash(1, "")
		require.ErrorIs(t, err, vfs.ErrCrashed)
		require.Empty(t, below(t, base, dir))
	})
}

func TestShrinkingAndGrowingAgainReadsZeros(t *testing.T) {
	eachVolatile(t, func(t *testing.T, base afero.Fs, v *faultfs.Volatile, dir string) {
		f := write(t, v, filepath.Join(dir, "f"), "0123456789")
		require.NoError(t, f.Sync())
		require.NoError(t, v.SyncDir(dir))
		require.NoError(t, f.Truncate(4))
		require.NoError(t, vfs.Preallocate(f, 12))
		want := append([]byte("0123"), make([]byte, 8)...)
		got := make([]byte, 12)
		_, err := io.ReadFull(io.NewSectionReader(f, 0, 12), got)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, "0123456789", below(t, base, dir)["f"])
		require.NoError(t, f.Sync())
		require.True(t, bytes.Equal(want, []byte(below(t, base, dir)["f"])))
	})
}
