package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncOSData calls fdatasync, which skips the inode's timestamps but not its
// size: a grown file is as long after a crash as its synced data.
func syncOSData(f *os.File) error {
	return onDescriptor(f, "fdatasync", unix.Fdatasync)
}

// preallocateOS calls fallocate. It returns an error that is
// errors.ErrUnsupported on a file system that cannot reserve space.
func preallocateOS(f *os.File, size int64) error {
	return onDescriptor(f, "fallocate", func(fd int) error {
		err := unix.Fallocate(fd, 0, 0, size)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
			return errors.ErrUnsupported
		}
		return err
	})
}

// onDescriptor runs call on the descriptor of f, again when a signal
// interrupts it, and names what failed on which file.
func onDescriptor(f *os.File, op string, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = raw.Control(func(fd uintptr) {
		for {
			callErr = call(int(fd))
			if !errors.Is(callErr, unix.EINTR) {
				return
			}
		}
	})
	if err == nil {
		err = callErr
	}
	if err != nil {
		return &os.PathError{Op: op, Path: f.Name(), Err: err}
	}
	return nil
}
