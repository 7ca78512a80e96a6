package faultfstest

import (
	"io"
	"os"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/vfs"
)

// crashCases are about what survives a power cut that keeps nothing else.
var crashCases = []Case{
	{"synced file survives", "A file whose data and name are synced survives a power cut.", func(c *checker) {
		require.NoError(c, c.file("f", "abc").Sync())
		c.syncDir()
		c.cut()
		c.has("f", "abc")
	}},
	{"data sync suffices", "Data sync covers the size: what was appended survives.", func(c *checker) {
		f := c.durable("f", "abc")
		c.writeAt(f, "def", 3)
		require.NoError(c, vfs.SyncData(f))
		c.cut()
		c.has("f", "abcdef")
	}},
	{"un-synced data is lost", "Data and size that no sync covers are lost.", func(c *checker) {
		f := c.durable("f", "abc")
		c.writeAt(f, "Xdef", 0)
		c.cut()
		c.has("f", "abc")
	}},
	{"un-synced name is lost", "The sync of a file does not cover its name.", func(c *checker) {
		require.NoError(c, c.file("f", "abc").Sync())
		c.cut()
		c.lacks("f")
	}},
	{"name without data", "The sync of a directory does not cover what is in its files.", func(c *checker) {
		c.file("f", "abc")
		c.syncDir()
		c.cut()
		c.has("f", "")
	}},
	{"parent not covered", "The sync of a directory does not cover its own name.", func(c *checker) {
		c.mkdir("d")
		require.NoError(c, c.file("d/f", "abc").Sync())
		c.syncDir("d")
		c.cut()
		c.lacks("d")
	}},
	{"new tree", "A new directory survives, with what is synced in it, once its parent is synced too.", func(c *checker) {
		c.mkdir("d")
		require.NoError(c, c.file("d/f", "abc").Sync())
		c.file("d/g", "abc")
		c.syncDir("d")
		c.file("d/h", "abc")
		c.syncDir()
		c.cut()
		c.has("d/f", "abc")
		c.has("d/g", "")
		c.lacks("d/h")
	}},
	{"un-synced remove", "A removal that no sync covers is undone.", func(c *checker) {
		c.durable("f", "abc")
		require.NoError(c, c.fsys.Remove(c.path("f")))
		c.cut()
		c.has("f", "abc")
	}},
	{"synced remove", "A removal that is synced is final.", func(c *checker) {
		c.durable("f", "abc")
		require.NoError(c, c.fsys.Remove(c.path("f")))
		c.syncDir()
		c.cut()
		c.lacks("f")
	}},
	{"un-synced rename", "A rename over a file that no sync covers leaves the old file.", func(c *checker) {
		c.durable("f", "old")
		require.NoError(c, c.file("tmp", "new").Sync())
		require.NoError(c, c.fsys.Rename(c.path("tmp"), c.path("f")))
		c.cut()
		c.has("f", "old")
		c.lacks("tmp")
	}},
	{"synced rename", "A rename that is synced has replaced the old file.", func(c *checker) {
		c.durable("f", "old")
		require.NoError(c, c.file("tmp", "new").Sync())
		require.NoError(c, c.fsys.Rename(c.path("tmp"), c.path("f")))
		c.syncDir()
		c.cut()
		c.has("f", "new")
		c.lacks("tmp")
	}},
	{"truncate and append", "A file that was cut and written again, and synced, has zeros where nothing was written.", func(c *checker) {
		f := c.durable("f", "abcdefgh")
		require.NoError(c, f.Truncate(2))
		c.writeAt(f, "X", 6)
		require.NoError(c, f.Sync())
		c.cut()
		c.has("f", "ab"+zeros(4)+"X")
	}},
	{"close forces nothing", "Closing a file forces nothing.", func(c *checker) {
		f := c.durable("f", "abc")
		c.writeAt(f, "X", 0)
		require.NoError(c, f.Close())
		c.cut()
		c.has("f", "abc")
	}},
	{"failed sync", "After a failed sync the next one says ok and the disk still has the old, until it is written again.", func(c *checker) {
		f := c.durable("f", "abc")
		c.writeAt(f, "XYZ", 0)
		failer, ok := f.(vfs.SyncFailer)
		require.True(c, ok, "the file is no faultfs.SyncFailer")
		require.NoError(c, failer.FailSync(vfs.PagesClean))
		c.holds(f, "XYZ")
		require.NoError(c, f.Sync())
		c.cut()
		c.has("f", "abc")
	}},
	{"crashed", "After a power cut every call fails with faultfs.ErrCrashed.", func(c *checker) {
		f := c.durable("f", "abc")
		crashed := c.fsys
		c.cut()
		_, openErr := crashed.Open(c.path("f"))
		_, createErr := crashed.OpenFile(c.path("g"), os.O_RDWR|os.O_CREATE, 0o644)
		_, statErr := crashed.Stat(c.path("f"))
		_, readErr := f.ReadAt(make([]byte, 1), 0)
		_, writeErr := f.WriteAt([]byte("x"), 0)
		_, seekErr := f.Seek(0, io.SeekStart)
		for _, err := range []error{openErr, createErr, statErr, readErr, writeErr, seekErr,
			f.Sync(), f.Truncate(0), crashed.Remove(c.path("f")), crashed.Rename(c.path("f"), c.path("g")),
			crashed.Mkdir(c.path("d"), 0o755), vfs.SyncDir(crashed, c.root)} {
			require.ErrorIs(c, err, vfs.ErrCrashed)
		}
		c.has("f", "abc")
	}},
}

// durable creates a file that is synced, and its name, and leaves it open.
func (c *checker) durable(name, text string) afero.File {
	f := c.file(name, text)
	require.NoError(c, f.Sync())
	c.syncDir()
	return f
}
