package faultfs

import (
	"fmt"
	"hash/fnv"
	"slices"
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

// readTree knows the outcome of a recovery by what the recovery reads: a node
// is what it asks next, an edge is the answer, and a leaf what it does when it
// knows enough. Two contents that lead to one leaf are one content to it.
type readTree struct{ root *readNode }

type readNode struct {
	leaf   *result // if not nil nothing more is asked
	fact   Fact
	values []uint64
	nodes  []*readNode // by values
}

// next returns the place of the node after the answer v, nil if it is new.
func (n *readNode) next(v uint64) *readNode {
	for i, have := range n.values {
		if have == v {
			return n.nodes[i]
		}
	}
	return nil
}

// find returns the outcome of recovering s, nil if only a run can tell.
func (t *readTree) find(s *State) *result {
	n := t.root
	for n != nil && n.leaf == nil {
		n = n.next(s.Value(n.fact))
	}
	if n == nil {
		return nil
	}
	return n.leaf
}

// insert adds the outcome of a run on s that asked for reads. It fails if that
// cannot be what a program does that depends on its file system alone.
func (t *readTree) insert(s *State, reads []Fact, o *result) error {
	at := &t.root
	for i, f := range reads {
		if *at == nil {
			*at = &readNode{fact: f}
		}
		n := *at
		if n.leaf != nil {
			return fmt.Errorf("after %d equal reads it once ended and once read %s", i, f)
		}
		if n.fact != f {
			return fmt.Errorf("after %d equal reads it once read %s and once %s", i, n.fact, f)
		}
		v := s.Value(f)
		j := slices.Index(n.values, v)
		if j < 0 {
			j = len(n.values)
			n.values, n.nodes = append(n.values, v), append(n.nodes, nil)
		}
		at = &n.nodes[j]
	}
	if n := *at; n != nil && n.leaf == nil {
		return fmt.Errorf("after %d equal reads it once ended and once read %s", len(reads), n.fact)
	} else if n != nil {
		return fmt.Errorf("a run with %d equal reads was not recognised", len(reads))
	}
	*at = &readNode{leaf: o}
	return nil
}

// String describes what was learnt, for messages.
func (f Fact) String() string {
	switch f.Kind {
	case FactName:
		return "whether there is " + f.Path
	case FactNames:
		return "the names in " + f.Path
	case FactSize:
		return "the size of " + f.Path
	}
	return fmt.Sprintf("sector %d of %s", f.At, f.Path)
}

// callsHash is equal for disks on which the same calls were made, bytes aside.
func callsHash(d *Disk, points int) uint64 {
	h := fnv.New64a()
	for k := 1; k <= points; k++ {
		h.Write([]byte(d.Call(k)))
		h.Write([]byte{0})
	}
	return h.Sum64()
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
