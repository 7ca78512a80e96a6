package zoo

import (
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"

	"github.com/spf13/afero"

	"holdfast/faultfs"
)

// The words of a plan. Values are unique; that of "big" takes several sectors.
const (
	wordSet    = "set"    // the key "a"
	wordBig    = "big"    // the key "b"
	wordDelete = "delete" // the key "a"
)

// bigBytes is the size of a big value: over two sectors, and not by whole ones.
const bigBytes = 1300

// Plans yields every plan of up to so many words, the shorter ones first.
func Plans(words int) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for n := range words + 1 {
			for plan := range PlansOf(n) {
				if !yield(plan) {
					return
				}
			}
		}
	}
}

// PlansOf yields every plan of exactly so many words.
func PlansOf(words int) iter.Seq[[]string] {
	alphabet := []string{wordSet, wordBig, wordDelete}
	return func(yield func([]string) bool) {
		plan := make([]int, words)
		for {
			named := make([]string, words)
			for i, w := range plan {
				named[i] = alphabet[w]
			}
			if !yield(named) {
				return
			}
			i := words - 1
			for ; i >= 0 && plan[i] == len(alphabet)-1; i-- {
				plan[i] = 0
			}
			if i < 0 {
				return
			}
			plan[i]++
		}
	}
}

// Subject is the species for [faultfs.Explore]. Before the first crash it
// writes what the plan says. After each it reads everything, and writes the key
// "r" once more.
func (s Species) Subject() faultfs.Subject {
	return faultfs.Subject{
		Name:    s.Name,
		Words:   []string{wordSet, wordBig, wordDelete},
		Load:    s.load,
		Recover: s.recover,
		Judge:   Judge,
	}
}

func (s Species) load(r *faultfs.Run, plan []string) error {
	rules, err := faultfs.ParseRules(s.Rules)
	if err != nil {
		return err
	}
	var fsys afero.Fs = r.FS()
	if len(rules) > 0 {
		fsys = faultfs.New(fsys, rules...)
	}
	store, err := s.Open(fsys)
	if err != nil {
		return fmt.Errorf("making the store: %w", err)
	}
	for i, word := range plan {
		r.Step()
		write(r, store, changeFor(word, i+1))
	}
	r.PowerOff()
	_ = store.Close() // the power is off
	return nil
}

// changeFor is the n-th word of a plan.
func changeFor(word string, n int) Change {
	value := fmt.Sprintf("value %d ", n)
	switch word {
	case wordDelete:
		return Change{Key: "a", Delete: true}
	case wordBig:
		return Change{Key: "b", Value: value + strings.Repeat(strconv.Itoa(n), bigBytes-len(value))}
	}
	return Change{Key: "a", Value: value}
}

func write(r *faultfs.Run, store Store, c Change) {
	r.Note(issued{c})
	if err := store.Write(c); err != nil {
		r.Note(failed{})
	} else {
		r.Note(acked{})
	}
}

func (s Species) recover(r *faultfs.Run) {
	store, err := s.Open(r.FS())
	if err != nil {
		r.Note(refused{err.Error()})
		r.PowerOff()
		return
	}
	all := maps.Clone(store.All())
	r.Note(found{all})
	again, _ := strconv.Atoi(strings.TrimPrefix(all["r"], "again ")) // 0 if it is not there
	write(r, store, Change{Key: "r", Value: fmt.Sprintf("again %d", again+1)})
	r.PowerOff()
	_ = store.Close() // the power is off
}
