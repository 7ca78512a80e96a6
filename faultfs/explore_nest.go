package faultfs

// This file crashes recoveries. Each of them would be crashed at each of its
// points, and so would what recovers from that, if there were time for it: a
// recovery has more crash states than most plans. Therefore
//
//   - a recovery is crashed once, if by then not many more than half as many
//     recoveries were run at the next depth as at its own: so all nesting together
//     costs less than the rest;
//   - twice as many are allowed to those that make calls which no recovery at
//     this depth has made before, bytes aside; and they are also killed;
//   - a recovery that is met again with another past is not crashed again:
//     what followed from the crashes of its first time is judged with the new
//     past. The depths below that are not: what they found is bound by what the
//     recoveries between have seen, and these were judged with both pasts.
//
// What recovers from a kill of the load is always crashed, since only a power
// cut tells whether it synced what it served.

// spareNested is how many recoveries may be run at a depth if next to none were
// run at the one before.
const spareNested = 16

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
	switch {
	case o.nests != nil && !known && !o.busy:
		x.nestKnown(l, then, o)
	case o.nests == nil && l.depth < o.tried:
		o.tried = l.depth
		if worth, strange := x.worthNesting(l, o); worth {
			x.nest(l, then, o, fresh, strange)
		}
	}
}

// remember keeps for a recovery l what its crash at hand led to.
func (l *life) remember(o *result) {
	if l.depth == 0 || l.kill {
		return
	}
	l.out.nests = append(l.out.nests, nest{ending: l.ending(), events: l.out.before(l.point), to: o})
}

// worthNesting decides whether o, which began with the crash at hand of l, is
// crashed in turn, and whether it is worth more than others are.
func (x *planner) worthNesting(l *life, o *result) (worth, strange bool) {
	if l.depth+1 >= x.bounds.nesting {
		return false, false
	}
	key := callsKey{l.depth, o.calls}
	strange = !x.calls[key]
	x.calls[key] = true
	room := x.runs[l.depth]/2 + spareNested
	if strange {
		room *= 2
	}
	return x.runs[l.depth+1] < room || l.kill && l.depth == 0, strange
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

// nest crashes o, which began with the crash at hand of l. If it was run just now
// fresh is its disk, else it is run again.
func (x *planner) nest(l *life, then *past, o *result, fresh *Disk, kill bool) {
	if fresh == nil {
		fresh = l.state.Disk()
		again := x.run(l, fresh)
		if err := sameRecord(&o.record, &again.record); err != nil {
			x.differs(err)
			return
		}
	}
	child := &life{up: l, depth: l.depth + 1, disk: fresh, out: o, past: then, kills: l.kills}
	if l.kill {
		child.kills++
	}
	child.killed = kill && child.depth+1 < x.bounds.nesting
	o.busy = true
	for k := 0; k <= o.points && !x.ended(); k++ {
		x.crashAt(child, k)
	}
	o.busy = false
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
