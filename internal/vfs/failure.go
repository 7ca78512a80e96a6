package vfs

import "errors"

// Personality says how storage behaves after a sync that failed (faults.md §2).
type Personality string

const (
	PagesClean    Personality = "clean"    // ext4, xfs: covered pages are clean, the cache shows the new data, the disk has the old, the next sync says ok
	CacheReverted Personality = "reverted" // btrfs: the cache goes back to the last durable content
) // (two more personalities, "late" and "aborted", need no help from below: the rules do them)

// SyncFailer is implemented by an afero.File whose pending data can be made to suffer a failed sync.
type SyncFailer interface{ FailSync(p Personality) error }

// DirSyncFailer is implemented by an afero.Fs, the same for the entries of a directory.
type DirSyncFailer interface {
	FailSyncDir(dir string, p Personality) error
}

// Crasher is implemented by an afero.Fs that can lose power. keep "" or "nothing": only synced data survives.
type Crasher interface {
	Crash(seed uint64, keep string) (lost Lost, err error)
}

// Lost is what was pending at a power cut (bytes of un-synced data and sizes, directory entries) and did not survive it.
type Lost struct{ Bytes, Entries int64 }

var ErrCrashed = errors.New("the power is cut") // every call after a crash
