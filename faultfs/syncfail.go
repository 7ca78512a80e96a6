package faultfs

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"holdfast/internal/vfs"
)

// Personality says how storage behaves after a sync that failed.
type Personality = vfs.Personality

// The personalities. The first two need a file system below that can fail a
// sync itself; the others work on any.
const (
	PagesClean     = vfs.PagesClean         // ext4, xfs: the cache shows the new data, the disk has the old, the next sync says ok
	CacheReverted  = vfs.CacheReverted      // btrfs: the cache goes back to what the disk has
	ErrorLate      = Personality("late")    // this sync says ok and did nothing; the next of that file fails
	JournalAborted = Personality("aborted") // from then on every call that would change anything fails with EROFS
)

var personalities = []Personality{PagesClean, CacheReverted, ErrorLate, JournalAborted}

// sync makes one call that syncs a file or a directory. When it fails without
// effect, fail tells the file system below, if that can be told.
func (fs *FS) sync(c call, below func() error, fail func(Personality) error) error {
	o := fs.strike(c)
	switch r := o.rule; {
	case o.owed:
		return errors.Join(o.refused, fail(PagesClean))
	case o.refused != nil || r == nil || r.After || r.Crash:
	case r.Lost:
		return nil
	case r.Personality == ErrorLate:
		fs.owe(c, r.Err)
		return nil
	case r.Personality == CacheReverted:
		return errors.Join(o.before(), fail(CacheReverted))
	default:
		if r.Personality == JournalAborted {
			fs.abort()
		}
		return errors.Join(o.before(), fail(PagesClean))
	}
	if err := o.before(); err != nil {
		return err
	}
	err, _ := o.afterwards(below())
	return err
}

// fail makes the pending data of the file suffer a failed sync, as far as the
// file below can.
func (f *file) fail(p Personality) error {
	s, ok := f.File.(vfs.SyncFailer)
	if !ok {
		return nil
	}
	return noteFailing(f.name, s.FailSync(p))
}

// failDir is fail for the entries of a directory.
func (fs *FS) failDir(dir string, p Personality) error {
	s, ok := fs.base.(vfs.DirSyncFailer)
	if !ok {
		return nil
	}
	return noteFailing(dir, s.FailSyncDir(dir, p))
}

func noteFailing(name string, err error) error {
	if err != nil {
		return fmt.Errorf("letting the sync of %s fail below: %w", name, err)
	}
	return nil
}

func (fs *FS) abort() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.aborted = true
}

// owe notes that the next sync of what c is about fails.
func (fs *FS) owe(c call, errno syscall.Errno) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	node := c.node
	if node == nil {
		node = fs.inodes.get(c.names[0])
	}
	node.late = errno
}

// collect returns the error that a former sync owes to this one, or zero. The
// caller holds fs.mu.
func (fs *FS) collect(c call) syscall.Errno {
	node := c.node
	if node == nil {
		node = fs.inodes[filepath.Clean(c.names[0])]
	}
	if node == nil || node.late == 0 {
		return 0
	}
	errno := node.late
	node.late = 0
	fs.inodes.drop(node)
	return errno
}
