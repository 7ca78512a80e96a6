package faultfs

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// result is what one life came to. Recoveries that read the same share one.
type result struct {
	record
	done   *past  // the last past with which it was judged and all was well
	calls  uint64 // callsHash
	tried  int    // it was considered for crashing after this many crashes; MaxInt: never
	nests  []nest // what its crashes led to, if it is a recovery that was crashed
	busy   bool   // they are under way
	inside tally  // what was visited at them
}

// nest is one thing that crashes inside a recovery lead to.
type nest struct {
	ending ending
	events int // of the recovery, that the crash came after
	to     *result
}

// past is what happened before a recovery: the lives that ended in crashes.
// There is one for each different past of a plan.
type past struct {
	lives []Life
	next  map[pastKey]*past
}

type pastKey struct {
	life   *result
	events int
}

// then returns the past that goes on with a life that crashed after so many
// events.
func (p *past) then(o *result, events int) *past {
	key := pastKey{o, events}
	if q := p.next[key]; q != nil {
		return q
	}
	q := &past{lives: append(slices.Clone(p.lives), Life{Events: o.events[:events:events], Crashed: true})}
	if p.next == nil {
		p.next = map[pastKey]*past{}
	}
	p.next[key] = q
	return q
}

// callsHash is equal for disks on which the same calls were made, bytes aside.
func callsHash(d *Disk, points int) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var sum uint64
	for _, c := range d.calls[:min(points, len(d.calls))] {
		for _, text := range []string{c.op, c.name, c.and} {
			sum = blend(sum, xxhash.Sum64String(text))
		}
		sum = blend(blend(sum, uint64(c.off)), uint64(c.n))
	}
	return sum
}

// tally counts what Exploration reports.
type tally struct {
	plans, points, legal, visited, nested, killed, unique, equalRead, recoveries uint64
	legalIsMin                                                                   bool
}

// add adds u to t. Sums beyond 2^64 stay there.
func (t *tally) add(u tally) {
	t.plans += u.plans
	t.points += u.points
	t.addLegal(u.legal, u.legalIsMin)
	t.visited += u.visited
	t.nested += u.nested
	t.killed += u.killed
	t.unique += u.unique
	t.equalRead += u.equalRead
	t.recoveries += u.recoveries
}

// in returns t, of a crash point of l, with the part that is counted by kind.
func (t tally) in(l *life) tally {
	if l.depth > 0 {
		t.nested = t.visited
	}
	if l.kills > 0 {
		t.killed = t.visited
	}
	return t
}

// minus returns what t has counted since it was u.
func (t tally) minus(u tally) tally {
	t.plans -= u.plans
	t.points -= u.points
	t.legal -= u.legal
	t.visited -= u.visited
	t.nested -= u.nested
	t.killed -= u.killed
	t.unique -= u.unique
	t.equalRead -= u.equalRead
	t.recoveries -= u.recoveries
	return t
}

func (t *tally) addLegal(n uint64, isMin bool) {
	t.legal += n
	if t.legal < n {
		t.legal, isMin = ^uint64(0), true
	}
	t.legalIsMin = t.legalIsMin || isMin
}
