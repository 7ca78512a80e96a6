package faultfs

// This file crashes recoveries. Each of them would be crashed at each of its
// points, and so would what recovers from that, if there were time for it: a
// recovery has more crash states than most plans. Therefore
//
//   - of recoveries that make the same calls, bytes aside, one is put through
//     all the levels that the bounds allow, with kills;
//   - the others are put through one level, as long as no more recoveries were
//     run because of nesting than because of crashes of the load;
//   - a recovery that is met again with another past is not crashed again:
//     what followed from the crashes of its first time is judged with the new
//     past. The levels below that are not: what they found is bound by what the
//     levels between have seen, which were judged with both pasts.
//
// What recovers from a kill of the load is always put through one level, since
// only a power cut tells whether it synced what it served.

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
	if o.busy {
		return
	}
	if levels := x.worthNesting(l, o, fresh); levels > 0 {
		x.nest(l, then, o, fresh, levels)
	} else if !known && o.levels > 0 {
		x.nestKnown(l, then, o)
	}
}

// remember keeps for a recovery l what its crash at hand led to.
func (l *life) remember(o *result) {
	if l.depth == 0 || l.kill {
		return
	}
	l.out.nests = append(l.out.nests, nest{ending: l.ending(), events: l.out.before(l.point), to: o})
}

// worthNesting returns how many further crashes o is to be put through.
func (x *planner) worthNesting(l *life, o *result, fresh *Disk) int {
	most := x.bounds.nesting - l.depth - 1
	if most <= 0 || fresh == nil {
		return 0
	}
	if h := callsHash(fresh, o.points); x.levels[h] < most {
		x.levels[h] = most
		return most
	}
	if l.kill && l.depth == 0 || x.deep < x.top {
		return 1
	}
	return 0
}

// worthKilling decides whether the process is killed where l is crashed.
func (x *planner) worthKilling(l *life) bool {
	return l.depth == 0 || l.depth+1 < x.bounds.nesting && x.deep < x.top
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

// nest crashes o, which ran on d after the crash at hand of l.
func (x *planner) nest(l *life, then *past, o *result, d *Disk, levels int) {
	child := &life{up: l, depth: l.depth + 1, disk: d, out: o, past: then, kills: l.kills}
	if l.kill {
		child.kills++
	}
	all := x.bounds.nesting
	x.bounds.nesting = child.depth + levels
	o.levels, o.busy, o.nests, o.inside = levels, true, nil, tally{}
	for k := 0; k <= o.points && !x.ended(); k++ {
		x.crashAt(child, k)
	}
	o.busy = false
	x.bounds.nesting = all
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
