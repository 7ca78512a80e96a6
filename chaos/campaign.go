package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// campaign is one run. Its methods are called from one goroutine; what others touch is safe by
// itself: the ledger, the tally, the counters and the figures for the progress line.
type campaign struct {
	cfg     Config
	work    *workspace
	ledger  *ledger
	tally   tally
	counts  counters
	plan    *killPlan
	cuts    *cutPlan
	ruleRng *rand.Rand       // draws when rules are injected
	rules   map[int]*ruleUse // by the index of their fault
	writers []*writer
	readers []*reader

	began        time.Time
	starts       int           // of the server, so far
	lastRecovery time.Duration // from "recovering" to "serving", the last time that both were said
	recoveries   []time.Duration
	loadTime     time.Duration
	fencedBy     *ruleUse // the fault after which service was not back in time, so that a restart must bring it; nil: none
	logErr       error    // the first failure to keep the server's log
	strangers    map[string]bool
	report       Report

	// for the progress line
	cycle atomic.Int64
	kills atomic.Int64
}

// serverError is a failure of the server, as opposed to one of the campaign: the promise is broken.
type serverError struct {
	what    string
	log     *serverLog
	refused bool // it did not start over what a crash had left
}

func (e *serverError) Error() string { return e.what }

// errInterrupted ends a campaign whose context is done.
var errInterrupted = errors.New("interrupted")

// Run runs one campaign and returns what it found. It blocks until the campaign is over and every
// process and goroutine that it started is gone.
//
// A verdict of any kind comes with a nil error; the report says why. If ctx is done early, the report
// covers what was found until then and is inconclusive, or a fail if a breach was found. The error is
// for a campaign that could not be run, or whose report could not be stored: a faulty Config, a
// server that did not even start the first time, a directory that could not be written. The report
// is then inconclusive, or the one that could not be stored; it is nil only for a faulty Config or a
// workspace that could not be made.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	work, err := newWorkspace(&cfg)
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	c := newCampaign(cfg, work)
	quiet := c.showProgress()
	err = c.run(ctx)
	quiet()
	err = c.conclude(err)
	if err = errors.Join(err, c.logErr, work.finish(&c.report)); err != nil {
		err = fmt.Errorf("chaos: %w", err)
	}
	return &c.report, err
}

func newCampaign(cfg Config, work *workspace) *campaign {
	c := &campaign{
		cfg: cfg, work: work, began: time.Now(),
		ledger: newLedger(cfg.Seed, cfg.Keys, cfg.Writers),
		plan:   newKillPlan(cfg.Seed, cfg.KillEvery), strangers: map[string]bool{},
		cuts:    newCutPlan(cfg.Seed),
		ruleRng: stream(cfg.Seed, ruleStream, 0), rules: newRuleUses(cfg.Faults),
	}
	for _, f := range cfg.Faults {
		c.report.Faults = append(c.report.Faults, FaultReport{Fault: f.String()})
	}
	for i := range cfg.Writers {
		c.writers = append(c.writers, newWriter(&c.cfg, i))
	}
	for i := range cfg.Readers {
		c.readers = append(c.readers, newReader(&c.cfg, i))
	}
	return c
}

// run goes round: load, kill, restart, read back. The read-back comes before anything new is
// written, so that the next round starts from a settled state.
func (c *campaign) run(ctx context.Context) error {
	server, err := c.firstStart(ctx)
	if err != nil {
		return err
	}
	defer func() { c.end(server) }()
	// What is left after the last cycle is not worth a kill if it is much shorter than a cycle.
	for left := c.cfg.Duration; left > c.cfg.KillEvery/4 || c.cycle.Load() == 0; {
		c.cycle.Add(1)
		turn := server.turn
		c.fencedBy = nil
		if server, err = c.round(ctx, server, c.underLoad(ctx, server, min(left, c.plan.underLoad()))); err != nil {
			return err
		}
		if c.fencedBy != nil {
			if server, err = c.round(ctx, server, c.afterFence(ctx, server)); err != nil {
				return err
			}
		}
		c.report.Cycles++
		c.report.Faults[turn].Cycles++
		if c.cfg.mayLose() && c.tally.broken() > 0 {
			return nil // seen: that is all that a control is for
		}
		left = c.cfg.Duration - time.Since(c.began)
	}
	return nil
}

// round is load, the end of server, restart and read-back. It returns the next server, which is nil
// or gone after an error.
func (c *campaign) round(ctx context.Context, server *process, wait waitFunc) (*process, error) {
	if err := c.load(ctx, server, wait); err != nil {
		return server, err
	}
	server, err := c.restart(ctx)
	if err != nil {
		return nil, err
	}
	return server, c.readBack(ctx, server)
}

