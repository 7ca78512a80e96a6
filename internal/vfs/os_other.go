//go:build !linux

package vfs

import (
	"errors"
	"os"
)

// syncOSData uses the full sync: on macOS os.File.Sync is F_FULLFSYNC, the
// only call there that empties the drive's cache too.
func syncOSData(f *os.File) error { return f.Sync() }

func preallocateOS(*os.File, int64) error { return errors.ErrUnsupported }
