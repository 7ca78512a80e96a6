package faultfs

import (
	"fmt"
	"iter"
	"math/big"
	"strings"
)

// maxTrees bounds how many choices about names Count looks at.
const maxTrees = 1 << 14

// Space is the set of legal contents of a disk after a crash at one point. It
// is not changed by what happens to its disk later; it may be used by one
// goroutine at a time.
//
// A content is a choice about names, and then for each file that has one a
// choice about its size, and then one for each sector below that size that has
// pending changes. No two choices make the same content, except where two files,
// or two sectors, that could stand in one place happen to be equal.
//
// In one file up to 6 pending changes of the size, and in one sector up to 4 of
// its bytes, are combined in every way. Of more only the prefixes, each one
// alone and each one left out are in the Space, and Count says so.
type Space struct {
	disk    *Disk
	point   int
	profile Profile
	vars    []nameVar
	known   map[string]*assignment
	files   map[fileKey]*fileSpace
	pending []pending // nil before it is asked for
}

type fileKey struct {
	node *node
	must int
}

// Space returns the legal contents of the disk after a crash at point k, 0 to
// Points: the base with all that was forced by syncs that had returned by then,
// and any choice of the rest that the profile allows.
func (d *Disk) Space(k int, p Profile) *Space {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.space(k, p)
}

func (d *Disk) space(k int, p Profile) *Space {
	k = max(0, min(k, d.point))
	return &Space{disk: d, point: k, profile: p, vars: d.nameVars(k, p),
		known: map[string]*assignment{}, files: map[fileKey]*fileSpace{}}
}

// file returns what may be left of n. The disk is locked.
func (s *Space) file(n *node, must int) *fileSpace {
	key := fileKey{n, must}
	f := s.files[key]
	if f == nil {
		f = s.disk.fileSpace(n, s.point, fileRules{s.profile, must})
		s.files[key] = f
	}
	return f
}

// assignment returns the one of digits, or nil if there is no such one.
func (s *Space) assignment(digits []int) *assignment {
	key := make([]byte, 0, 2*len(digits))
	for _, digit := range digits {
		key = append(key, byte(digit), byte(digit>>8))
	}
	a, ok := s.known[string(key)]
	if !ok {
		a = s.assign(digits)
		if len(s.known) < maxTrees {
			s.known[string(key)] = a
		}
	}
	return a
}

// trees returns all assignments, the first with no name chosen. Where names
// change in any order, several choices may come to the same tree.
func (s *Space) trees() iter.Seq[*assignment] {
	return func(yield func(*assignment) bool) {
		digits := make([]int, len(s.vars))
		seen := map[uint64]bool{}
		for {
			s.disk.mu.Lock()
			a := s.assignment(digits)
			s.disk.mu.Unlock()
			if a != nil && s.profile == Btrfs {
				if sum := a.sum(); seen[sum] {
					a = nil
				} else {
					seen[sum] = true
				}
			}
			if a != nil && !yield(a) {
				return
			}
			if !s.next(digits) {
				return
			}
		}
	}
}

// next counts digits up, and reports whether there is a next.
func (s *Space) next(digits []int) bool {
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i]++; digits[i] < s.vars[i].radix() {
			return true
		}
		digits[i] = 0
	}
	return false
}

// Count returns how many contents All returns. If capped is set there are at
// least n.
func (s *Space) Count() (n uint64, capped bool) {
	looked := 0
	for a := range s.trees() {
		n = addSat(n, a.count)
		capped = capped || a.capped || n == saturated
		if looked++; looked == maxTrees {
			return n, true
		}
	}
	return n, capped
}

// All returns every choice once, lazily, in a fixed order, the first with
// nothing kept that was not forced.
func (s *Space) All() iter.Seq[State] {
	return func(yield func(State) bool) {
		for a := range s.trees() {
			st := newState(s, a)
			for {
				if !yield(st) {
					return
				}
				if !st.next() {
					break
				}
			}
		}
	}
}

// idSeparator stands between the two numbers of an ID, in base 36 with small
// letters.
const idSeparator = "X"

// State returns the content that State.ID called id.
func (s *Space) State(id string) (State, error) {
	tree, rest, _ := strings.Cut(id, idSeparator)
	if tree == "" {
		return State{}, fmt.Errorf("state %q: it begins with no number", id)
	}
	digits := make([]int, len(s.vars))
	n, err := parseRank(tree)
	if err != nil {
		return State{}, fmt.Errorf("state %q: %w", id, err)
	}
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = int(takeDigit(n, big.NewInt(int64(s.vars[i].radix()))).Int64())
	}
	if n.Sign() != 0 {
		return State{}, fmt.Errorf("state %q: there is no such choice of names at this point", id)
	}
	s.disk.mu.Lock()
	a := s.assignment(digits)
	s.disk.mu.Unlock()
	if a == nil {
		return State{}, fmt.Errorf("state %q: it is another one's twin", id)
	}
	st := newState(s, a)
	if n, err = parseRank(rest); err == nil {
		err = st.setRank(n)
	}
	if err != nil {
		return State{}, fmt.Errorf("state %q: %w", id, err)
	}
	return st, nil
}

// parseRank reads a number in base 36; nothing is zero.
func parseRank(text string) (*big.Int, error) {
	if text == "" {
		return new(big.Int), nil
	}
	const maxDigits = 4096
	n, ok := new(big.Int).SetString(text[:min(len(text), maxDigits)], 36)
	if !ok || n.Sign() < 0 || len(text) > maxDigits {
		return nil, fmt.Errorf("%.20q is no number in base 36", text)
	}
	return n, nil
}

// takeDigit takes the last digit off n.
func takeDigit(n, radix *big.Int) *big.Int {
	digit := new(big.Int)
	n.DivMod(n, radix, digit)
	return digit
}

func addDigit(n, radix, digit *big.Int) { n.Add(n.Mul(n, radix), digit) }
