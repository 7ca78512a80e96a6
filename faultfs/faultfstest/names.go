package faultfstest

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/stretchr/testify/require"

	"holdfast/internal/vfs"
)

// nameCases are about names and directories.
var nameCases = []Case{
	{"missing", "What is not there is os.ErrNotExist, whatever is asked of it.", func(c *checker) {
		_, openErr := c.fsys.Open(c.path("no"))
		_, statErr := c.fsys.Stat(c.path("no"))
		for _, err := range []error{openErr, statErr, c.fsys.Remove(c.path("no")), c.fsys.Rename(c.path("no"), c.path("x"))} {
			require.ErrorIs(c, err, os.ErrNotExist)
		}
	}},
	{"create in a missing directory", "No file, directory or new name can be made in a directory that is not there.", func(c *checker) {
		_, err := c.fsys.OpenFile(c.path("no", "f"), os.O_RDWR|os.O_CREATE, 0o644)
		require.ErrorIs(c, err, os.ErrNotExist)
		require.ErrorIs(c, c.fsys.Mkdir(c.path("no", "d"), 0o755), os.ErrNotExist)
		c.file("f", "")
		require.ErrorIs(c, c.fsys.Rename(c.path("f"), c.path("no", "f")), os.ErrNotExist)
	}},
	{"create in a file", "A file is no directory: nothing can be made or found under it.", func(c *checker) {
		c.file("f", "")
		_, err := c.fsys.OpenFile(c.path("f", "g"), os.O_RDWR|os.O_CREATE, 0o644)
		require.Error(c, err)
		require.Error(c, c.fsys.MkdirAll(c.path("f", "d"), 0o755))
	}},
	{"exclusive", "O_EXCL creates what is not there, and refuses what is with os.ErrExist.", func(c *checker) {
		c.open("f", os.O_RDWR|os.O_CREATE|os.O_EXCL)
		_, err := c.fsys.OpenFile(c.path("f"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		require.ErrorIs(c, err, os.ErrExist)
	}},
	{"open truncating", "O_TRUNC empties the file, for its other handles too; without it the content stays.", func(c *checker) {
		f := c.file("f", "abc")
		c.open("f", os.O_RDWR|os.O_CREATE)
		c.holds(f, "abc")
		c.open("f", os.O_RDWR|os.O_TRUNC)
		require.Zero(c, c.size(f))
	}},
	{"open a directory", "A directory opens for reading only, and is neither read nor written as a file.", func(c *checker) {
		c.mkdir("d")
		_, err := c.fsys.OpenFile(c.path("d"), os.O_RDWR, 0)
		require.Error(c, err)
		_, err = c.open("d", os.O_RDONLY).Read(make([]byte, 1))
		require.Error(c, err)
	}},
	{"rename", "A renamed file has the new name only, with its content, and its handles go on working.", func(c *checker) {
		f := c.file("f", "abc")
		require.NoError(c, c.fsys.Rename(c.path("f"), c.path("g")))
		c.lacks("f")
		c.writeAt(f, "X", 0)
		c.has("g", "Xbc")
	}},
	{"rename over", "A rename over a file replaces it, and open handles of the replaced file keep its content.", func(c *checker) {
		old := c.file("g", "old")
		c.file("f", "new")
		require.NoError(c, c.fsys.Rename(c.path("f"), c.path("g")))
		c.has("g", "new")
		c.lacks("f")
		c.holds(old, "old")
		c.writeAt(old, "still", 0)
		c.has("g", "new")
	}},
	{"rename onto itself", "A rename to the same name changes nothing.", func(c *checker) {
		c.file("f", "abc")
		require.NoError(c, c.fsys.Rename(c.path("f"), c.path("f")))
		c.has("f", "abc")
	}},
	{"rename a directory", "A renamed directory takes its files along.", func(c *checker) {
		c.mkdir("d")
		c.file("d/f", "abc")
		require.NoError(c, c.fsys.Rename(c.path("d"), c.path("e")))
		c.has("e/f", "abc")
		c.lacks("d")
	}},
	{"rename over a full directory", "A directory with files in it is not replaced.", func(c *checker) {
		c.mkdir("d")
		c.mkdir("e")
		c.file("e/f", "abc")
		require.Error(c, c.fsys.Rename(c.path("d"), c.path("e")))
		c.has("e/f", "abc")
	}},
	{"rename into itself", "A directory cannot be moved into itself.", func(c *checker) {
		c.mkdir("d")
		require.Error(c, c.fsys.Rename(c.path("d"), c.path("d", "e")))
	}},
	{"rename kinds", "A file does not replace a directory, nor a directory a file.", func(c *checker) {
		c.mkdir("d")
		c.file("f", "abc")
		require.Error(c, c.fsys.Rename(c.path("f"), c.path("d")))
		require.Error(c, c.fsys.Rename(c.path("d"), c.path("f")))
		c.has("f", "abc")
	}},
	{"remove while open", "A file that is removed while open can be used through its handles, and its name is free.", func(c *checker) {
		old := c.file("f", "old")
		require.NoError(c, c.fsys.Remove(c.path("f")))
		c.lacks("f")
		c.file("f", "new")
		c.writeAt(old, "X", 0)
		c.holds(old, "Xld")
		require.NoError(c, old.Sync())
		c.has("f", "new")
	}},
	{"remove a full directory", "Remove refuses a directory that has files in it.", func(c *checker) {
		c.mkdir("d")
		c.file("d/f", "abc")
		require.Error(c, c.fsys.Remove(c.path("d")))
		c.has("d/f", "abc")
		require.NoError(c, c.fsys.Remove(c.path("d", "f")))
		require.NoError(c, c.fsys.Remove(c.path("d")))
		c.lacks("d")
	}},
	{"remove all", "RemoveAll removes a tree, and what is not there without an error.", func(c *checker) {
		require.NoError(c, c.fsys.MkdirAll(c.path("d", "e"), 0o755))
		c.file("d/e/f", "abc")
		for range 2 {
			require.NoError(c, c.fsys.RemoveAll(c.path("d")))
		}
		c.lacks("d")
		c.lacks("d/e/f")
	}},
	{"mkdir", "Mkdir makes one directory, and refuses a name that is taken with os.ErrExist.", func(c *checker) {
		c.mkdir("d")
		c.file("f", "")
		for _, name := range []string{"d", "f"} {
			require.ErrorIs(c, c.fsys.Mkdir(c.path(name), 0o755), os.ErrExist)
		}
		info, err := c.fsys.Stat(c.path("d"))
		require.NoError(c, err)
		require.True(c, info.IsDir())
	}},
	{"mkdirall", "MkdirAll makes a path, and is content with one that is there.", func(c *checker) {
		for range 2 {
			require.NoError(c, c.fsys.MkdirAll(c.path("d", "e", "f"), 0o755))
		}
		info, err := c.fsys.Stat(c.path("d", "e"))
		require.NoError(c, err)
		require.True(c, info.IsDir())
	}},
	{"list", "A listing has every name once, with its kind and size.", func(c *checker) {
		want := c.populate()
		infos, err := c.open(".", os.O_RDONLY).Readdir(-1)
		require.NoError(c, err)
		var names []string
		for _, info := range infos {
			names = append(names, info.Name())
			require.Equal(c, info.Name() == "dir", info.IsDir())
			require.True(c, info.IsDir() || info.Size() == 1)
		}
		slices.Sort(names)
		require.Equal(c, want, names)
	}},
	{"list in pages", "Pages of a listing have every name once; after the last one comes io.EOF.", func(c *checker) {
		want := c.populate()
		d := c.open(".", os.O_RDONLY)
		var names []string
		for {
			page, err := d.Readdirnames(3)
			require.LessOrEqual(c, len(page), 3)
			names = append(names, page...)
			if err == io.EOF {
				require.Empty(c, page)
				break
			}
			require.NoError(c, err)
		}
		slices.Sort(names)
		require.Equal(c, want, names)
	}},
	{"list after changes", "A listing shows what was renamed and not what was removed.", func(c *checker) {
		c.populate()
		require.NoError(c, c.fsys.Remove(c.path("dir")))
		for i := range 9 {
			require.NoError(c, c.fsys.Remove(c.path(fmt.Sprint("f", i))))
		}
		require.NoError(c, c.fsys.Rename(c.path("f9"), c.path("g")))
		names, err := c.open(".", os.O_RDONLY).Readdirnames(-1)
		require.NoError(c, err)
		require.Equal(c, []string{"g"}, names)
	}},
	{"list a file", "A file cannot be listed.", func(c *checker) {
		_, err := c.file("f", "abc").Readdirnames(-1)
		require.Error(c, err)
	}},
	{"sync a directory", "A directory can be synced again and again, one that is not there cannot.", func(c *checker) {
		c.file("f", "abc")
		for range 2 {
			c.syncDir()
			require.NoError(c, c.open(".", os.O_RDONLY).Sync())
		}
		c.has("f", "abc")
		require.ErrorIs(c, vfs.SyncDir(c.fsys, c.path("no")), os.ErrNotExist)
	}},
}

// populate makes ten files and a directory and returns their names in order.
func (c *checker) populate() []string {
	c.mkdir("dir")
	names := []string{"dir"}
	for i := range 10 {
		name := fmt.Sprint("f", i)
		names = append(names, name)
		require.NoError(c, c.file(name, "x").Close())
	}
	return names
}
