package faultfs

import (
	"errors"
	"os"
	"sync"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// file is an open file of an FS.
type file struct {
	afero.File // the file below
	fs         *FS
	name       string // as it was opened
	flag       int    // as it was opened
	inode      *inode

	mu     sync.Mutex
	unlock func() // gives back the lock that TryLock took; nil without one
	closed bool

	// isDir is asked by the first sync of a file that is open for reading only:
	// a directory cannot be open for more, and asking costs a call below.
	isDir func() bool
}

func newFile(fs *FS, below afero.File, name string, flag int, node *inode) *file {
	return &file{File: below, fs: fs, name: name, flag: flag, inode: node,
		isDir: sync.OnceValue(func() bool {
			info, err := below.Stat()
			return err == nil && info.IsDir()
		})}
}

// Read is an OpRead.
func (f *file) Read(p []byte) (int, error) {
	return f.read(p, transfer{below: f.File.Read, start: f.cursor, cursor: true})
}

// ReadAt is an OpRead.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	return f.read(p, transfer{start: at(off), below: func(p []byte) (int, error) { return f.File.ReadAt(p, off) }})
}

// Seek is an OpSeek.
func (f *file) Seek(offset int64, whence int) (int64, error) {
	return value(f.fs, OpSeek, func() (int64, error) { return f.File.Seek(offset, whence) }, f.name)
}

// Write is an OpWrite.
func (f *file) Write(p []byte) (int, error) {
	return f.write(p, transfer{below: f.File.Write, start: f.position, cursor: true})
}

// WriteString is an OpWrite.
func (f *file) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// WriteAt is an OpWrite.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	return f.write(p, transfer{start: at(off), below: func(p []byte) (int, error) { return f.File.WriteAt(p, off) }})
}

// Truncate is an OpTruncate.
func (f *file) Truncate(size int64) error {
	return f.fs.run(OpTruncate, func() error {
		return f.resize(OpTruncate, size, func() error { return f.File.Truncate(size) })
	}, f.name)
}

// Preallocate is an OpPreallocate.
func (f *file) Preallocate(size int64) error {
	return f.fs.run(OpPreallocate, func() error {
		return f.resize(OpPreallocate, size, func() error { return vfs.Preallocate(f.File, size) })
	}, f.name)
}

// Sync is an OpSync, or an OpSyncDir when the file is a directory.
func (f *file) Sync() error {
	c := call{op: OpSync, names: []string{f.name}, node: f.inode}
	if f.flag&(os.O_WRONLY|os.O_RDWR) == 0 && f.isDir() {
		c.op = OpSyncDir
		return f.fs.sync(c, f.File.Sync, func(p Personality) error { return f.fs.failDir(f.fs.nameOf(f.inode), p) })
	}
	return f.fs.sync(c, f.File.Sync, f.fail)
}

// SyncData is an OpSync.
func (f *file) SyncData() error {
	return f.fs.sync(call{op: OpSync, names: []string{f.name}, node: f.inode},
		func() error { return vfs.SyncData(f.File) }, f.fail)
}

// Stat is an OpStat.
func (f *file) Stat() (os.FileInfo, error) {
	return value(f.fs, OpStat, f.File.Stat, f.name)
}

// Readdir is an OpList.
func (f *file) Readdir(count int) ([]os.FileInfo, error) {
	return value(f.fs, OpList, func() ([]os.FileInfo, error) { return f.File.Readdir(count) }, f.name)
}

// Readdirnames is an OpList.
func (f *file) Readdirnames(n int) ([]string, error) {
	return value(f.fs, OpList, func() ([]string, error) { return f.File.Readdirnames(n) }, f.name)
}

// OverlapsSafely reports whether ReadAt and WriteAt may overlap, as the file
// below says. It is not a call that a rule could strike.
func (f *file) OverlapsSafely() bool { return vfs.OverlapsSafely(f.File) }

// TryLock is an OpLock. The lock is the one of the file below, so that it also
// keeps out those who do not come through this file system.
func (f *file) TryLock() error {
	return f.fs.run(OpLock, func() error {
		unlock, err := vfs.TryLock(f.fs.base, f.File, f.name)
		if err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.unlock = unlock
		return nil
	}, f.name)
}

// Close is an OpClose. It closes the file below, and gives back its lock, even
// when a rule makes it fail: a file that cannot be closed would leak.
func (f *file) Close() error {
	o := f.fs.strike(call{op: OpClose, names: []string{f.name}})
	struck := o.before()
	err := f.release()
	if struck != nil && (err == nil || errors.Is(struck, vfs.ErrCrashed)) {
		return struck
	}
	err, _ = o.afterwards(err)
	return err
}

func (f *file) release() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.File.Close() // for the error that the file system below gives
	}
	f.closed = true
	err := f.fs.closeCharged(f)
	if f.unlock != nil {
		f.unlock()
	}
	return err
}
