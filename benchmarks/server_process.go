package benchmarks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// serverProcess is a server that the benchmark started, in a directory of its
// own. It has ended, and its directory is gone, once stop has returned.
type serverProcess struct {
	addr string
	dir  string
	log  serverLog
	cmd  *exec.Cmd
	done chan struct{} // closed once the process is reaped and its log complete
	err  error         // how it ended; valid once done is closed
}

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second // longer than a server takes to drain
	logTimeout   = 5 * time.Second  // for whoever still holds the log of a server that has ended
)

// startServer returns once the server serves.
func startServer(ctx context.Context, cfg ServerConfig) (*serverProcess, error) {
	dir, err := os.MkdirTemp(cfg.TempDir, "holdfast-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the server: %w", err)
	}
	p := &serverProcess{dir: dir, log: serverLog{serving: make(chan string, 1)}, done: make(chan struct{})}
	argv := append(slices.Clone(cfg.Server),
		"--data", filepath.Join(dir, "data"), "--addr", "127.0.0.1:0", "--log-format", "json")
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append(environment(), cfg.Env...)
	p.cmd.Stderr = &p.log
	p.cmd.WaitDelay = logTimeout
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the server: %w", err), os.RemoveAll(dir))
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	if err := p.await(ctx); err != nil {
		p.kill()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

// await waits until the server says where it serves.
func (p *serverProcess) await(ctx context.Context) error {
	select {
	case p.addr = <-p.log.serving:
		return nil
	case <-p.done:
		return fmt.Errorf("the server did not start: %s: %s", p.cmd.ProcessState, p.log.lastLines())
	case <-time.After(startTimeout):
		return fmt.Errorf("the server did not serve within %v", startTimeout)
	case <-ctx.Done():
		return fmt.Errorf("waiting for the server: %w", context.Cause(ctx))
	}
}

// stop asks the server to drain and end, and removes its directory. A server
// that has ended before, or ends badly, is an error: what it was measured doing
// may not have happened.
func (p *serverProcess) stop() error {
	err := p.end()
	p.kill()
	return errors.Join(err, os.RemoveAll(p.dir))
}

func (p *serverProcess) end() error {
	select {
	case <-p.done:
		return fmt.Errorf("the server ended during the benchmark: %s: %s", p.cmd.ProcessState, p.log.lastLines())
	default:
	}
	if runtime.GOOS == "windows" {
		return nil // there is no signal to ask with: it is killed
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("asking the server to stop: %w", err)
	}
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		return fmt.Errorf("the server did not stop within %v, and was killed", stopTimeout)
	}
	if p.err != nil {
		return fmt.Errorf("the server stopped with %w: %s", p.err, p.log.lastLines())
	}
	return nil
}

// kill ends the process at once and waits until it is reaped.
func (p *serverProcess) kill() {
	_ = p.cmd.Process.Kill() // fails only when it is gone, and then there is nothing to do
	<-p.done
}

// serverLog takes the log of a server and picks out where it serves.
type serverLog struct {
	serving chan string // receives the address, once

	mu      sync.Mutex
	partial []byte   // of the line that is not complete yet
	tail    []string // the last lines
	found   bool     // serving has received
}

const (
	tailLines    = 10
	maxLineBytes = 64 << 10 // longer lines are cut
)

// Write takes the next piece of the log, cut anywhere. It never fails: a server
// must not stumble over whoever reads its log.
func (l *serverLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := b
	for {
		line, after, complete := bytes.Cut(rest, []byte("\n"))
		l.partial = append(l.partial, line[:min(len(line), maxLineBytes-len(l.partial))]...)
		if !complete {
			return len(b), nil
		}
		l.line(l.partial)
		l.partial, rest = l.partial[:0], after
	}
}

func (l *serverLog) line(line []byte) {
	l.tail = append(l.tail[max(0, len(l.tail)-tailLines+1):], string(line))
	var said struct{ Msg, Addr string }
	if json.Unmarshal(line, &said) == nil && said.Msg == "serving" && !l.found {
		l.found = true
		l.serving <- said.Addr // there is room
	}
}

func (l *serverLog) lastLines() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.tail, " | ")
}

// environment is this process's, without the settings that are meant for a server of the user's own.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "HOLDFAST_")
	})
}
