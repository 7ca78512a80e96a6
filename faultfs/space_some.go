package faultfs

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
)

// pending is one micro-operation that is free at the point of a Space.
type pending struct {
	seq, issued int
	node        *node // whose data or size it is; nil for a name
	sector      int   // -1 for a size
}

// all lists what is pending, in order.
func (s *Space) all() []pending {
	if s.pending != nil {
		return s.pending
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	list := []pending{}
	note := func(c *change, n *node, sector int) {
		if there, free := c.at(s.point); there && free {
			list = append(list, pending{c.seq, c.issued, n, sector})
		}
	}
	for i := range s.disk.names {
		note(&s.disk.names[i].change, nil, 0)
	}
	for _, n := range s.disk.nodes {
		for i := range n.sizes {
			note(&n.sizes[i].change, n, -1)
		}
		for i, changes := range n.data {
			for j := range changes {
				note(&changes[j].change, n, i)
			}
		}
	}
	slices.SortFunc(list, func(a, b pending) int { return cmp.Compare(a.seq, b.seq) })
	s.pending = list
	return list
}

// pick says which of the pending changes are on the disk, and what stands where
// data is missing.
type pick struct {
	from int    // seq of the first
	keep []bool // by seq
	fill fill
	own  []fill // by seq, if not nil
}

func (s *Space) newPick() *pick {
	all := s.all()
	p := &pick{}
	if len(all) > 0 {
		p.from = all[0].seq
		p.keep = make([]bool, all[len(all)-1].seq-p.from+1)
	}
	return p
}

func (p *pick) has(seq int) bool {
	at := seq - p.from
	return at >= 0 && at < len(p.keep) && p.keep[at]
}

func (p *pick) chooser(c *change) bool { return p.has(c.seq) }

func (p *pick) subset(list []int) subset {
	var set subset
	for i, seq := range list {
		if p.has(seq) {
			set |= 1 << min(i, 63)
		}
	}
	return set
}

func (p *pick) fillOf(free []int) fill {
	if p.own != nil && len(free) > 0 {
		return p.own[free[len(free)-1]-p.from]
	}
	return p.fill
}

// state returns the state of a pick, for Weak. It is the nearest there is if the
// Space does not have every combination.
func (s *Space) state(p *pick) State {
	digits := make([]int, len(s.vars))
	for i := range s.vars {
		for _, step := range s.vars[i].steps {
			if p.has(step.seq) {
				digits[i] = step.option
			}
		}
	}
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	st := newState(s, s.canonical(digits))
	for i, f := range st.tree.files {
		v := f.nearest(p)
		st.enter(i, v)
		for j := range st.choice[i].options {
			u := &f.variants[v].units[j]
			st.choice[i].options[j] = uint16(s.nearest(&f.view, &f.variants[v].shape, u, p))
		}
	}
	return st
}

// canonical returns the assignment of digits or the one that it is the twin of.
func (s *Space) canonical(digits []int) *assignment {
	if a := s.assignment(digits); a != nil {
		return a
	}
	reached := map[*node]bool{}
	(&assignment{}).walk(s.names(digits), s.disk.root, "/", reached)
	for i, v := range s.vars {
		if !reached[v.dir] {
			digits[i] = 0
		}
	}
	return s.assignment(digits)
}

// nearest returns the variant of a pick.
func (f *fileSpace) nearest(p *pick) int {
	if f.index != nil {
		return f.index[p.subset(f.sizes)]
	}
	for {
		s := f.view.shape(p.chooser)
		if at := f.find(&s); at >= 0 {
			return at
		}
		p = p.prefix(f.sizes)
	}
}

// prefix returns a pick that keeps of the list all up to the last that p keeps.
func (p *pick) prefix(list []int) *pick {
	q := &pick{from: p.from, keep: slices.Clone(p.keep)}
	kept := false
	for _, seq := range slices.Backward(list) {
		kept = kept || p.has(seq)
		q.keep[seq-q.from] = kept
	}
	return q
}

// nearest returns the option of a pick.
func (s *Space) nearest(n *view, sh *shape, u *unit, p *pick) int {
	f := p.fillOf(u.free)
	if u.index != nil {
		return int(u.index[int(p.subset(u.free))*int(fills)+int(f)])
	}
	for _, q := range []*pick{p, p.prefix(u.free)} {
		part := n.compose(u.first, sh, q.chooser)
		o := s.disk.option(n, sh, u.first, []*composed{part}, f)
		for i := range u.options {
			if u.options[i].sum == o.sum {
				return i
			}
		}
	}
	return 0
}

// Everything returns the content with all that was pending: what callers saw.
func (s *Space) Everything() State {
	if s.profile != Weak {
		return s.disk.Space(s.point, Weak).Everything()
	}
	p := s.newPick()
	for i := range p.keep {
		p.keep[i] = true
	}
	return s.state(p)
}

// Some returns at most max different contents. If there are no more than that
// it is All. Else these come first, as far as max reaches: nothing kept; everything
// kept; all prefixes; each single change left out, and each single one kept;
// each left out with each later end; pairs that are kept; and then choices by
// seed, with each page kept, dropped or damaged by sector. Where data is
// missing there are zeros, garbage and stale bytes in turn. Of the profiles but
// Weak it is nothing kept and then choices by seed.
func (s *Space) Some(max int, seed uint64) iter.Seq[State] {
	if n, capped := s.atMost(uint64(max)); n <= uint64(max) && !capped {
		return s.All()
	}
	return func(yield func(State) bool) {
		seen := make(map[uint64]struct{}, max)
		visit := func(st State) bool {
			h := st.Hash()
			if _, ok := seen[h]; ok {
				return true
			}
			seen[h] = struct{}{}
			return yield(st) && len(seen) < max
		}
		if max > 0 && s.ordered(visit) {
			s.random(max, seed, func() bool { return len(seen) < max }, visit)
		}
	}
}

// atMost counts until there are more than max.
func (s *Space) atMost(max uint64) (n uint64, capped bool) {
	for a := range s.trees() {
		n = addSat(n, a.count)
		capped = capped || a.capped
		if n > max {
			break
		}
	}
	return n, capped
}

// ordered visits the choices that are likely to show a mistake. It returns
// false when visit has.
func (s *Space) ordered(visit func(State) bool) bool {
	if s.profile != Weak {
		for st := range s.All() {
			return visit(st)
		}
	}
	for p := range s.picks() {
		for p.fill = range fills {
			if !visit(s.state(p)) {
				return false
			}
		}
	}
	return true
}

// picks yields one pick, changed again and again.
func (s *Space) picks() iter.Seq[*pick] {
	all := s.all()
	return func(yield func(*pick) bool) {
		p := s.newPick()
		set := func(keep bool, from, to int) {
			for _, c := range all[from:to] {
				p.keep[c.seq-p.from] = keep
			}
		}
		n := len(all)
		if !yield(p) {
			return
		}
		set(true, 0, n)
		if !yield(p) {
			return
		}
		for end := n - 1; end > 0; end-- {
			set(false, end, n)
			if !yield(p) {
				return
			}
		}
		for i := range n {
			set(true, 0, n)
			set(false, i, i+1)
			if !yield(p) {
				return
			}
			set(false, 0, n)
			set(true, i, i+1)
			if !yield(p) {
				return
			}
		}
		for i := range n {
			set(true, 0, n)
			set(false, i, i+1)
			for end := n - 1; end > i+1; end-- {
				set(false, end, n)
				if !yield(p) {
					return
				}
			}
		}
		for i := range n {
			for j := range i {
				set(false, 0, n)
				set(true, i, i+1)
				set(true, j, j+1)
				if !yield(p) {
					return
				}
			}
		}
	}
}

// random visits choices by seed while there is room, but does not go on for
// ever if they repeat.
func (s *Space) random(max int, seed uint64, room func() bool, visit func(State) bool) {
	rng := rand.New(rand.NewPCG(seed, uint64(s.point)))
	for tries := 0; tries < 4*max && room(); tries++ {
		var st State
		if s.profile == Weak {
			st = s.state(s.draw(rng))
		} else {
			st = s.drawDigits(rng)
		}
		if !visit(st) {
			return
		}
	}
}

// draw keeps, drops or damages each page; of a damaged one a quarter of the
// sectors is right, half is damaged and a quarter is lost.
func (s *Space) draw(rng *rand.Rand) *pick {
	p := s.newPick()
	p.own = make([]fill, len(p.keep))
	type page struct {
		node *node
		at   int
	}
	pages := map[page]int{}
	for _, c := range s.all() {
		i := c.seq - p.from
		switch {
		case c.node == nil || c.sector < 0:
			p.keep[i] = rng.IntN(4) > 0
			continue
		}
		at := page{c.node, c.sector * SectorBytes / PageBytes}
		how, ok := pages[at]
		if !ok {
			how = rng.IntN(3)
			pages[at] = how
		}
		switch damage := rng.IntN(4); {
		case how == 0:
			p.keep[i] = true
		case how == 2 && damage == 0:
			p.keep[i] = true
		case how == 2 && damage < 3:
			p.own[i] = fillGarbage + fill(rng.IntN(int(fills-1)))
		}
	}
	return p
}

// drawDigits is any content, for the profiles with rules of their own.
func (s *Space) drawDigits(rng *rand.Rand) State {
	digits := make([]int, len(s.vars))
	for i := range digits {
		digits[i] = rng.IntN(s.vars[i].radix())
	}
	s.disk.mu.Lock()
	st := newState(s, s.assignment(digits))
	s.disk.mu.Unlock()
	for i, f := range st.tree.files {
		st.enter(i, rng.IntN(len(f.variants)))
		for j := range st.choice[i].options {
			st.choice[i].options[j] = uint16(rng.IntN(len(f.variants[st.choice[i].variant].units[j].options)))
		}
	}
	return st
}
