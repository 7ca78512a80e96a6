//go:build unix

package testdisk

import (
	"os"
	"syscall"
)

// endProcess ends this process as if somebody had sent it SIGKILL: nothing is closed or flushed, and
// no handler runs.
func endProcess() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // until the signal arrives
}
