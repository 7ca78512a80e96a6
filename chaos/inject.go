package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"holdfast/internal/testdisk"
)

// fencedGrace is how long a server that says that it is fenced may take to get over it by itself.
// The first attempts of an engine that tries again at intervals fall into it.
const fencedGrace = 3 * time.Second

// ruleUse is one fault of the kind rules, with what the campaign needs to go through it.
type ruleUse struct {
	fault Fault
	tally ruleTally
}

// newRuleUses returns a ruleUse for each fault that has rules, by the index of the fault.
func newRuleUses(faults []Fault) map[int]*ruleUse {
	uses := map[int]*ruleUse{}
	for i, f := range faults {
		if f.Kind != FaultRules {
			continue
		}
		u := &ruleUse{fault: f}
		rules, _ := f.parse() // Config.check has parsed them
		for _, r := range rules {
			u.tally.r.Rules = append(u.tally.r.Rules, testdisk.RuleCounts{Rule: r.String()})
		}
		uses[i] = u
	}
	return uses
}

// window is when in a phase the rules come and go.
type window struct{ before, during, after time.Duration }

// drawWindow shares a time under load out: about a third each.
func drawWindow(rng *rand.Rand, load time.Duration) window {
	part := func() time.Duration { return time.Duration((0.2 + 0.2*rng.Float64()) * float64(load)) }
	w := window{before: part(), during: part()}
	w.after = load - w.before - w.during
	return w
}

// injectUnderLoad injects the rules of the server's fault into a phase, heals them, and waits until
// service resumes or the server says that it is fenced. It returns when the phase is to end; a power
// cut by the rules themselves ends it early.
func (c *campaign) injectUnderLoad(ctx context.Context, p *phase, server *process, load time.Duration) error {
	use, w := c.rules[server.turn], drawWindow(c.ruleRng, load)
	if err := waitOutLoad(ctx, server, w.before); err != nil {
		return err
	}
	now := time.Now()
	p.trouble.from.Store(&now)
	_, err := server.command(ctx, testdisk.Inject(use.fault.Rules))
	if err == nil {
		now := time.Now()
		p.trouble.sure.Store(&now)
		err = waitOutLoad(ctx, server, w.during)
	}
	var answer testdisk.Line
	if err == nil {
		answer, err = server.command(ctx, testdisk.Heal())
	}
	if done, err := c.cutByRules(server, err); done || err != nil {
		return err
	}
	healed := time.Now()
	p.trouble.to.Store(&healed)
	use.tally.addFirings(answer.Rules)
	p.trouble.checkReads(len(c.readers), healed)
	if err := c.awaitService(ctx, p, server, healed); err != nil {
		return err
	}
	return waitOutLoad(ctx, server, w.after)
}

// cutByRules reports whether err comes from a power cut that the rules asked for, and counts their
// firings then. Any other err is returned.
func (c *campaign) cutByRules(server *process, err error) (bool, error) {
	var broken *serverError
	if err == nil || !errors.Is(err, errGone) && !errors.As(err, &broken) {
		return false, err
	}
	line, cut := server.log.powerCut()
	if !cut {
		return false, diedUnasked(server)
	}
	use := c.rules[server.turn]
	use.tally.addFirings(line.Rules)
	use.tally.cutByRule()
	return true, nil
}

// awaitService waits until a write that began after the healing is acknowledged. A server that says
// that it is fenced is given up soon: a restart must free it, see proveService.
func (c *campaign) awaitService(ctx context.Context, p *phase, server *process, healed time.Time) error {
	t := p.trouble
	deadline, fenced := time.After(c.cfg.resumeWithin), t.fenced.c
	for {
		select {
		case <-t.resumed.c:
			t.into.resume(time.Since(healed), false)
			return nil
		case <-fenced:
			fenced = nil
			deadline = time.After(fencedGrace)
		case <-deadline:
			if fenced == nil {
				c.fencedBy = c.rules[server.turn]
				return nil
			}
			t.into.breach("service did not resume within %v after the fault had healed, and the server did not say that it is fenced", c.cfg.resumeWithin)
			return nil
		case <-p.done: // every key waits for a read-back: there is nothing left to ask with
			c.fencedBy = c.rules[server.turn]
			return nil
		case <-server.done:
			return diedUnasked(server)
		case <-ctx.Done():
			return errInterrupted
		}
	}
}

// proveService puts load on a server that was fenced and restarted, until it acknowledges a write.
func (c *campaign) proveService(ctx context.Context, p *phase, server *process) error {
	now := time.Now()
	p.trouble.to.Store(&now)
	select {
	case <-p.trouble.resumed.c:
		p.trouble.into.resume(0, true)
		return waitOutLoad(ctx, server, c.cfg.KillEvery/4)
	case <-time.After(c.cfg.resumeWithin):
		p.trouble.into.breach("service did not resume within %v after the fault had healed and the server was started anew", c.cfg.resumeWithin)
		return nil
	case <-server.done:
		return diedUnasked(server)
	case <-ctx.Done():
		return errInterrupted
	}
}

// cutByRule counts a power cut that a rule made.
func (t *ruleTally) cutByRule() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.r.CutByRule++
}

// breaches says what was broken under the rules, "" for nothing.
func (r *RulesReport) breaches() string {
	if r.Broken == 0 {
		return ""
	}
	return fmt.Sprintf("%d promises broken under injected faults: %s", r.Broken, r.Breaches[0])
}

// troubleFor watches the next phase of server, nil if no rules have anything to do with it.
func (c *campaign) troubleFor(server *process) *trouble {
	use := c.rules[server.turn]
	if c.fencedBy != nil {
		use = c.fencedBy
	}
	if use == nil {
		return nil
	}
	rules, _ := use.fault.parse() // Config.check has parsed them
	return newTrouble(&use.tally, rules)
}
