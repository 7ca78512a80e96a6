package chaos

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// stopGrace is how long the calls in flight at a kill may take to notice it by themselves. What the
// server sent before it died is still read in this time: the acknowledgements right before a kill
// are the ones worth the most.
const stopGrace = 500 * time.Millisecond

// counters are what all writers and readers of a campaign count together. A write is one key; see
// [Writes].
type counters struct {
	requests, issued, ok, failed, unknown atomic.Int64
	readsOK, readsFailed                  atomic.Int64
	// troubled counts the writes that did not succeed, and troubledReads the reads that failed, while
	// rules made the disk fail; they are among those above.
	troubled, troubledReads atomic.Int64
}

// count adds n writes that ended as how.
func (c *counters) count(how ending, n int) {
	to := map[ending]*atomic.Int64{ok: &c.ok, failed: &c.failed, unknown: &c.unknown}[how]
	to.Add(int64(n))
}

// phase is the load of one cycle, from the start of the writers and readers to their end.
type phase struct {
	cycle  int
	store  store
	ledger *ledger
	tally  *tally
	counts *counters

	on       context.Context // done when nothing new is to be issued
	stop     context.CancelFunc
	killedAt atomic.Pointer[time.Time] // right before the kill; nil until then
	struckAt atomic.Pointer[time.Time] // right after it: SIGKILL is sent, or the power is gone; nil until then
	midWrite atomic.Int64              // writes that the kill left unknown; see caughtByKill
	doomed   atomic.Bool               // the power goes at a moment that the server alone knows
	done     <-chan struct{}           // closed when the last worker has ended; nil until the start
	trouble  *trouble                  // rules that are injected; nil: none
}

// worker is a writer or a reader: it works until the phase stops.
type worker interface {
	run(ctx context.Context, p *phase)
}

func (c *campaign) newPhase(ctx context.Context, st store) *phase {
	p := &phase{
		cycle: int(c.cycle.Load()), store: st, ledger: c.ledger, tally: &c.tally, counts: &c.counts,
	}
	p.on, p.stop = context.WithCancel(ctx)
	return p
}

// start lets all workers loose. The channel is closed when the last of them has ended. A write in
// flight is not cut short when the phase stops, but only when ctx is done.
func (p *phase) start(ctx context.Context, workers []worker) <-chan struct{} {
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() { w.run(ctx, p) })
	}
	done := make(chan struct{})
	p.done = done
	go func() {
		group.Wait()
		close(done)
	}()
	return done
}

// kill ends the server with kill and stops the phase. It must be called once.
func (p *phase) kill(kill func()) {
	now := time.Now()
	p.killedAt.Store(&now)
	kill()
	now = time.Now()
	p.struckAt.Store(&now)
	p.stop()
}

// killed reports whether the server is being killed, or was.
func (p *phase) killed() bool { return p.killedAt.Load() != nil }

// caughtByKill reports whether a write that began at begun, and has just ended unknown, was in flight
// when the kill landed. A kill takes a while to land, the more so on a busy machine or when the server
// has to cut its own power: until then writers write on, and what began before the command may have
// been answered. So every write counts that began before the blow was struck and ended after it was
// ordered.
func (p *phase) caughtByKill(begun time.Time) bool {
	if !p.killed() && !p.doomed.Load() {
		return false
	}
	struck := p.struckAt.Load()
	return struck == nil || begun.Before(*struck)
}

// pause waits for d or until the phase stops.
func (p *phase) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.on.Done():
	}
}

// failedRead counts a read that began at begun and was not answered.
func (p *phase) failedRead(begun time.Time, err error) {
	p.counts.readsFailed.Add(1)
	if p.trouble.on(begun) {
		p.counts.troubledReads.Add(1)
	}
	p.trouble.noteRead(begun, err)
}

// breaches records what an outcome or a read revealed.
func (p *phase) breaches(findings ...finding) {
	for _, f := range findings {
		p.tally.addOnline(p.cycle, f)
	}
}
