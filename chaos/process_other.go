//go:build !unix

package chaos

import (
	"os"
	"syscall"
)

// ownGroup does nothing here: there are no process groups as Unix knows them.
func ownGroup() *syscall.SysProcAttr { return nil }

// killGroup ends p alone; on Windows that is TerminateProcess, as sudden as SIGKILL.
func killGroup(p *os.Process) {
	_ = p.Kill() // fails only when it is gone already, and then there is nothing to do
}

// endedByItself goes by the exit status: Kill leaves 1, which a server can leave too, so that an exit
// with 1 in the very moment of a kill passes for the kill.
func endedByItself(s *os.ProcessState) bool { return s.ExitCode() != 1 }
