package faultfs

import (
	"io"
	iofs "io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// Name returns "disk".
func (d *Disk) Name() string { return "disk" }

// walk finds the directory that holds name, and what is there. For the root
// dir is nil.
func (d *Disk) walk(name string) (dir *node, last string, n *node, err error) {
	full := clean(name)
	n = d.root
	for rest := full[1:]; rest != ""; {
		last, rest, _ = strings.Cut(rest, "/")
		if n == nil {
			return nil, "", nil, iofs.ErrNotExist
		}
		if !n.isDir {
			return nil, "", nil, syscall.ENOTDIR
		}
		d.learnName(n, last)
		dir, n = n, n.entries[last]
	}
	return dir, last, n, nil
}

func (d *Disk) existing(name string) (dir *node, last string, n *node, err error) {
	dir, last, n, err = d.walk(name)
	if err == nil && n == nil {
		err = iofs.ErrNotExist
	}
	return dir, last, n, err
}

// do runs one call that is over before it returns.
func (d *Disk) do(op, name string, call func() error) error {
	if err := d.enter(); err != nil {
		return pathError(op, name, err)
	}
	defer d.mu.Unlock()
	return pathError(op, name, call())
}

// Create opens a file for reading and writing, empty.
func (d *Disk) Create(name string) (afero.File, error) {
	return d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// Open opens a file or a directory for reading.
func (d *Disk) Open(name string) (afero.File, error) { return d.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens a file as os.OpenFile does.
func (d *Disk) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	var n *node
	err := d.do("open", name, func() (err error) {
		n, err = d.open(name, flag, perm)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &diskFile{d: d, node: n, name: name, path: clean(name), flag: flag}, nil
}

func (d *Disk) open(name string, flag int, perm os.FileMode) (*node, error) {
	dir, last, n, err := d.walk(name)
	switch {
	case err != nil:
		return nil, err
	case n == nil && flag&os.O_CREATE == 0:
		return nil, iofs.ErrNotExist
	case n == nil:
		if n, err = d.make(dir, last, false, perm); err != nil {
			return nil, err
		}
		d.returns(diskCall{op: "create", name: clean(name)})
	case flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, iofs.ErrExist
	case n.isDir && flag&(os.O_WRONLY|os.O_RDWR|os.O_TRUNC|os.O_CREATE) != 0:
		return nil, syscall.EISDIR
	}
	if flag&os.O_TRUNC != 0 && n.size > 0 {
		d.resize(n, 0)
		d.returns(diskCall{op: "truncate", name: clean(name)})
	}
	return n, nil
}

// make makes a file or a directory under a name that is free.
func (d *Disk) make(dir *node, name string, isDir bool, perm os.FileMode) (*node, error) {
	if dir.links == 0 && dir != d.root {
		return nil, iofs.ErrNotExist
	}
	n := d.newNode(isDir)
	n.mode = n.mode&^os.ModePerm | perm.Perm()
	d.setName(dir, name, n, d.seq)
	return n, nil
}

// Mkdir makes a directory.
func (d *Disk) Mkdir(name string, perm os.FileMode) error {
	return d.do("mkdir", name, func() error {
		dir, last, n, err := d.walk(name)
		if err == nil && n != nil {
			err = iofs.ErrExist
		}
		if err == nil {
			_, err = d.make(dir, last, true, perm)
		}
		if err == nil {
			d.returns(diskCall{op: "mkdir", name: clean(name)})
		}
		return err
	})
}

// MkdirAll makes a directory and those above it that are missing, each at a
// point of its own.
func (d *Disk) MkdirAll(name string, perm os.FileMode) error {
	return d.do("mkdir", name, func() error {
		at := "/"
		for _, part := range strings.Split(clean(name), "/")[1:] {
			if part == "" {
				break
			}
			at = path.Join(at, part)
			dir, last, n, err := d.walk(at)
			switch {
			case err != nil:
				return err
			case n != nil && !n.isDir:
				return syscall.ENOTDIR
			case n != nil:
				continue
			}
			if _, err := d.make(dir, last, true, perm); err != nil {
				return err
			}
			d.returns(diskCall{op: "mkdir", name: at})
		}
		return nil
	})
}

// Remove removes a file or an empty directory. Open files of it go on working.
func (d *Disk) Remove(name string) error {
	return d.do("remove", name, func() error {
		dir, last, n, err := d.existing(name)
		if err != nil {
			return err
		}
		return d.remove(dir, last, n)
	})
}

func (d *Disk) remove(dir *node, name string, n *node) error {
	if dir == nil {
		return syscall.EBUSY
	}
	if n.isDir {
		d.learnNames(n)
		if len(n.entries) > 0 {
			return syscall.ENOTEMPTY
		}
	}
	d.setName(dir, name, nil, d.seq)
	d.returns(diskCall{op: "remove", name: dir.pathOf(name)})
	return nil
}

// pathOf returns a path of a name in a directory, for descriptions.
func (n *node) pathOf(name string) string {
	for n.parent != nil {
		for own, child := range n.parent.entries {
			if child == n {
				name = own + "/" + name
				break
			}
		}
		n = n.parent
	}
	return "/" + name
}

// RemoveAll removes what is at name and below it, each at a point of its own.
// It is no error when there is nothing.
func (d *Disk) RemoveAll(name string) error {
	return d.do("removeall", name, func() error {
		dir, last, n, err := d.walk(name)
		if errIs(err, iofs.ErrNotExist) || err == nil && n == nil {
			return nil
		}
		if err != nil {
			return err
		}
		return d.removeAll(dir, last, n)
	})
}

func (d *Disk) removeAll(dir *node, name string, n *node) error {
	if n.isDir {
		d.learnNames(n)
		for _, child := range n.sorted() {
			if err := d.removeAll(n, child, n.entries[child]); err != nil {
				return err
			}
		}
	}
	return d.remove(dir, name, n)
}

func (n *node) sorted() []string {
	names := make([]string, 0, len(n.entries))
	for name := range n.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Rename gives a file or directory another name, and removes the file or empty
// directory that had it.
func (d *Disk) Rename(oldname, newname string) error {
	err := d.enter()
	if err == nil {
		defer d.mu.Unlock()
		err = d.rename(oldname, newname)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

func (d *Disk) rename(oldname, newname string) error {
	from, oldLast, n, err := d.existing(oldname)
	if err != nil {
		return err
	}
	to, newLast, target, err := d.walk(newname)
	switch {
	case err != nil:
		return err
	case from == nil || to == nil:
		return syscall.EBUSY
	case n == target:
		return nil
	case n.isDir && to.below(n):
		return syscall.EINVAL
	case to.links == 0 && to != d.root:
		return iofs.ErrNotExist
	case target != nil && n.isDir && !target.isDir:
		return syscall.ENOTDIR
	case target != nil && target.isDir && !n.isDir:
		return iofs.ErrExist
	}
	if target != nil && target.isDir {
		d.learnNames(target)
		if len(target.entries) > 0 {
			return syscall.ENOTEMPTY
		}
	}
	group := d.seq
	if target != nil {
		d.setName(to, newLast, nil, group)
	}
	d.setName(to, newLast, n, group)
	d.setName(from, oldLast, nil, group)
	n.parent = to
	d.returns(diskCall{op: "rename", name: clean(oldname), and: clean(newname)})
	return nil
}

// below reports whether n is dir or in a directory under it.
func (n *node) below(dir *node) bool {
	for ; n != nil; n = n.parent {
		if n == dir {
			return true
		}
	}
	return false
}

// Stat describes what callers see.
func (d *Disk) Stat(name string) (info os.FileInfo, err error) {
	err = d.do("stat", name, func() error {
		_, _, n, err := d.existing(name)
		if err == nil {
			info = d.info(n, name)
		}
		return err
	})
	return info, err
}

func (d *Disk) info(n *node, name string) os.FileInfo {
	d.learnSize(n)
	return volatileInfo{name: path.Base(clean(name)), size: n.size, vattr: vattr{mode: n.mode, mtime: n.mtime}}
}

// SyncDir forces the names in a directory.
func (d *Disk) SyncDir(dir string) error {
	return d.do("sync", dir, func() error {
		n, err := d.directory(dir)
		if err == nil {
			d.sync(n, clean(dir))
		}
		return err
	})
}

// FailSyncDir does to the names in a directory what a failed sync does.
func (d *Disk) FailSyncDir(dir string, p vfs.Personality) error {
	return d.do("sync", dir, func() error {
		n, err := d.directory(dir)
		if err == nil {
			err = d.failSync(n, clean(dir), p)
		}
		return err
	})
}

func (d *Disk) directory(name string) (*node, error) {
	_, _, n, err := d.existing(name)
	if err == nil && !n.isDir {
		err = syscall.ENOTDIR
	}
	return n, err
}

// sync is a sync that returns without an error.
func (d *Disk) sync(n *node, name string) {
	journal := d.syncNode(n)
	op := "sync"
	if n.isDir {
		op = "syncdir"
	}
	d.returns(diskCall{op: op, name: name})
	d.syncs = append(d.syncs, syncCall{seq: d.seq, point: d.point, node: n, journal: journal})
}

func (d *Disk) failSync(n *node, name string, p vfs.Personality) error {
	if p != vfs.PagesClean && p != vfs.CacheReverted {
		return errPersonality
	}
	d.failNode(n, p)
	d.returns(diskCall{op: "failed sync", name: name})
	return nil
}

// Chmod changes the mode. Modes are never pending.
func (d *Disk) Chmod(name string, mode os.FileMode) error {
	return d.attr("chmod", name, func(n *node) { n.mode = n.mode&^os.ModePerm | mode.Perm() })
}

// Chown does nothing: files have no owners.
func (d *Disk) Chown(name string, uid, gid int) error { return d.attr("chown", name, func(*node) {}) }

// Chtimes changes the modification time. Times are never pending.
func (d *Disk) Chtimes(name string, atime, mtime time.Time) error {
	return d.attr("chtimes", name, func(n *node) { n.mtime = mtime })
}

func (d *Disk) attr(op, name string, change func(*node)) error {
	return d.do(op, name, func() error {
		_, _, n, err := d.existing(name)
		if err == nil {
			change(n)
		}
		return err
	})
}

// eof is what a read at the end returns.
func eof(n, want int) error {
	if n < want {
		return io.EOF
	}
	return nil
}
