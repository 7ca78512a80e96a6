package faultfs

import (
	"errors"
	"fmt"
	"slices"
)

// readTree knows the result of a recovery by what the recovery reads: a node
// is what it asks next, an edge is the answer, and a leaf what it does when it
// knows enough. Two contents that lead to one leaf are one content to it.
//
// Most questions have had one answer so far. They stand in one node, one after
// the other, of which only the last may have several.
type readTree struct{ root *readNode }

// readNode asks its facts in order. The first values were those, and no others
// have been met: they lead on to the next fact, and that after the last to a leaf
// or, if it is a fork, to the node for its answer.
type readNode struct {
	facts  []Fact
	values []uint64 // of all facts, but for the last one of a fork
	leaf   *result  // nil for a fork

	answers []uint64
	nodes   []*readNode // by answers
}

// find returns the result of recovering s, nil if only a run can tell.
func (t *readTree) find(s *State) *result {
	for n := t.root; n != nil; {
		for i, want := range n.values {
			if s.Value(n.facts[i]) != want {
				return nil
			}
		}
		if n.leaf != nil {
			return n.leaf
		}
		n = n.next(s.Value(n.facts[len(n.facts)-1]))
	}
	return nil
}

// next returns the node after an answer of a fork, nil if it is new.
func (n *readNode) next(answer uint64) *readNode {
	if i := slices.Index(n.answers, answer); i >= 0 {
		return n.nodes[i]
	}
	return nil
}

// insert adds the result of a run on s that asked for reads. It fails if that
// cannot be what a program does that depends on its file system alone.
func (t *readTree) insert(s *State, reads []Fact, o *result) error {
	values := make([]uint64, len(reads))
	for i, f := range reads {
		values[i] = s.Value(f)
	}
	if t.root == nil {
		t.root = &readNode{facts: reads, values: values, leaf: o}
		return nil
	}
	n := t.root
	for at := 0; ; {
		for i := range n.facts {
			switch {
			case at == len(reads):
				return fmt.Errorf("after %d equal reads it once ended and once read %s", at, n.facts[i])
			case n.facts[i] != reads[at]:
				return fmt.Errorf("after %d equal reads it once read %s and once %s", at, n.facts[i], reads[at])
			case i < len(n.values) && n.values[i] != values[at]:
				n.fork(i)
			}
			at++
			if i == len(n.values) {
				break
			}
		}
		if n.leaf != nil {
			return ended(at, reads)
		}
		next := n.next(values[at-1])
		if next == nil {
			n.answers = append(n.answers, values[at-1])
			n.nodes = append(n.nodes, &readNode{facts: reads[at:], values: values[at:], leaf: o})
			return nil
		}
		n = next
	}
}

// ended says what is wrong with a run that came to a leaf after so many reads.
func ended(at int, reads []Fact) error {
	if at < len(reads) {
		return fmt.Errorf("after %d equal reads it once ended and once read %s", at, reads[at])
	}
	return errors.New("all that it read was equal, and it was not recognised")
}

// fork makes fact i of n one with several answers, of which it knows the first.
func (n *readNode) fork(i int) {
	rest := *n
	rest.facts, rest.values = n.facts[i+1:], n.values[i+1:]
	*n = readNode{
		facts: n.facts[:i+1], values: n.values[:i],
		answers: []uint64{n.values[i]}, nodes: []*readNode{&rest},
	}
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
