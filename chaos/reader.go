package chaos

import (
	"cmp"
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"holdfast/internal/vfs"
)

// reader reads random keys, one at a time, and checks what it sees against the ledger: an intact
// value of that key which was issued, not older than what was acknowledged or read by anybody before
// the read began. What it sees becomes a promise: it must survive, even if its write ends unknown.
type reader struct {
	keys    int
	rng     *rand.Rand
	latency histogram
}

func newReader(cfg *Config, id int) *reader {
	return &reader{keys: cfg.Keys, rng: stream(cfg.Seed, readerStream, id), latency: newHistogram()}
}

// run reads until the phase stops. A read in flight then is cut short: it would go on looking for a
// server until its time is up.
func (r *reader) run(_ context.Context, p *phase) {
	for p.on.Err() == nil {
		if !r.readOne(p, r.rng.IntN(r.keys)) {
			p.pause(failurePause)
		}
	}
}

// withoutPower reports whether a server refused a read because its power had just gone.
func withoutPower(refusal error) bool {
	return strings.Contains(refusal.Error(), vfs.ErrCrashed.Error())
}

// readOne reports whether there was an answer. A read that fails because of the kill is not counted. A
// refusal to show what is stored is a breach, unless rules are at work that make reads fail.
func (r *reader) readOne(p *phase, key int) bool {
	mark := p.ledger.beginRead(key)
	begun := time.Now()
	saw, err := look(p.on, p.store, p.ledger.id(member{key: key}))
	took := time.Since(begun)
	switch {
	case err == nil && saw.refusal == nil:
		r.latency.record(took)
		p.counts.readsOK.Add(1)
		p.trouble.noteRead(begun, nil)
		p.breaches(p.ledger.endRead(key, mark, saw))
	case p.killed() || p.on.Err() != nil || p.doomed.Load() && (err != nil || withoutPower(saw.refusal)): // the end of the server explains it
	case err == nil && !(p.trouble.on(begun) && p.trouble.readsMayFail):
		p.counts.readsOK.Add(1)
		p.breaches(p.ledger.endRead(key, mark, saw))
	default:
		p.failedRead(begun, cmp.Or(err, saw.refusal))
	}
	return err == nil
}
