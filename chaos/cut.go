package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"holdfast/faultfs"
	"holdfast/internal/testdisk"
	"holdfast/internal/vfs"
)

// cutGrace is how long a server may take to end after it was told to cut its power.
const cutGrace = 20 * time.Second

// keeps are what a cut that the layer makes itself may leave of what was not synced.
var keeps = []string{
	faultfs.KeepNothing, faultfs.KeepWhole, faultfs.KeepTorn, faultfs.KeepZeros, faultfs.KeepGarbage, faultfs.KeepAny,
}

// blow is how a server on the volatile layer loses power.
type blow struct {
	byLayer bool   // rather than by SIGKILL
	seed    uint64 // byLayer: draws the subset that survives
	keep    string
	// dirSync is the directory sync, counted under load, at which the power is to go; 0: at a moment
	// that the campaign chooses. A name that should have been synced, and was not, is pending only for
	// as long as nothing else syncs its directory: a cut at any other moment hardly ever finds it.
	dirSync int
}

// maxDirSync bounds how far off the directory sync is: a server that has few of them would otherwise
// outlive its cycle.
const maxDirSync = 3

// rule is the rule that strikes the blow at a directory sync.
func (b blow) rule() string {
	return fmt.Sprintf("syncdir * #%d crash=%s seed=%d", b.dirSync, b.keep, b.seed)
}

// cutPlan draws the blows. Of each three in a row one is a SIGKILL, one is struck by the layer at
// any moment, and one by the layer at a directory sync; their order is drawn.
type cutPlan struct {
	rng   *rand.Rand
	drawn int
	order []int // of the current three
}

func newCutPlan(seed uint64) *cutPlan { return &cutPlan{rng: stream(seed, cutStream, 0)} }

// next draws one blow. All of it is drawn in any case, so that the plan depends on the seed alone.
func (p *cutPlan) next() blow {
	const bySignal, anyMoment, kinds = 0, 1, 3
	if p.drawn%kinds == 0 {
		p.order = p.rng.Perm(kinds)
	}
	kind := p.order[p.drawn%kinds]
	p.drawn++
	b := blow{
		byLayer: true, seed: uint64(p.rng.Uint32()), keep: keeps[p.rng.IntN(len(keeps))],
		dirSync: 1 + p.rng.IntN(maxDirSync),
	}
	switch kind {
	case bySignal:
		return blow{keep: faultfs.KeepNothing}
	case anyMoment:
		b.dirSync = 0
	}
	return b
}

// planBlow draws how server is to lose power, if it is to.
func (c *campaign) planBlow(server *process) {
	if server.layered && server.blow == (blow{}) {
		server.blow = c.cuts.next()
	}
}

// cutAtDirSync tells server at which directory sync its power goes, and waits for that, at most for
// the time given.
func (c *campaign) cutAtDirSync(ctx context.Context, p *phase, server *process, during time.Duration) error {
	p.doomed.Store(true)
	_, err := server.command(ctx, testdisk.Inject(server.blow.rule()))
	if err == nil {
		err = waitOutLoad(ctx, server, during)
	}
	if server.exited() {
		if _, cut := server.log.powerCut(); cut {
			return nil
		}
		return diedUnasked(server)
	}
	return err
}

// strike ends p as its fault wants it, unless it is gone. After a kill it may still be on its way out.
// The error is that of a server that cannot be told to cut its power.
func (c *campaign) strike(ctx context.Context, p *process) error {
	if p.exited() {
		return nil
	}
	if !p.layered {
		p.kill()
		return nil
	}
	c.planBlow(p)
	if !p.blow.byLayer {
		p.kill()
		return nil
	}
	if err := p.say(testdisk.Cut(p.blow.seed, p.blow.keep)); err != nil {
		if err = p.ifGone(err); !errors.Is(err, errGone) {
			return err
		}
	}
	select {
	case <-p.done:
	case refused := <-p.log.answers:
		return fmt.Errorf("the server did not cut its power, and answered %q", refused.Error)
	case <-time.After(cutGrace):
		return fmt.Errorf("the server did not cut its power within %v", cutGrace)
	case <-ctx.Done():
		return errInterrupted
	}
	return nil
}

// countCut counts what the power cut that ended p cost. p must be gone; if it did not run on the
// volatile layer there is nothing to count.
func (c *campaign) countCut(p *process, inRecovery bool) error {
	if !p.layered {
		return nil
	}
	cut := Cut{
		Cycle: int(c.cycle.Load()), InRecovery: inRecovery, How: "SIGKILL", Keep: p.blow.keep,
		Log: filepath.Base(p.log.path),
	}
	line, byItself := p.log.powerCut()
	lost := line.Lost()
	switch {
	case byItself:
		cut.How, cut.Seed = line.Command, p.blow.seed
		if line.Command == testdisk.ByRule && p.blow.dirSync > 0 {
			cut.How = p.blow.rule()
		}
	case p.blow.byLayer:
		return errors.New("the server was told to cut its power, and ended without saying that it did")
	default:
		var err error
		if lost, err = c.pendingAtEnd(p); err != nil {
			return err
		}
	}
	cut.Bytes, cut.Entries = lost.Bytes, lost.Entries
	c.report.Power.add(cut)
	c.report.Faults[p.turn].Power.count(lost)
	return nil
}

// pendingAtEnd is what SIGKILL took with p. A server that was killed before it began to recover may
// have made no pending file yet, and has lost nothing.
func (c *campaign) pendingAtEnd(p *process) (vfs.Lost, error) {
	if recoveringAt, _, _ := p.log.start(); recoveringAt.IsZero() {
		return vfs.Lost{}, nil
	}
	return testdisk.ReadPending(c.work.pendingFile)
}
