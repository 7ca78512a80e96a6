package faultfs

// This file crashes recoveries. Each of them would be crashed at each of its
// points, and so would what recovers from that, if there were time for it: a
// recovery has more crash states than most words of a plan. Therefore
//
//   - at each depth half as many recoveries may be run as at the one before, so
//     that all nesting together costs about as much as the rest. Those that make
//     the calls of another one at their depth, bytes aside, have to do with half
//     of that; the others are also killed where they are crashed;
//   - a recovery for which that is not enough is not crashed at all its points:
//     it begins at another one each time, and ends when the measure is full;
//   - what recovers from a kill of the load is always crashed where it first
//     noted something, since only a power cut tells whether it had synced what
//     it found;
//   - a recovery that is met again with another past is not crashed again:
//     what followed from the crashes of its first time is judged with the new
//     past. The depths below that are not: what they found is bound by what the
//     recoveries between have seen, and these were judged with both pasts.
//
// While a violation is shrunk there is no such measure.

// spareNested is how many recoveries may be run at a depth if next to none were
// run at the one before.
const spareNested = 4

// check judges o with a past, and then crashes it. If o was run just now, fresh
// is its disk.
func (x *planner) check(l *life, then *past, o *result, fresh *Disk) {
	_, known := x.verdicts[verdictKey{then, o}]
	reason := x.judge(then, o)
	if !known {
		l.remember(o)
	}
	if reason != "" {
		if !known || x.every {
			x.found(l, reason)
		}
		return
	}
	o.done = then
	if l.depth+1 >= x.bounds.nesting {
		return
	}
	switch {
	case o.nests != nil && !known && !o.busy:
		x.nestKnown(l, then, o)
	case o.nests == nil && l.depth < o.tried:
		o.tried = l.depth
		x.nest(l, then, o, fresh)
	}
}

// remember keeps for a recovery l what its crash at hand led to.
func (l *life) remember(o *result) {
	if l.depth == 0 || l.kill {
		return
	}
	l.out.nests = append(l.out.nests, nest{ending: l.ending(), events: l.out.before(l.point), to: o})
}

// room reports whether a recovery may be run at a depth.
func (x *planner) room(depth int, known bool) bool {
	room := x.runs[depth-1]/2 + spareNested
	if known {
		room /= 2
	}
	return x.runs[depth] < room || x.every
}

// killProcess ends l at its point with its cache intact, recovers, and cuts the
// power of that.
func (x *planner) killProcess(l *life, then *past) {
	d := l.disk.Killed(l.point)
	o := x.run(l, d)
	n := tally{legal: 1, visited: 1}.in(l)
	n.killed = 1
	x.n.add(n)
	l.kill = true
	x.check(l, then, o, d)
	l.kill = false
}

// nest crashes o, which began with the crash at hand of l, as far as there is
// room. If it was run just now fresh is its disk, else it is run again.
func (x *planner) nest(l *life, then *past, o *result, fresh *Disk) {
	key := callsKey{l.depth, o.calls}
	known := x.calls[key]
	x.calls[key] = true
	child := &life{up: l, depth: l.depth + 1, kills: l.kills, past: then, disk: fresh, out: o}
	if !x.room(child.depth, known) && !(l.kill && l.depth == 0) {
		return
	}
	if l.kill {
		child.kills++
	}
	if fresh == nil {
		child.disk = l.state.Disk()
		again := x.run(l, child.disk)
		if err := sameRecord(&o.record, &again.record); err != nil {
			x.differs(err)
			return
		}
	}
	child.killed = !known && child.depth+1 < x.bounds.nesting
	o.busy = true
	first := x.firstNested(l, o)
	for i := range o.points + 1 {
		if x.ended() || i > 0 && !x.room(child.depth, known) {
			break
		}
		x.crashAt(child, (first+i)%(o.points+1))
	}
	o.busy = false
}

// firstNested returns the crash point to begin with.
func (x *planner) firstNested(l *life, o *result) int {
	x.nested++
	switch {
	case x.every:
		return 0
	case l.kill && l.depth == 0 && len(o.at) > 0:
		return o.at[0]
	}
	return int((x.planSeed + x.nested) % uint64(o.points+1))
}

// nestKnown judges with another past what crashes of o have led to.
func (x *planner) nestKnown(l *life, then *past, o *result) {
	child := &life{up: l, depth: l.depth + 1, out: o, kills: l.kills}
	for i := range o.nests {
		n := &o.nests[i]
		child.inner = n
		if reason := x.judge(then.then(o, n.events), n.to); reason != "" {
			x.found(child, reason)
		}
	}
	x.n.add(o.inside.in(child))
}

// crashes returns how l and the lives before it ended, the first one first.
func (l *life) crashes() []ending {
	if l == nil {
		return nil
	}
	return append(l.up.crashes(), l.ending())
}

// ending returns the crash at hand.
func (l *life) ending() ending {
	switch {
	case l.inner != nil:
		return l.inner.ending
	case l.kill:
		return ending{point: l.point, kill: true}
	}
	return ending{point: l.point, id: l.state.ID()}
}
