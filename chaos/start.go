package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// launch starts the next incarnation of the server over the campaign's data directory, for the fault
// whose turn it is in the next cycle.
func (c *campaign) launch() (*process, error) {
	c.starts++
	turn := int(c.cycle.Load()) % len(c.cfg.Faults)
	fault := c.cfg.Faults[turn]
	argv := append(slices.Clone(c.cfg.Server),
		"--data", c.work.dataDir, "--addr", "127.0.0.1:0", "--sync", c.cfg.Sync, "--log-format", "json")
	argv = append(argv, c.testingFlags(fault)...)
	if err := c.work.forgetPending(); err != nil {
		return nil, err
	}
	p, err := startProcess(argv, c.cfg.Env, c.work.logFile(c.starts), fault.layered())
	if err != nil {
		return nil, err
	}
	p.turn, p.fault, p.layered = turn, fault, fault.layered()
	return p, nil
}

// testingFlags are what a server is started with in addition for a fault; see [Config.Server].
func (c *campaign) testingFlags(fault Fault) []string {
	if !fault.layered() {
		return nil
	}
	flags := []string{
		"--testing", "--testing-volatile", "--testing-pending", c.work.pendingFile, "--testing-control",
	}
	if fault.Kind == FaultPower {
		flags = append(flags, "--testing-rules", c.cfg.Control.diskRules())
	}
	return flags
}

// firstStart starts the server over nothing. If that fails, there was no promise to break yet: the
// error is about how the campaign was set up.
func (c *campaign) firstStart(ctx context.Context) (*process, error) {
	p, err := c.launch()
	if err != nil {
		return nil, err
	}
	if err = c.awaitServing(ctx, p); err == nil {
		return p, nil
	}
	c.end(p)
	if errors.Is(err, errInterrupted) {
		return nil, err
	}
	return nil, fmt.Errorf("first start of %s: %s: %s",
		c.cfg.Server[0], err.Error(), strings.Join(p.log.lastLines(), " | "))
}

// restart starts the server after a kill and waits until it serves. Some restarts are killed on the
// way, as the plan says, and tried again.
func (c *campaign) restart(ctx context.Context) (*process, error) {
	for {
		p, err := c.launch()
		if err != nil {
			return nil, err
		}
		if after, kill := c.plan.inRecovery(c.lastRecovery); kill {
			killed, err := c.killInRecovery(ctx, p, after)
			if err != nil {
				c.end(p)
				return nil, err
			}
			if killed {
				continue
			}
		}
		if err := c.awaitServing(ctx, p); err != nil {
			c.end(p)
			return nil, err
		}
		_, servingAt, _ := p.log.start()
		c.recoveries = append(c.recoveries, servingAt.Sub(p.started))
		return p, nil
	}
}

// killInRecovery kills p some time after it said that it recovers, unless it serves before that. It
// reports whether the kill ended p; only then, and after an error, it is reaped.
func (c *campaign) killInRecovery(ctx context.Context, p *process, after time.Duration) (bool, error) {
	select {
	case <-p.log.recovering:
	case <-p.log.serving:
	case <-p.done:
	case <-ctx.Done():
	case <-time.After(c.cfg.StartTimeout):
		return false, nil
	}
	select {
	case <-time.After(after):
	case <-p.log.serving:
		return false, nil
	case <-p.done:
		return false, nil
	case <-ctx.Done():
		return false, nil
	}
	err := c.strike(ctx, p)
	c.end(p)
	if err != nil || p.quit() {
		return false, err
	}
	c.kills.Add(1)
	inRecovery := p.log.endsInRecovery()
	if inRecovery {
		c.report.KillsDuringRecovery++
		c.report.Faults[p.turn].KillsDuringRecovery++
	}
	return true, c.countCut(p, inRecovery)
}

// startTimeout is how long a server may take to serve. A store that grows takes longer to recover:
// ten times the last recovery is no reason yet to call it lost.
func (c *campaign) startTimeout() time.Duration {
	return max(c.cfg.StartTimeout, 10*c.lastRecovery)
}

// awaitServing returns once p serves. The error is a *serverError, or errInterrupted.
func (c *campaign) awaitServing(ctx context.Context, p *process) error {
	select {
	case <-p.log.serving:
	case <-p.done:
		return &serverError{what: "the server did not start: it ended with " + p.ending(), log: p.log, refused: true}
	case <-time.After(c.startTimeout()):
		return &serverError{what: fmt.Sprintf("the server did not serve within %v", c.startTimeout()), log: p.log}
	case <-ctx.Done():
		return errInterrupted
	}
	if recoveringAt, servingAt, _ := p.log.start(); !recoveringAt.IsZero() {
		c.lastRecovery = servingAt.Sub(recoveringAt)
	}
	return nil
}
