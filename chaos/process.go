package chaos

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// drainGrace is how long a dead server's log is read on when something still holds it open.
const drainGrace = 5 * time.Second

// process is one incarnation of the server. It is killed, never asked to stop.
type process struct {
	log     *serverLog
	started time.Time

	turn    int   // index of its fault in Config.Faults
	fault   Fault // what it is started for
	layered bool  // it runs on the volatile layer
	blow    blow  // how it lost power; valid if layered, once it was struck

	stdin  io.Writer // for commands; nil: it takes none
	cmd    *exec.Cmd
	done   chan struct{} // closed once the process is reaped and its log is complete
	logErr error         // of writing the log; valid once done is closed
}

// startProcess runs argv with env added to environment(), in a process group of its own
// so that a Ctrl-C meant for us does not reach it. Both its outputs go to the file logFile. It gets
// a standard input if it is to take commands.
//
// Where the system can do it (Linux), the server dies with us, however we die. That signal is bound
// to the thread that starts the process, so one goroutine keeps its thread until the end.
func startProcess(argv, env []string, logFile string, commands bool) (*process, error) {
	log, err := newServerLog(logFile)
	if err != nil {
		return nil, err
	}
	p := &process{log: log, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Env = append(environment(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.WaitDelay = drainGrace
	p.cmd.SysProcAttr = ownGroup()
	if commands {
		if p.stdin, err = p.cmd.StdinPipe(); err != nil {
			return nil, errors.Join(fmt.Errorf("make the server's input: %w", err), log.Close())
		}
	}
	began := make(chan error)
	go p.live(began)
	if err := <-began; err != nil {
		return nil, errors.Join(fmt.Errorf("start the server: %w", err), log.Close())
	}
	return p, nil
}

func (p *process) live(began chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.started = time.Now()
	err := p.cmd.Start()
	began <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // how it ended is in ProcessState
	p.logErr = p.log.Close()
	close(p.done)
}

// kill ends the process, and whatever it started, at once: SIGKILL, or what the system has of the
// kind. It does not wait for the end; for a process that is gone it does nothing.
func (p *process) kill() {
	select {
	case <-p.done:
	default:
		killGroup(p.cmd.Process)
	}
}

// killAndWait returns once the process is reaped and its log complete.
func (p *process) killAndWait() {
	p.kill()
	<-p.done
}

// exited reports whether the process is gone.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// quit reports whether the process, which must be gone, ended by itself: not by a kill, nor with the
// power of its disk.
func (p *process) quit() bool {
	_, powerCut := p.log.powerCut()
	return !powerCut && endedByItself(p.cmd.ProcessState)
}

// ending says how the process, which must be gone, ended: "exit status 6".
func (p *process) ending() string { return p.cmd.ProcessState.String() }

// environment is this process's, without the settings that are meant for a server of the user's own.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "HOLDFAST_")
	})
}
