package faultfs

import (
	iofs "io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// PathError is the type of every injected error; its Err is a syscall.Errno, or
// [ErrCrashed] once the power is cut. Where the file system below could not do
// what a failed sync or a crash asked of it, its error is joined to that. A call
// that falls short reports what the io package has for it.
type PathError = iofs.PathError

// FS is an afero.Fs that passes every call on to the file system below, except
// those that a rule strikes. With no rules it behaves as the one below does. It
// and its files are as safe for concurrent use as the file system below is.
type FS struct {
	base afero.Fs

	// space is held by each call that may allocate while a quota is in force,
	// so that the room that it saw is the room that it takes. Lock order:
	// file.mu, space, mu. No call below is made while mu is held.
	space sync.Mutex

	mu     sync.Mutex
	active []*Injection // in order of injection
	all    []*Injection // the active and the removed
	trace  Trace
	inodes inodeTable

	onCall atomic.Pointer[func(Call)]

	// What rules leave behind; guarded by mu.
	aborted bool // every call that would change anything fails with EROFS
	crashed bool // every call fails
	onCrash func(vfs.Lost)
}

var (
	_ afero.Fs         = (*FS)(nil)
	_ afero.Lstater    = (*FS)(nil)
	_ vfs.DirSyncer    = (*FS)(nil)
	_ afero.File       = (*file)(nil)
	_ vfs.DataSyncer   = (*file)(nil)
	_ vfs.Preallocator = (*file)(nil)
	_ vfs.Locker       = (*file)(nil)
)

// New wraps base and injects the rules. It panics when Check refuses one.
func New(base afero.Fs, rules ...Rule) *FS {
	fs := &FS{base: base, inodes: inodeTable{}}
	for _, r := range rules {
		fs.Inject(r)
	}
	return fs
}

// Inject adds a rule, which starts to count now. It panics when Check refuses
// the rule; ask Check first about rules that come from outside.
func (fs *FS) Inject(r Rule) *Injection {
	if err := fs.Check(r); err != nil {
		panic(err)
	}
	inj := &Injection{fs: fs, rule: r, quota: newQuota(r), gate: make(chan struct{})}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.active = append(fs.active, inj)
	fs.all = append(fs.all, inj)
	return inj
}

// run makes one call about the named files unless a rule strikes it.
func (fs *FS) run(op Op, below func() error, names ...string) error {
	_, err := value(fs, op, func() (struct{}, error) { return struct{}{}, below() }, names...)
	return err
}

// value is run for a call that returns something. A struck call returns the
// zero value, even when it had its effect.
func value[T any](fs *FS, op Op, below func() (T, error), names ...string) (T, error) {
	var none T
	o := fs.strike(call{op: op, names: names})
	if err := o.before(); err != nil {
		return none, err
	}
	v, err := below()
	err, struck := o.afterwards(err)
	if struck {
		return none, err
	}
	return v, err
}

// Name returns the name of the file system below in "faultfs(…)".
func (fs *FS) Name() string { return "faultfs(" + fs.base.Name() + ")" }

// Create is an OpCreate.
func (fs *FS) Create(name string) (afero.File, error) {
	const flag = os.O_RDWR | os.O_CREATE | os.O_TRUNC
	return fs.open(OpCreate, name, flag, func() (afero.File, error) { return fs.base.Create(name) })
}

// Open is an OpOpen.
func (fs *FS) Open(name string) (afero.File, error) {
	return fs.open(OpOpen, name, os.O_RDONLY, func() (afero.File, error) { return fs.base.Open(name) })
}

// OpenFile is an OpCreate when flag has os.O_CREATE, else an OpOpen.
func (fs *FS) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	op := OpOpen
	if flag&os.O_CREATE != 0 {
		op = OpCreate
	}
	return fs.open(op, name, flag, func() (afero.File, error) { return fs.base.OpenFile(name, flag, perm) })
}

func (fs *FS) open(op Op, name string, flag int, below func() (afero.File, error)) (afero.File, error) {
	writes := flag&(os.O_WRONLY|os.O_RDWR|os.O_TRUNC) != 0
	o := fs.strike(call{op: op, names: []string{name}, opens: writes})
	if err := o.before(); err != nil {
		return nil, err
	}
	f, err := fs.openCharged(op, name, flag, below)
	opened := err == nil
	if err, _ = o.afterwards(err); err == nil {
		return f, nil
	}
	if opened {
		_ = f.release() // the caller never learns that it was open
	}
	return nil, err
}

// Mkdir is an OpMkdir.
func (fs *FS) Mkdir(name string, perm os.FileMode) error {
	return fs.mkdir(name, func() error { return fs.base.Mkdir(name, perm) })
}

// MkdirAll is one OpMkdir, about the last directory of the path.
func (fs *FS) MkdirAll(name string, perm os.FileMode) error {
	return fs.mkdir(name, func() error { return fs.base.MkdirAll(name, perm) })
}

func (fs *FS) mkdir(name string, below func() error) error {
	return fs.run(OpMkdir, func() error { return fs.makeEntry(OpMkdir, name, below) }, name)
}

// Remove is an OpRemove.
func (fs *FS) Remove(name string) error {
	return fs.run(OpRemove, func() error {
		return fs.unlink(name, func() error { return fs.base.Remove(name) })
	}, name)
}

// RemoveAll is one OpRemove, about the given path.
func (fs *FS) RemoveAll(name string) error {
	return fs.run(OpRemove, func() error {
		return fs.unlink(name, func() error { return fs.base.RemoveAll(name) })
	}, name)
}

// Rename is an OpRename, matched by either name.
func (fs *FS) Rename(oldname, newname string) error {
	return fs.run(OpRename, func() error { return fs.rename(oldname, newname) }, oldname, newname)
}

// Stat is an OpStat.
func (fs *FS) Stat(name string) (os.FileInfo, error) {
	return value(fs, OpStat, func() (os.FileInfo, error) { return fs.base.Stat(name) }, name)
}

// LstatIfPossible is an OpStat. It reports whether the file system below could
// avoid following a link.
func (fs *FS) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	lstat := false
	info, err := value(fs, OpStat, func() (info os.FileInfo, err error) {
		if l, ok := fs.base.(afero.Lstater); ok {
			info, lstat, err = l.LstatIfPossible(name)
			return info, err
		}
		return fs.base.Stat(name)
	}, name)
	return info, lstat, err
}

// SyncDir is an OpSyncDir.
func (fs *FS) SyncDir(dir string) error {
	return fs.sync(call{op: OpSyncDir, names: []string{dir}},
		func() error { return vfs.SyncDir(fs.base, dir) },
		func(p Personality) error { return fs.failDir(dir, p) })
}

// Chmod is an OpAttr.
func (fs *FS) Chmod(name string, mode os.FileMode) error {
	return fs.run(OpAttr, func() error { return fs.base.Chmod(name, mode) }, name)
}

// Chown is an OpAttr.
func (fs *FS) Chown(name string, uid, gid int) error {
	return fs.run(OpAttr, func() error { return fs.base.Chown(name, uid, gid) }, name)
}

// Chtimes is an OpAttr.
func (fs *FS) Chtimes(name string, atime, mtime time.Time) error {
	return fs.run(OpAttr, func() error { return fs.base.Chtimes(name, atime, mtime) }, name)
}
