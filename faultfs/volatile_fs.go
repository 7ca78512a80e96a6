package faultfs

import (
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

func errIs(err, target error) bool { return errors.Is(err, target) }

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &PathError{Op: op, Path: name, Err: err}
}

// Create opens a file for reading and writing, empty. Its name, and that it is
// empty, are pending.
func (v *Volatile) Create(name string) (afero.File, error) {
	return v.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// Open opens a file or a directory for reading.
func (v *Volatile) Open(name string) (afero.File, error) { return v.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens a file as os.OpenFile does.
func (v *Volatile) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if err := v.enter(); err != nil {
		return nil, pathError("open", name, err)
	}
	defer v.leave()
	n, err := v.openNode(name, flag, perm)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &volatileFile{v: v, node: n, name: name, flag: flag}, nil
}

func (v *Volatile) openNode(name string, flag int, perm os.FileMode) (*vnode, error) {
	dir, last, n, err := v.find(name)
	switch {
	case err != nil:
		return nil, err
	case n == nil && flag&os.O_CREATE == 0:
		return nil, iofs.ErrNotExist
	case n == nil:
		if n, err = dir.make(last, false, perm); err != nil {
			return nil, err
		}
	case flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, iofs.ErrExist
	case n.isDir && flag&(os.O_WRONLY|os.O_RDWR|os.O_TRUNC|os.O_CREATE) != 0:
		return nil, syscall.EISDIR
	}
	return n, n.retain(flag)
}

// make creates a file or a directory under a name that is free.
func (n *vnode) make(name string, isDir bool, perm os.FileMode) (*vnode, error) {
	if n.links == 0 {
		return nil, iofs.ErrNotExist
	}
	if err := n.claim(name); err != nil {
		return nil, err
	}
	child := n.v.newNode(n, isDir, perm.Perm())
	child.complete = true
	n.put(name, child)
	return child, nil
}

// retain notes one more open file, and empties it if the flag says so.
func (n *vnode) retain(flag int) error {
	if n.isDir {
		n.handles++
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.reopen(); err != nil {
		return err
	}
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 && n.base != nil && !n.writable {
		if n.handles == 0 {
			n.closeBase()
		}
		return iofs.ErrPermission
	}
	n.handles++
	if flag&os.O_TRUNC != 0 {
		n.resize(0)
		n.report(n.named)
	}
	return nil
}

// Mkdir makes a directory. Its name is pending.
func (v *Volatile) Mkdir(name string, perm os.FileMode) error {
	if err := v.enter(); err != nil {
		return pathError("mkdir", name, err)
	}
	defer v.leave()
	dir, last, n, err := v.find(name)
	if err == nil && n != nil {
		err = iofs.ErrExist
	}
	if err == nil {
		_, err = dir.make(last, true, perm)
	}
	return pathError("mkdir", name, err)
}

// MkdirAll makes a directory and those above it that are missing. Each name is
// pending in the directory that it is in.
func (v *Volatile) MkdirAll(name string, perm os.FileMode) error {
	if err := v.enter(); err != nil {
		return pathError("mkdir", name, err)
	}
	defer v.leave()
	return pathError("mkdir", name, v.mkdirAll(name, perm))
}

func (v *Volatile) mkdirAll(name string, perm os.FileMode) error {
	dir, last, n, err := v.find(name)
	if errors.Is(err, iofs.ErrNotExist) && name != "" {
		if err = v.mkdirAll(filepath.Dir(filepath.Clean(name)), perm); err == nil {
			dir, last, n, err = v.find(name)
		}
	}
	switch {
	case err != nil:
		return err
	case n == nil:
		_, err = dir.make(last, true, perm)
		return err
	case !n.isDir:
		return syscall.ENOTDIR
	}
	return nil
}

// Remove removes a file or an empty directory. That it is gone is pending.
// Open files of it go on working.
func (v *Volatile) Remove(name string) error {
	if err := v.enter(); err != nil {
		return pathError("remove", name, err)
	}
	defer v.leave()
	dir, last, n, err := v.existing(name)
	if err == nil {
		err = v.remove(dir, last, n)
	}
	return pathError("remove", name, err)
}

func (v *Volatile) remove(dir *vnode, name string, n *vnode) error {
	if dir == nil {
		return syscall.EBUSY
	}
	if n.isDir {
		if err := n.mustBeEmpty(); err != nil {
			return err
		}
	}
	if err := dir.claim(name); err != nil {
		return err
	}
	dir.put(name, nil)
	return nil
}

func (n *vnode) mustBeEmpty() error {
	if err := n.load(); err != nil {
		return cause(err)
	}
	if len(n.names(false)) > 0 {
		return syscall.ENOTEMPTY
	}
	return nil
}

// RemoveAll removes what is at name and, if that is a directory, below it. It
// is no error when there is nothing.
func (v *Volatile) RemoveAll(name string) error {
	if err := v.enter(); err != nil {
		return pathError("removeall", name, err)
	}
	defer v.leave()
	dir, last, n, err := v.find(name)
	if errors.Is(err, iofs.ErrNotExist) || err == nil && n == nil {
		return nil
	}
	if err == nil {
		err = v.removeAll(dir, last, n)
	}
	return pathError("removeall", name, err)
}

func (v *Volatile) removeAll(dir *vnode, name string, n *vnode) error {
	if n.isDir {
		if err := n.load(); err != nil {
			return cause(err)
		}
		for _, child := range n.names(false) {
			if err := v.removeAll(n, child, n.entries[child].now); err != nil {
				return err
			}
		}
	}
	return v.remove(dir, name, n)
}

// Rename gives a file or directory another name, and removes the file or empty
// directory that had it. Both halves are pending, each in its own directory.
func (v *Volatile) Rename(oldname, newname string) error {
	err := v.enter()
	if err == nil {
		defer v.leave()
		err = v.rename(oldname, newname)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

func (v *Volatile) rename(oldname, newname string) error {
	from, oldLast, n, err := v.existing(oldname)
	if err != nil {
		return err
	}
	to, newLast, target, err := v.find(newname)
	switch {
	case err != nil:
		return err
	case from == nil || to == nil:
		return syscall.EBUSY
	case n == target:
		return nil
	case n.isDir && to.inside(n):
		return syscall.EINVAL
	}
	if err := replaceable(n, target); err != nil {
		return err
	}
	if err := to.claim(newLast); err != nil {
		return err
	}
	if err := from.claim(oldLast); err != nil {
		to.settledIfUnchanged(newLast)
		return err
	}
	if target != nil {
		to.put(newLast, nil)
	}
	to.put(newLast, n)
	from.put(oldLast, nil)
	return nil
}

// replaceable reports why n may not take the place of target.
func replaceable(n, target *vnode) error {
	switch {
	case target == nil:
		return nil
	case n.isDir && !target.isDir:
		return syscall.ENOTDIR
	case target.isDir && !n.isDir:
		return iofs.ErrExist
	case target.isDir:
		return target.mustBeEmpty()
	}
	return nil
}

// settledIfUnchanged gives back a claim that was not used.
func (n *vnode) settledIfUnchanged(name string) {
	if s := n.entries[name]; s.now == s.disk && len(s.past) == 0 {
		n.settled(name)
	}
}

// Stat describes what callers see.
func (v *Volatile) Stat(name string) (os.FileInfo, error) {
	if err := v.enter(); err != nil {
		return nil, pathError("stat", name, err)
	}
	defer v.tree.Unlock()
	_, _, n, err := v.existing(name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return n.info(name)
}

// LstatIfPossible is Stat: the layer has no links of its own.
func (v *Volatile) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	info, err := v.Stat(name)
	return info, false, err
}

// SyncDir forces the names in a directory.
func (v *Volatile) SyncDir(dir string) error {
	return v.onDir("sync", dir, (*vnode).syncDir)
}

// FailSyncDir does to the names in a directory what a failed sync does.
func (v *Volatile) FailSyncDir(dir string, p vfs.Personality) error {
	return v.onDir("sync", dir, func(n *vnode) error { return n.failSyncDir(p) })
}

func (v *Volatile) onDir(op, name string, do func(*vnode) error) error {
	if err := v.enter(); err != nil {
		return pathError(op, name, err)
	}
	defer v.leave()
	_, _, n, err := v.existing(name)
	if err == nil && !n.isDir {
		err = syscall.ENOTDIR
	}
	if err == nil {
		err = do(n)
	}
	return pathError(op, name, err)
}

// Chmod changes the mode, below at once.
func (v *Volatile) Chmod(name string, mode os.FileMode) error {
	return v.attr("chmod", name, func(path string) error { return v.base.Chmod(path, mode) },
		func(n *vnode) { n.mode = n.mode&^os.ModePerm | mode.Perm() })
}

// Chown changes the owner, below at once; of a file that is not below yet it
// is an error that is errors.ErrUnsupported.
func (v *Volatile) Chown(name string, uid, gid int) error {
	return v.attr("chown", name, func(path string) error { return v.base.Chown(path, uid, gid) }, nil)
}

// Chtimes changes the times, below at once.
func (v *Volatile) Chtimes(name string, atime, mtime time.Time) error {
	return v.attr("chtimes", name, func(path string) error { return v.base.Chtimes(path, atime, mtime) },
		func(n *vnode) { n.mtime = mtime })
}

func (v *Volatile) attr(op, name string, below func(path string) error, here func(*vnode)) error {
	if err := v.enter(); err != nil {
		return pathError(op, name, err)
	}
	defer v.tree.Unlock()
	_, _, n, err := v.existing(name)
	if err != nil {
		return pathError(op, name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.below() && here == nil {
		return pathError(op, name, errors.ErrUnsupported)
	}
	if n.root != "" {
		err = below(n.root)
	}
	for _, h := range n.homes {
		err = errors.Join(err, below(h.path()))
	}
	if err == nil && here != nil {
		here(n)
	}
	return pathError(op, name, err)
}
