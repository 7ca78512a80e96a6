package faultfs

import (
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// volatileFile is an open file or directory of a Volatile.
type volatileFile struct {
	v      *Volatile
	node   *vnode
	name   string // as it was opened
	flag   int    // as it was opened
	closed atomic.Bool

	mu     sync.Mutex // guards the cursor
	pos    int64
	listed []os.FileInfo // what is still to be listed; nil before the first listing
	begun  bool

	lock   afero.File // below, holds the lock; guarded by v.tree
	unlock func()
}

var (
	_ afero.File       = (*volatileFile)(nil)
	_ vfs.DataSyncer   = (*volatileFile)(nil)
	_ vfs.Preallocator = (*volatileFile)(nil)
	_ vfs.Locker       = (*volatileFile)(nil)
	_ vfs.Positional   = (*volatileFile)(nil)
	_ vfs.SyncFailer   = (*volatileFile)(nil)
)

// Name returns the name that the file was opened under.
func (f *volatileFile) Name() string { return f.name }

// OverlapsSafely says that positional calls may overlap.
func (f *volatileFile) OverlapsSafely() bool { return true }

// errAppend is what package os says, too.
var errAppend = errors.New("invalid use of WriteAt on file opened with O_APPEND")

func (f *volatileFile) error(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return pathError(op, f.name, err)
}

// check refuses calls on closed files and directories, and those that the file
// was not opened for.
func (f *volatileFile) check(write bool) error {
	access := f.flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
	switch {
	case f.closed.Load():
		return iofs.ErrClosed
	case f.node.isDir && write:
		return syscall.EBADF
	case f.node.isDir:
		return syscall.EISDIR
	case write && access == os.O_RDONLY, !write && access == os.O_WRONLY:
		return syscall.EBADF
	}
	return nil
}

// Read reads at the cursor.
func (f *volatileFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.readAt(p, f.pos)
	f.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, f.error("read", err)
}

// ReadAt reads at an offset.
func (f *volatileFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.readAt(p, off)
	return n, f.error("read", err)
}

func (f *volatileFile) readAt(p []byte, off int64) (int, error) {
	if err := f.check(false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, syscall.EINVAL
	}
	if err := f.node.lockData(f.node.mu.RLocker()); err != nil {
		return 0, err
	}
	defer f.node.mu.RUnlock()
	return f.node.readAt(p, off)
}

// Write writes at the cursor, or at the end of a file opened to append.
func (f *volatileFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.change(func(n *vnode) error {
		if f.flag&os.O_APPEND != 0 {
			f.pos = n.size
		}
		return f.put(p, f.pos)
	})
	if err != nil {
		return 0, f.error("write", err)
	}
	f.pos += int64(len(p))
	return len(p), nil
}

// WriteString is Write.
func (f *volatileFile) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// WriteAt writes at an offset.
func (f *volatileFile) WriteAt(p []byte, off int64) (int, error) {
	if f.flag&os.O_APPEND != 0 {
		return 0, f.error("write", errAppend)
	}
	if err := f.change(func(*vnode) error { return f.put(p, off) }); err != nil {
		return 0, f.error("write", err)
	}
	return len(p), nil
}

func (f *volatileFile) put(p []byte, off int64) error {
	if off < 0 {
		return syscall.EINVAL
	}
	if off+int64(len(p)) < off {
		return syscall.EFBIG
	}
	return f.node.writeAt(p, off)
}

// change makes one change of the content.
func (f *volatileFile) change(do func(*vnode) error) error {
	if err := f.check(true); err != nil {
		return err
	}
	n := f.node
	if err := n.lockData(&n.mu); err != nil {
		return err
	}
	err := do(n)
	n.report(n.named)
	n.mu.Unlock()
	f.v.notify()
	return err
}

// Truncate changes the size. What is new reads as zeros.
func (f *volatileFile) Truncate(size int64) error {
	return f.resize("truncate", size, func(n *vnode) { n.resize(size) })
}

// Preallocate makes the file at least size bytes long. It reserves no space
// below.
func (f *volatileFile) Preallocate(size int64) error {
	return f.resize("preallocate", size, func(n *vnode) { n.resize(max(size, n.size)) })
}

func (f *volatileFile) resize(op string, size int64, do func(*vnode)) error {
	return f.error(op, f.change(func(n *vnode) error {
		if size < 0 {
			return syscall.EINVAL
		}
		do(n)
		return nil
	}))
}

// Sync forces data and size of a file, or the names in a directory.
func (f *volatileFile) Sync() error {
	switch {
	case f.closed.Load():
		return f.error("sync", iofs.ErrClosed)
	case f.node.isDir:
		return f.onDir((*vnode).syncDir)
	}
	return f.error("sync", f.node.sync())
}

// SyncData is Sync: what it leaves out is not held back.
func (f *volatileFile) SyncData() error { return f.Sync() }

// FailSync does to what is pending what a failed Sync does.
func (f *volatileFile) FailSync(p vfs.Personality) error {
	switch {
	case f.closed.Load():
		return f.error("sync", iofs.ErrClosed)
	case f.node.isDir:
		return f.onDir(func(n *vnode) error { return n.failSyncDir(p) })
	}
	return f.error("sync", f.node.failSync(p))
}

func (f *volatileFile) onDir(do func(*vnode) error) error {
	if err := f.v.enter(); err != nil {
		return f.error("sync", err)
	}
	defer f.v.leave()
	if f.node.links == 0 { // it was removed, and no name in it can come back
		return nil
	}
	return f.error("sync", do(f.node))
}

// Seek moves the cursor.
func (f *volatileFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pos, err := f.target(offset, whence)
	if err == nil && pos < 0 {
		err = syscall.EINVAL
	}
	if err != nil {
		return 0, f.error("seek", err)
	}
	f.pos = pos
	if pos == 0 { // a directory is listed anew
		f.listed, f.begun = nil, false
	}
	return pos, nil
}

func (f *volatileFile) target(offset int64, whence int) (int64, error) {
	switch {
	case f.closed.Load():
		return 0, iofs.ErrClosed
	case f.v.crashed.Load():
		return 0, vfs.ErrCrashed
	case whence == io.SeekStart:
		return offset, nil
	case whence == io.SeekCurrent:
		return f.pos + offset, nil
	case whence == io.SeekEnd:
		f.node.mu.RLock()
		defer f.node.mu.RUnlock()
		return f.node.size + offset, nil
	}
	return 0, syscall.EINVAL
}

// Stat describes the file.
func (f *volatileFile) Stat() (os.FileInfo, error) {
	switch {
	case f.closed.Load():
		return nil, f.error("stat", iofs.ErrClosed)
	case f.v.crashed.Load():
		return nil, f.error("stat", vfs.ErrCrashed)
	}
	return f.node.info(f.name)
}

// Readdir lists a directory in alphabetical order, as it was at the first call.
func (f *volatileFile) Readdir(count int) ([]os.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.begun {
		if err := f.list(); err != nil {
			return nil, f.error("readdir", err)
		}
	}
	page := f.listed
	if count > 0 {
		page = page[:min(count, len(page))]
	}
	f.listed = f.listed[len(page):]
	if count > 0 && len(page) == 0 {
		return nil, io.EOF
	}
	return page, nil
}

func (f *volatileFile) list() error {
	if f.closed.Load() {
		return iofs.ErrClosed
	}
	if err := f.v.enter(); err != nil {
		return err
	}
	defer f.v.tree.Unlock()
	if !f.node.isDir {
		return syscall.ENOTDIR
	}
	if err := f.node.load(); err != nil {
		return cause(err)
	}
	f.listed, f.begun = []os.FileInfo{}, true
	for _, name := range f.node.names(false) {
		info, err := f.node.entries[name].now.info(name)
		if err != nil {
			return err
		}
		f.listed = append(f.listed, info)
	}
	return nil
}

// Readdirnames is Readdir, names only.
func (f *volatileFile) Readdirnames(n int) ([]string, error) {
	infos, err := f.Readdir(n)
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name()
	}
	return names, err
}

// Close closes the file. It forces nothing.
func (f *volatileFile) Close() error {
	if f.closed.Swap(true) {
		return f.error("close", iofs.ErrClosed)
	}
	f.v.tree.Lock()
	defer f.v.leave()
	f.release()
	n := f.node
	n.handles--
	if n.handles == 0 && !n.isDir {
		n.mu.Lock()
		n.closeBase()
		n.mu.Unlock()
	}
	if f.v.crashed.Load() {
		return f.error("close", vfs.ErrCrashed)
	}
	f.v.release(n)
	return nil
}

// volatileInfo describes a node at one moment.
type volatileInfo struct {
	name string
	size int64
	vattr
}

func (i volatileInfo) Name() string       { return i.name }
func (i volatileInfo) Size() int64        { return i.size }
func (i volatileInfo) Mode() os.FileMode  { return i.mode }
func (i volatileInfo) ModTime() time.Time { return i.mtime }
func (i volatileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i volatileInfo) Sys() any           { return nil }

// info describes the node under a name.
func (n *vnode) info(name string) (os.FileInfo, error) {
	if n.root != "" {
		return n.v.base.Stat(n.root)
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return volatileInfo{name: filepath.Base(name), size: n.size, vattr: n.vattr}, nil
}
