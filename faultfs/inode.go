package faultfs

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/afero"
)

// inode is a file that is open at least once, or that owes a late error. It is what remains of a file that
// was removed while open, and what a rename gives a new name.
type inode struct {
	name     string // clean name in the table; the last one when unlinked
	handles  int
	unlinked bool          // its space is free only once the last handle is closed
	late     syscall.Errno // what the next sync fails with; zero is nothing
}

// inodeTable holds those that have a name. Guarded by fs.mu.
type inodeTable map[string]*inode

// get returns the inode called name, a new one if need be.
func (t inodeTable) get(name string) *inode {
	name = filepath.Clean(name)
	if t[name] == nil {
		t[name] = &inode{name: name}
	}
	return t[name]
}

// drop forgets an inode that nothing has a use for any more.
func (t inodeTable) drop(node *inode) {
	if node.handles == 0 && node.late == 0 && !node.unlinked {
		delete(t, node.name)
	}
}

// at returns the open files called name or, name being a directory, below it.
func (t inodeTable) at(name string) []*inode {
	name = filepath.Clean(name)
	var found []*inode
	for key, node := range t {
		if key == name || strings.HasPrefix(key, name+string(filepath.Separator)) {
			found = append(found, node)
		}
	}
	return found
}

// retain notes that name has been opened once more.
func (fs *FS) retain(name string) *inode {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	node := fs.inodes.get(name)
	node.handles++
	return node
}

// nameOf returns the name that an open file has now, or had last.
func (fs *FS) nameOf(node *inode) string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return node.name
}

// forget takes the files at name out of the table and marks them unlinked. The
// result says which names those were that are open.
func (fs *FS) forget(name string) map[string]bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	gone := map[string]bool{}
	for _, node := range fs.inodes.at(name) {
		node.unlinked = true
		gone[node.name] = node.handles > 0
		delete(fs.inodes, node.name)
	}
	return gone
}

// move gives the open files at oldname their new names.
func (fs *FS) move(oldname, newname string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	oldname, newname = filepath.Clean(oldname), filepath.Clean(newname)
	for _, node := range fs.inodes.at(oldname) {
		delete(fs.inodes, node.name)
		node.name = newname + strings.TrimPrefix(node.name, oldname)
		fs.inodes[node.name] = node
	}
}

// unlink makes one call that removes what is at name, and gives back the space
// of what it removed and nobody has open.
func (fs *FS) unlink(name string, below func() error) error {
	limited, leave := fs.enterSpace()
	defer leave()
	var before map[string]int64
	if limited {
		before = fs.usage(name)
	}
	if err := below(); err != nil {
		// A RemoveAll that failed half-way has given back nothing: too little
		// space is the safe side for whoever tests a full disk.
		return err
	}
	fs.giveBack(before, fs.forget(name))
	return nil
}

// rename renames below. What newname was before is removed by that.
func (fs *FS) rename(oldname, newname string) error {
	if filepath.Clean(oldname) == filepath.Clean(newname) {
		return fs.base.Rename(oldname, newname)
	}
	limited, leave := fs.enterSpace()
	defer leave()
	var before map[string]int64
	if limited {
		before = fs.usage(newname)
	}
	if err := fs.base.Rename(oldname, newname); err != nil {
		return err
	}
	fs.giveBack(before, fs.forget(newname))
	fs.move(oldname, newname)
	return nil
}

func (fs *FS) giveBack(sizes map[string]int64, open map[string]bool) {
	for name, size := range sizes {
		if !open[name] {
			fs.charge(-size)
		}
	}
}

// usage returns the sizes of the files at name, by clean name. What cannot be
// looked at counts as empty.
func (fs *FS) usage(name string) map[string]int64 {
	sizes := map[string]int64{}
	_ = afero.Walk(fs.base, name, func(name string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			sizes[filepath.Clean(name)] = info.Size()
		}
		return nil
	})
	return sizes
}

// closeCharged closes the file below. The last handle of a removed file gives
// back its space.
func (fs *FS) closeCharged(f *file) error {
	limited, leave := fs.enterSpace()
	defer leave()
	var freed int64
	if fs.releaseInode(f.inode) && limited {
		freed = f.size() // a closed file does not tell its size
	}
	err := f.File.Close()
	fs.charge(-freed)
	return err
}

// releaseInode reports whether nothing holds the file any more.
func (fs *FS) releaseInode(node *inode) (gone bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	node.handles--
	if node.handles > 0 {
		return false
	}
	fs.inodes.drop(node)
	return node.unlinked
}
