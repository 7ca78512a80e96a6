package vfs

import "errors"

// Personality says how storage behaves after a sync that failed.
type Personality string

const (
	// PagesClean is how ext4 and xfs behave: what the sync covered counts as
	// written, the cache shows the new data, the disk has the old, and the
	// next sync reports success.
	PagesClean Personality = "clean"

	// CacheReverted is how btrfs behaves: the cache goes back to the last
	// durable content.
	CacheReverted Personality = "reverted"
)

// SyncFailer is implemented by an afero.File whose pending data can be made to
// suffer a failed sync.
type SyncFailer interface {
	// FailSync does to the pending data and size what a failed sync with this
	// personality does. Its error means that it could not, not that the sync
	// failed: whoever calls it reports the failed sync himself.
	FailSync(p Personality) error
}

// DirSyncFailer is implemented by an afero.Fs whose pending directory entries
// can be made to suffer a failed sync.
type DirSyncFailer interface {
	// FailSyncDir is FailSync for the entries of one directory.
	FailSyncDir(dir string, p Personality) error
}

// Crasher is implemented by an afero.Fs that can lose power.
type Crasher interface {
	// Crash cuts the power. With keep "" or "nothing" only synced data
	// survives; the implementation says what else keep may be. The result
	// depends on the seed and on what was pending, and on nothing else. Every
	// later call on the file system or its files returns ErrCrashed.
	Crash(seed uint64, keep string) (lost Lost, err error)
}

// Lost is what was pending at a power cut and did not survive it.
type Lost struct {
	Bytes   int64 `json:"bytes"`   // un-synced data and sizes
	Entries int64 `json:"entries"` // un-synced directory entries
}

// ErrCrashed is returned by every call on a file system after its power was
// cut.
var ErrCrashed = errors.New("the power is cut")
