// Package vfs asks an afero file system for what afero's interface lacks:
// data-only sync, preallocation, advisory locking and directory sync.
//
// Each is a small optional interface. A file or file system that implements it
// is asked first; an operating-system file is served by the system call; what
// is left gets the honest fallback named at each function, which may be slower
// but never promises more than it does. Wrappers that inject faults implement
// the interfaces and delegate with the same functions, so that code under test
// takes the path that it takes in production.
package vfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/afero"
)

// DataSyncer is implemented by an afero.File that can make its data, and the
// metadata needed to read that data back, durable without writing the rest of
// its metadata, as fdatasync(2) does.
type DataSyncer interface {
	SyncData() error
}

// Preallocator is implemented by an afero.File that can reserve space.
type Preallocator interface {
	// Preallocate makes the file at least size bytes long, reserves the
	// space, and leaves existing bytes as they are; new space reads as zeros.
	Preallocate(size int64) error
}

// Locker is implemented by an afero.File that can be locked for one owner.
type Locker interface {
	// TryLock takes an exclusive advisory lock that is held until the file is
	// closed or its process ends. It does not wait: it returns an error that
	// is ErrLocked when another open file, in any process, holds the lock.
	TryLock() error
}

// DirSyncer is implemented by an afero.Fs that can make the entries of a
// directory durable.
type DirSyncer interface {
	SyncDir(dir string) error
}

// ErrLocked is returned by TryLock when somebody else holds the lock.
var ErrLocked = errors.New("locked by another owner")

// SyncData makes the data of f durable. The fallback is f.Sync, which syncs
// all metadata too.
func SyncData(f afero.File) error {
	if s, ok := f.(DataSyncer); ok {
		return s.SyncData()
	}
	if osf := osFile(f); osf != nil {
		return syncOSData(osf)
	}
	return f.Sync()
}

// Preallocate makes f at least size bytes long with zeros that are backed by
// reserved space. The fallback only sets the size: a later write into the file
// may then still find the disk full.
func Preallocate(f afero.File, size int64) error {
	if p, ok := f.(Preallocator); ok {
		return p.Preallocate(size)
	}
	if osf := osFile(f); osf != nil {
		err := preallocateOS(osf, size)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return grow(f, size)
}

func grow(f afero.File, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() >= size {
		return nil
	}
	return f.Truncate(size)
}

// SyncDir makes the entries of dir durable: the names in it, not the contents
// of the files behind them. The fallback opens the directory and syncs the
// handle. Windows offers no such call; there the file system's own journal
// must do, and SyncDir does nothing.
func SyncDir(fsys afero.Fs, dir string) error {
	if s, ok := fsys.(DirSyncer); ok {
		return s.SyncDir(dir)
	}
	if _, ok := fsys.(*afero.OsFs); ok && !dirSyncSupported {
		return nil
	}
	d, err := fsys.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the directory to sync it: %w", err)
	}
	err = d.Sync()
	// The handle was only read through, so a failing close says nothing of
	// the entries.
	_ = d.Close()
	return err
}

// osFile returns the operating-system file behind f, or nil.
func osFile(f afero.File) *os.File {
	switch f := f.(type) {
	case *os.File:
		return f
	case *afero.BasePathFile:
		return osFile(f.File)
	}
	return nil
}