// waitFunc returns when the load of a phase has gone on for long enough.
type waitFunc func(p *phase) error

// underLoad is what goes on in an ordinary phase of a server: rules come and go, if it is started for
// that.
func (c *campaign) underLoad(ctx context.Context, server *process, during time.Duration) waitFunc {
	use := c.rules[server.turn]
	if use == nil {
		c.planBlow(server)
		if server.blow.dirSync > 0 {
			return func(p *phase) error { return c.cutAtDirSync(ctx, p, server, during) }
		}
		return func(*phase) error { return waitOutLoad(ctx, server, during) }
	}
	return func(p *phase) error { return c.injectUnderLoad(ctx, p, server, during) }
}

// afterFence is what goes on in the phase after a server had to be restarted to serve again.
func (c *campaign) afterFence(ctx context.Context, server *process) waitFunc {
	return func(p *phase) error { return c.proveService(ctx, p, server) }
}

// load runs the writers and readers until wait returns, and ends the server under them.
func (c *campaign) load(ctx context.Context, server *process, wait waitFunc) error {
	_, _, addr := server.log.start()
	cl, err := dial(addr)
	if err != nil {
		return &serverError{what: err.Error(), log: server.log}
	}
	defer cl.Close()
	p := c.newPhase(ctx, cl)
	p.trouble = c.troubleFor(server)
	begun := time.Now()
	done := p.start(ctx, c.workers())
	cause := wait(p)
	p.kill(func() {
		if struck := c.strike(ctx, server); cause == nil {
			cause = struck
		}
	})
	c.loadTime += p.killedAt.Load().Sub(begun)
	c.end(server)
	select {
	case <-done:
	case <-time.After(stopGrace):
		cl.Close() // ends what still waits for the dead
		<-done
	}
	if cause != nil {
		return cause
	}
	return c.countKill(p, server)
}

func (c *campaign) workers() (all []worker) {
	for _, w := range c.writers {
		all = append(all, w)
	}
	for _, r := range c.readers {
		all = append(all, r)
	}
	return all
}

// countKill counts the kill that ended p, unless the server, which must be gone, was quicker.
func (c *campaign) countKill(p *phase, server *process) error {
	if server.quit() {
		return diedUnasked(server)
	}
	c.kills.Add(1)
	if p.midWrite.Load()+p.trouble.caught(server) > 0 {
		c.report.KillsMidWrite++
		c.report.Faults[server.turn].KillsMidWrite++
	}
	return c.countCut(server, false)
}

func waitOutLoad(ctx context.Context, server *process, during time.Duration) error {
	select {
	case <-time.After(during):
		return nil
	case <-server.done:
		return diedUnasked(server)
	case <-ctx.Done():
		return errInterrupted
	}
}

func diedUnasked(server *process) error {
	return &serverError{what: "the server ended unasked, with " + server.ending(), log: server.log}
}

// readBack settles the ledger by what the server shows now.
func (c *campaign) readBack(ctx context.Context, server *process) error {
	_, _, addr := server.log.start()
	cl, err := dial(addr)
	if err != nil {
		return &serverError{what: err.Error(), log: server.log}
	}
	defer cl.Close()
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a dead server would be waited for until every call has timed out
		select {
		case <-server.done:
			cancel()
		case <-alive.Done():
		}
	}()
	saw, extra, err := readBack(alive, cl, c.ledger)
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil && server.exited():
		return diedUnasked(server)
	case err != nil:
		return &serverError{what: "the server does not answer: " + err.Error(), log: server.log}
	}
	c.settle(saw, extra)
	return nil
}

// settle classifies what a read-back saw: every key of the ledger, and the names of keys that are
// none of it.
func (c *campaign) settle(saw []sighting, extra []string) {
	cycle := int(c.cycle.Load())
	c.ledger.settle(saw, func(f finding) { c.tally.add(cycle, f) })
	for _, name := range extra {
		if c.strangers[name] {
			continue // reported before
		}
		c.strangers[name] = true
		c.tally.add(cycle, finding{
			class: Phantom, stranger: name, expected: "no such key", found: "it is listed",
		})
	}
}

// end kills and reaps a server, which may be gone or nil.
func (c *campaign) end(server *process) {
	if server == nil {
		return
	}
	server.killAndWait()
	c.keepLogErr(server)
}

func (c *campaign) keepLogErr(server *process) {
	if c.logErr == nil {
		c.logErr = server.logErr
	}
}
