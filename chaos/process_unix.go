//go:build unix

package chaos

import (
	"os"
	"syscall"
)

// killGroup kills the process group that p leads, so that a server behind a wrapper dies too.
func killGroup(p *os.Process) {
	if syscall.Kill(-p.Pid, syscall.SIGKILL) != nil {
		_ = p.Kill() // fails only when it is gone already, and then there is nothing to do
	}
}

// endedByItself is false for a process that a signal ended.
func endedByItself(s *os.ProcessState) bool { return s.Exited() }
