package faultfs

import "syscall"

// errnos are the errors that storage reports, by the names that the grammar
// gives them. Names rather than numbers are printed: numbers differ from system
// to system.
var errnos = []struct {
	name  string
	errno syscall.Errno
}{
	{"EACCES", syscall.EACCES}, // permission lost
	{"EDQUOT", syscall.EDQUOT}, // the user's quota used up
	{"EINTR", syscall.EINTR},   // interrupted before anything was done
	{"EIO", syscall.EIO},       // the device failed
	{"EMFILE", syscall.EMFILE}, // out of file descriptors
	{"ENOMEM", syscall.ENOMEM}, // the kernel is out of memory
	{"ENOSPC", syscall.ENOSPC}, // the disk is full
	{"EPERM", syscall.EPERM},   // immutable, or not the owner
	{"EROFS", syscall.EROFS},   // gone read-only after an error
}

// errnoName returns the name of e, or "" for an errno outside the grammar.
func errnoName(e syscall.Errno) string {
	for _, known := range errnos {
		if known.errno == e {
			return known.name
		}
	}
	return ""
}

func errnoNamed(name string) (e syscall.Errno, ok bool) {
	for _, known := range errnos {
		if known.name == name {
			return known.errno, true
		}
	}
	return 0, false
}
