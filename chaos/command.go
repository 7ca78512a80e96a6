package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/internal/testdisk"
)

// commandGrace is how long a server may take to answer a command.
const commandGrace = 20 * time.Second

// errGone is returned for a command that the server ended on, or before.
var errGone = errors.New("the server is gone")

// say sends a command to p.
func (p *process) say(command string) error {
	if _, err := io.WriteString(p.stdin, command+"\n"); err != nil {
		return fmt.Errorf("command %q to the server: %w", command, err)
	}
	return nil
}

// command sends a command to p and returns the answer. The error is errGone if p ended, and otherwise
// about a server that does not do what it must for this campaign.
func (p *process) command(ctx context.Context, command string) (testdisk.Line, error) {
	if err := p.say(command); err != nil {
		return testdisk.Line{}, p.ifGone(err)
	}
	select {
	case line := <-p.log.answers:
		if line.Error != "" {
			return line, fmt.Errorf("the server refuses the command %q: %s", command, line.Error)
		}
		return line, nil
	case <-p.done:
		return testdisk.Line{}, errGone
	case <-time.After(commandGrace):
		return testdisk.Line{}, fmt.Errorf("the server did not answer the command %q within %v", command, commandGrace)
	case <-ctx.Done():
		return testdisk.Line{}, errInterrupted
	}
}

// ifGone waits a moment for the end of p, which would explain err.
func (p *process) ifGone(err error) error {
	select {
	case <-p.done:
		return errGone
	case <-time.After(drainGrace):
		return err
	}
}
