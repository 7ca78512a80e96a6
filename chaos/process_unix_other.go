//go:build unix && !linux

package chaos

import "syscall"

// ownGroup cannot ask for the server's death with ours: these systems have no such signal.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
