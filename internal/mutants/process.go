package mutants

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// command is a process to run.
type command struct {
	dir   string
	name  string
	args  []string
	env   []string // beside this process's own
	out   io.Writer
	limit time.Duration  // zero: none
	cpu   *time.Duration // what it and its children used is added here; may be nil
}

// killedAtLimit is the exit code of a process that was killed at its limit.
const killedAtLimit = -1

// execute runs a process with all that it starts, and returns its exit code.
// When ctx ends, or the limit is reached, the whole process group is killed: a
// compiler or a test that hangs must not stay behind.
func execute(ctx context.Context, c command) (code int, err error) {
	limited := ctx
	if c.limit > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, c.limit)
		defer cancel()
	}
	cmd := exec.CommandContext(limited, c.name, c.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, c.out, c.out
	cmd.Env = append(os.Environ(), c.env...)
	inGroupOfItsOwn(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = time.Second // for a grandchild that holds the pipe
	err = cmd.Run()
	if c.cpu != nil && cmd.ProcessState != nil {
		*c.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case limited.Err() != nil:
		return killedAtLimit, nil
	case errors.As(err, &exit):
		return max(1, exit.ExitCode()), nil // -1 of a signal, too
	case err != nil:
		return 0, fmt.Errorf("running %s: %w", c.name, err)
	}
	return 0, nil
}
