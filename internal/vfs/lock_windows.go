package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const dirSyncSupported = false

// lockOS uses LockFileEx, whose lock belongs to the handle: it keeps out a
// second owner in this process as well, and dies with the process.
func lockOS(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	if err != nil {
		return &os.PathError{Op: "LockFileEx", Path: f.Name(), Err: err}
	}
	return nil
}
