package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"holdfast/client"
)

// The mix of requests, in percent; the rest are Sets. A Delete drawn for a key that is known to be
// absent becomes a Set: deleting nothing would prove nothing.
const (
	deletePercent = 10
	batchPercent  = 10
)

// A batch has from 2 to maxBatchKeys keys.
const maxBatchKeys = 8

// How long a writer rests after a write that did not succeed.
const (
	failurePause = 2 * time.Millisecond
	unknownPause = 20 * time.Millisecond
)

// writer issues one request at a time to the keys that are its own.
type writer struct {
	id        int
	keys      []int
	valueSize int
	rng       *rand.Rand
	latency   histogram
}

func newWriter(cfg *Config, id int) *writer {
	w := &writer{
		id: id, valueSize: cfg.ValueSize, rng: stream(cfg.Seed, writerStream, id), latency: newHistogram(),
	}
	for k := id; k < cfg.Keys; k += cfg.Writers {
		w.keys = append(w.keys, k)
	}
	return w
}

// run writes until the phase stops, or all keys wait for a read-back.
func (w *writer) run(ctx context.Context, p *phase) {
	for p.on.Err() == nil {
		r := w.next(p.ledger)
		if r == nil {
			return
		}
		switch w.perform(ctx, p, r) {
		case ok:
		case unknown: // each costs a key until the next read-back: they must last
			p.pause(unknownPause)
		default:
			p.pause(failurePause)
		}
	}
}

// next draws a request and enters it into the ledger; nil when no key may be written.
func (w *writer) next(l *ledger) *request {
	first, found := w.writableKey(l)
	if !found {
		return nil
	}
	draw := w.rng.IntN(100)
	switch {
	case draw < deletePercent && l.holdsValue(first):
		return l.begin(opDelete, first)
	case draw >= 100-batchPercent:
		return l.begin(opSet, w.moreKeys(l, first)...)
	default:
		return l.begin(opSet, first)
	}
}

// writableKey draws a key, and takes the next one that may be written.
func (w *writer) writableKey(l *ledger) (key int, found bool) {
	at := w.rng.IntN(len(w.keys))
	for i := range w.keys {
		if k := w.keys[(at+i)%len(w.keys)]; l.writable(k) {
			return k, true
		}
	}
	return 0, false
}

// moreKeys adds different keys to first. They lie anywhere among the writer's keys, so that a batch
// is spread over the store.
func (w *writer) moreKeys(l *ledger, first int) []int {
	keys := []int{first}
	for range 1 + w.rng.IntN(maxBatchKeys-1) {
		k := w.keys[w.rng.IntN(len(w.keys))]
		if !slices.Contains(keys, k) && l.writable(k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// perform sends r and enters how it ended.
func (w *writer) perform(ctx context.Context, p *phase, r *request) ending {
	p.counts.requests.Add(1)
	p.counts.issued.Add(int64(len(r.members)))
	begun := time.Now()
	existed, err := w.send(ctx, p, r)
	took := time.Since(begun)
	how := endingOf(err)
	p.breaches(p.ledger.finish(r, how, existed)...)
	p.counts.count(how, len(r.members))
	p.trouble.noteWrite(begun, len(r.members), err)
	if how != ok && p.trouble.on(begun) {
		p.counts.troubled.Add(int64(len(r.members)))
	}
	switch {
	case how == ok:
		w.latency.record(took)
	case how == unknown && p.caughtByKill(begun):
		p.midWrite.Add(int64(len(r.members)))
	}
	return how
}

func (w *writer) send(ctx context.Context, p *phase, r *request) (existed bool, err error) {
	pairs := make([]client.Pair, len(r.members))
	for i, m := range r.members {
		pairs[i].Key = keyName(m.key)
		if r.kind == opSet {
			pairs[i].Value = encodeValue(p.ledger.id(m), w.valueSize)
		}
	}
	switch {
	case r.kind == opDelete:
		return p.store.Delete(ctx, pairs[0].Key)
	case r.batch != nil:
		return false, p.store.BulkSet(ctx, pairs)
	default:
		return false, p.store.Set(ctx, pairs[0].Key, pairs[0].Value)
	}
}
