package faultfs

import (
	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// What afero's interface lacks, for those who implement it in a file system of their own, or call it
// on one of this package. Each is a small optional interface; the functions below ask for it and have
// an honest fallback.

// ErrCrashed is what every call on a file system returns, wrapped, once its power is cut. Find it with
// errors.Is.
var ErrCrashed = vfs.ErrCrashed

// ErrLocked is returned by [TryLock] when somebody else holds the lock.
var ErrLocked = vfs.ErrLocked

type (
	// Crasher is implemented by a file system that can lose its power; a [Volatile] can. Rules that
	// crash need one below them.
	Crasher = vfs.Crasher

	// DataSyncer is implemented by a file that can sync its data, and the size that goes with it,
	// without the rest of what describes the file.
	DataSyncer = vfs.DataSyncer

	// Preallocator is implemented by a file that can reserve space.
	Preallocator = vfs.Preallocator

	// Locker is implemented by a file that can be locked for one owner.
	Locker = vfs.Locker

	// DirSyncer is implemented by a file system that can sync the names in a directory.
	DirSyncer = vfs.DirSyncer

	// Positional is implemented by a file that knows whether its ReadAt and WriteAt may overlap.
	Positional = vfs.Positional

	// SyncFailer is implemented by a file that can be made to end up as after a failed sync, in
	// one of the personalities [PagesClean] and [CacheReverted].
	SyncFailer = vfs.SyncFailer

	// DirSyncFailer is implemented by a file system that can do the same to a directory. Its files
	// are taken to be SyncFailers.
	DirSyncFailer = vfs.DirSyncFailer
)

// SyncData makes the data of f durable, by its own means if it is a [DataSyncer] or a file of the
// operating system; else by f.Sync, which does more.
func SyncData(f afero.File) error { return vfs.SyncData(f) }

// SyncDir makes the names in dir durable, not the contents of the files there. A file system that is
// no [DirSyncer] has its directory opened and synced.
func SyncDir(fsys afero.Fs, dir string) error { return vfs.SyncDir(fsys, dir) }

// Preallocate makes f at least size bytes long, with zeros; it never shortens f. Where space cannot be
// reserved the size alone is set.
func Preallocate(f afero.File, size int64) error { return vfs.Preallocate(f, size) }

// TryLock locks f, the file called name on fsys, for one owner, and returns how to give it back. The
// error is [ErrLocked] when somebody else has it. A file that is no [Locker], nor one of the
// operating system, is locked within this process alone.
func TryLock(fsys afero.Fs, f afero.File, name string) (unlock func(), err error) {
	return vfs.TryLock(fsys, f, name)
}
