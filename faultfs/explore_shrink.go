package faultfs

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"sync/atomic"
	"time"
)

// shrinkTime bounds how long one violation is shrunk; what is smallest by then counts.
const shrinkTime = 5 * time.Second

// shrinkStates bounds StatesPerPoint while shrinking: what needs more than that
// to show again is left as it is.
const shrinkStates = 1024

// shrinker looks for the smallest violation of one kind.
type shrinker struct {
	subject *Subject
	o       ExploreOptions
	class   string
	stop    atomic.Bool
}

// shrink returns the violation that r leads to with fewer words in its plan and
// fewer changes that survive, as far as there is time and ctx has not ended. Its
// error says that r does not lead to it a second time.
func shrink(ctx context.Context, s *Subject, o ExploreOptions, r replay, reason string) (Violation, error) {
	found := r.String()
	h, err := r.run(s)
	if err == nil && h.reason != reason {
		err = fmt.Errorf("it was first %q and then %q", reason, h.reason)
	}
	if err != nil {
		return Violation{}, fmt.Errorf("%s is not deterministic: replaying %s: %w", s.Name, found, err)
	}
	x := &shrinker{subject: s, o: o, class: classOf(reason)}
	x.o.StatesPerPoint = min(o.StatesPerPoint, shrinkStates)
	x.o.OnlyLast = false
	ctx, cancel := context.WithTimeout(ctx, shrinkTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { x.stop.Store(true) })()

	r = x.fewestSurvivors(x.fewestWords(x.fewestCrashes(r)))
	h, err = r.run(s)
	if err != nil || classOf(h.reason) != x.class {
		return Violation{}, fmt.Errorf("%s is not deterministic: replaying %s: it was first %q and then %q",
			s.Name, r, reason, h.reason)
	}
	v := h.violation(r)
	v.Found = found
	return v, nil
}

// fewestCrashes looks for a shorter series of crashes with the whole plan: it
// says more than a shorter plan does.
func (x *shrinker) fewestCrashes(r replay) replay {
	for n := range r.crashes {
		if small, ok := x.search(r, n); ok {
			return small
		}
	}
	return r
}

// fewestWords drops words of the plan, many at a time and then single ones, as
// long as what remains still leads to the violation.
func (x *shrinker) fewestWords(r replay) replay {
	for size := max(len(r.plan)/2, 1); size > 0 && len(r.plan) > 0; {
		before := len(r.plan)
		for from := len(r.plan) - size; from >= 0; from-- {
			if from+size > len(r.plan) {
				continue
			}
			shorter := r
			shorter.plan = slices.Delete(slices.Clone(r.plan), from, from+size)
			if small, ok := x.still(shorter); ok {
				r = small
			}
		}
		if len(r.plan) == before {
			size /= 2
		}
		size = min(size, len(r.plan))
	}
	return r
}

// still looks for the violation with the plan of r: with its crashes, and then
// with all others that are no more.
func (x *shrinker) still(r replay) (replay, bool) {
	if x.stop.Load() {
		return r, false
	}
	if h, err := r.run(x.subject); err == nil && classOf(h.reason) == x.class {
		r.crashes = r.crashes[:len(h.lives)]
		return r, true
	}
	return x.search(r, len(r.crashes))
}

// search looks for the violation with the plan of r and at most so many crashes.
func (x *shrinker) search(r replay, crashes int) (small replay, ok bool) {
	p := x.planner(r, crashes, func(l *life) bool {
		r.crashes, ok = l.crashes(), true
		return true
	})
	_ = p.explore() // a plan that cannot be run is no smaller one
	return r, ok
}

// fewestSurvivors looks, with the plan of r and as many crashes, for the fewest
// changes that must survive, or must not.
func (x *shrinker) fewestSurvivors(r replay) replay {
	least := math.MaxInt
	p := x.planner(r, len(r.crashes), func(l *life) bool {
		if n := l.survivors(x.o.Profile); n < least {
			least, r.crashes = n, l.crashes()
		}
		return least == 0
	})
	_ = p.explore() // it was run before
	return r
}

// planner explores the plan of r with at most so many crashes, and calls found
// for each violation that is of the kind until it returns true.
func (x *shrinker) planner(r replay, crashes int, found func(*life) (enough bool)) *planner {
	o := x.o
	o.Nesting = crashes
	p := newPlanner(x.subject, o, r.plan)
	p.every = true
	enough := false
	p.stop = func() bool { return enough || x.stop.Load() }
	p.flush = func(tally) {}
	p.found = func(l *life, reason string) {
		if !enough && classOf(reason) == x.class {
			enough = found(l)
		}
	}
	return p
}

// survivors returns how much must be said to describe the crashes of l and the
// lives before: the changes that survived, or that everything did but for some,
// and kills. A crash of which there is no state at hand comes after all others.
func (l *life) survivors(p Profile) int {
	n := 0
	for ; l != nil; l = l.up {
		switch {
		case l.inner != nil:
			return math.MaxInt - 1
		case l.kill:
			n++
		default:
			kept := l.state.Survivors()
			all := l.disk.Space(l.point, p).Everything().Survivors()
			n += min(len(kept), 2+lacks(kept, all)+lacks(all, kept))
		}
	}
	return n
}

// lacks returns how many of want are not in have.
func lacks(have, want []string) int {
	n := 0
	for _, w := range want {
		if !slices.Contains(have, w) {
			n++
		}
	}
	return n
}

var particulars = regexp.MustCompile(`"(\\.|[^"\\])*"|\d+`)

// classOf returns what is the same in reasons that differ in their particulars:
// numbers and what stands in quotes.
func classOf(reason string) string { return particulars.ReplaceAllString(reason, "#") }
