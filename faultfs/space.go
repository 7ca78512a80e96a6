package faultfs

import "iter"

// Space is the set of legal contents of a disk after a crash at one point. It
// is not changed by what happens to its disk later; it may be used by one
// goroutine at a time.
type Space struct{}

// Count returns how many different contents there are. It is exact unless
// capped is set, when there are at least n.
func (s *Space) Count() (n uint64, capped bool) { panic("todo") }

// All returns every content once, lazily, in a fixed order, the first with
// nothing kept that was not forced.
func (s *Space) All() iter.Seq[State] { panic("todo") }

// Some returns at most max different contents. If there are no more than that
// it is All. Else these come first, as far as max reaches: nothing kept; everything
// kept; all prefixes; each single change left out, and each single one kept;
// pairs of them; each left out with each later end; and then choices by seed, with
// each page kept, dropped or damaged by sector.
func (s *Space) Some(max int, seed uint64) iter.Seq[State] { panic("todo") }

// State returns the content that State.ID called id.
func (s *Space) State(id string) (State, error) { panic("todo") }

// Contains reports whether a disk with this content is legal here. It costs
// more than a look at the hash for spaces that are large.
func (s *Space) Contains(content State) bool { panic("todo") }

// State is one legal content. It is only valid until the iteration that made
// it goes on, unless Clone is called.
type State struct{}

// Clone returns a State that stays valid.
func (s State) Clone() State { panic("todo") }

// ID names the state in its Space, in letters and digits.
func (s State) ID() string { panic("todo") }

// Hash is the same for two states with equal names, sizes and bytes, of the
// same Space or of others, and different for others but for one pair in 2^64.
func (s State) Hash() uint64 { panic("todo") }

// Value is what a look at the content answers to the question f. Equal answers
// have equal values.
func (s State) Value(f Fact) uint64 { panic("todo") }

// Disk returns a disk that starts with this content, all of it durable. It
// stays valid, and costs what its names and sizes cost; bytes are shared.
func (s State) Disk() *Disk { panic("todo") }

// Survivors describes which of the changes that were pending are in the state,
// one line each, and what damaged sectors hold.
func (s State) Survivors() []string { panic("todo") }
