package faultfs_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/faultfs"
)

// plans makes plans of lines of words.
func plans(lines ...string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		plan := make([]string, 0, 8) // one for all: the explorer must not rely on more
		for _, line := range lines {
			plan = append(plan[:0], strings.Fields(line)...)
			if !yield(plan) {
				return
			}
		}
	}
}

var toyPlans = []string{"", "set", "big", "set roll big bad", "bad bad set", "big big set roll set", "set scratch set"}

func explore(t *testing.T, s faultfs.Subject, o faultfs.ExploreOptions) faultfs.Exploration {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	got, err := faultfs.Explore(t.Context(), s, o)
	require.NoError(t, err)
	return got
}

func TestExploreFindsNothingInACorrectStore(t *testing.T) {
	for _, p := range faultfs.Profiles() {
		got := explore(t, toySubject(toyBugs{}), faultfs.ExploreOptions{Profile: p, Plans: plans(toyPlans...)})
		require.Empty(t, got.Violations, p)
		require.EqualValues(t, len(toyPlans), got.Plans)
		require.Greater(t, got.Killed, uint64(100))
		if p == faultfs.Weak {
			require.Greater(t, got.EqualRead, uint64(1000))
		}
	}
}

// What is counted does not depend on the number of workers.
func TestExploreCountsTheSameEveryTime(t *testing.T) {
	o := faultfs.ExploreOptions{Plans: plans(toyPlans...), Seed: 7, Workers: 1}
	one := explore(t, toySubject(toyBugs{}), o)
	one.Elapsed = 0
	for workers := range 4 {
		o.Workers = workers
		got := explore(t, toySubject(toyBugs{}), o)
		got.Elapsed = 0
		require.Equal(t, one, got)
	}
	require.LessOrEqual(t, one.Visited, one.Legal)
	require.Less(t, one.Nested, one.Visited)
	require.Less(t, one.EqualRead, one.Unique)
}

// The bounds hold for each crash point, whatever is legal there.
func TestExploreBounds(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7} {
		o := faultfs.ExploreOptions{Plans: plans("big big scratch"), StatesPerPoint: n, NestedPerPoint: n}
		got := explore(t, toySubject(toyBugs{}), o)
		require.LessOrEqual(t, got.Visited-got.Killed, got.Points*uint64(n))
		require.Greater(t, got.Legal, got.Points*uint64(n))

		o.Nesting = 1
		flat := explore(t, toySubject(toyBugs{}), o)
		require.Zero(t, flat.Nested)
		require.Less(t, flat.Points, got.Points)
		require.Less(t, got.Recoveries, 3*flat.Recoveries+30, "nesting costs about as much as the rest")
	}
}

// On a store that writes nothing all counts can be worked out by hand.
func TestExploreCounts(t *testing.T) {
	s := faultfs.Subject{
		Name: "hand",
		Load: func(r *faultfs.Run, _ []string) error {
			f, err := r.FS().Create("/a") // point 1: the name is there or not
			if err == nil {
				err = f.Close()
			}
			return err
		},
		Recover: func(r *faultfs.Run) { _, _ = r.FS().Stat("/a") },
		Judge:   func([]faultfs.Life) error { return nil },
	}
	got := explore(t, s, faultfs.ExploreOptions{Nesting: 1})
	got.Elapsed = 0
	require.Equal(t, faultfs.Exploration{
		Profile: faultfs.Weak, Plans: 1,
		Points: 2, // before and after the call
		Legal:  4, Visited: 4, Killed: 1,
		Unique:     2, // nothing, and an empty file; at point 0 nothing again
		EqualRead:  0,
		Recoveries: 3, // of both, and after the kill
		Violations: []faultfs.Violation{},
	}, got)
	require.Equal(t, faultfs.Exploration{Visited: 6, Elapsed: 2 * time.Second}.StatesPerSecond(), 3.0)

	got = explore(t, s, faultfs.ExploreOptions{Nesting: 2})
	require.EqualValues(t, 2+3, got.Points, "each recovery has one")
	require.EqualValues(t, 4+1+1+2, got.Legal, "the power cut after the kill still decides about the name")
	require.EqualValues(t, got.Legal, got.Visited)
	require.EqualValues(t, 4, got.Nested)
	require.EqualValues(t, 3, got.Killed)
	require.EqualValues(t, 2, got.Unique)
	require.EqualValues(t, 3, got.Recoveries)
}

// Plans that contain all their beginnings lose nothing by OnlyLast.
func TestExploreOnlyLastVisitsTheSameStates(t *testing.T) {
	all := plans("", "set", "set roll", "set roll set", "set bad", "set bad set", "bad", "bad big")
	visited := func(onlyLast bool) (map[string]bool, uint64) {
		seen := map[string]bool{}
		s := toySubject(toyBugs{})
		s.Judge = func(lives []faultfs.Life) error {
			seen[fmt.Sprint(lives)] = true
			return judgeToy(lives)
		}
		got := explore(t, s, faultfs.ExploreOptions{Plans: all, OnlyLast: onlyLast, Nesting: 1, Workers: 1})
		return seen, got.Visited
	}
	full, n := visited(false)
	last, m := visited(true)
	require.Equal(t, full, last)
	require.Less(t, m, n*2/3)
}

func TestExploreEnds(t *testing.T) {
	s := toySubject(toyBugs{})
	endless := func(yield func([]string) bool) {
		for yield([]string{"set", "big"}) {
		}
	}
	t.Run("MaxStates", func(t *testing.T) {
		got := explore(t, s, faultfs.ExploreOptions{Plans: endless, MaxStates: 5000})
		require.GreaterOrEqual(t, got.Visited, uint64(5000))
		require.Less(t, got.Visited, uint64(20000))
	})
	t.Run("Context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int64
		judge := s.Judge
		s := s
		s.Judge = func(lives []faultfs.Life) error {
			if n.Add(1) == 100 {
				cancel()
			}
			return judge(lives)
		}
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		got, err := faultfs.Explore(ctx, s, faultfs.ExploreOptions{Plans: endless, Workers: 1})
		require.NoError(t, err)
		require.Positive(t, got.Visited)
	})
	t.Run("ContextThatHasEnded", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		got, err := faultfs.Explore(ctx, s, faultfs.ExploreOptions{Plans: endless})
		require.NoError(t, err)
		require.Zero(t, got.Visited)
	})
}

func TestExploreReportsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := toySubject(toyBugs{})
		load := s.Load
		s.Load = func(r *faultfs.Run, plan []string) error {
			time.Sleep(1500 * time.Millisecond)
			return load(r, plan)
		}
		var seen []faultfs.Exploration
		got, err := faultfs.Explore(t.Context(), s, faultfs.ExploreOptions{
			Plans: plans("set", "set", "set", "set"), Workers: 1,
			Progress: func(e faultfs.Exploration) { seen = append(seen, e) },
		})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(seen), 5)
		for i, e := range seen {
			require.Equal(t, time.Duration(i+1)*time.Second, e.Elapsed)
			require.LessOrEqual(t, e.Visited, got.Visited)
		}
		require.Positive(t, seen[len(seen)-1].Visited)
	})
}

// A subject that does something else the second time cannot be explored.
func TestExploreRefusesSubjectsThatAreNotDeterministic(t *testing.T) {
	n := 0
	for name, broken := range map[string]func(*faultfs.Subject){
		"reads": func(s *faultfs.Subject) {
			recovers := s.Recover
			s.Recover = func(r *faultfs.Run) {
				n++
				_, _ = r.FS().Stat(fmt.Sprintf("/%d", n%3))
				recovers(r)
			}
		},
		"events": func(s *faultfs.Subject) {
			recovers := s.Recover
			s.Recover = func(r *faultfs.Run) {
				n++
				r.Note(n)
				recovers(r)
			}
		},
		"calls": func(s *faultfs.Subject) {
			recovers := s.Recover
			s.Recover = func(r *faultfs.Run) {
				if n++; n > 20 {
					_ = r.FS().Mkdir("/odd", 0o777)
				}
				recovers(r)
			}
		},
		"load": func(s *faultfs.Subject) {
			load := s.Load
			s.Load = func(r *faultfs.Run, plan []string) error {
				n++
				r.Note(n)
				return load(r, plan)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n = 0
			s := toySubject(toyBugs{})
			broken(&s)
			_, err := faultfs.Explore(t.Context(), s, faultfs.ExploreOptions{
				Plans: plans("set scratch set", "set", "big", "set set", "big set", "set big", "roll", "roll set", "set roll",
					"set set set", "roll roll", "big big", "bad", "bad set", "set bad", "bad bad", "set roll set", "set set roll"),
				Workers: 1,
			})
			require.ErrorContains(t, err, "toy is not deterministic")
		})
	}
}

// What was proved equal by its reads is run again now and then.
func TestExploreChecksWhatItHasProved(t *testing.T) {
	s := toySubject(toyBugs{})
	n := 0
	s.Recover = func(r *faultfs.Run) {
		n++
		r.Note(n)
	}
	s.Judge = func([]faultfs.Life) error { return nil }
	_, err := faultfs.Explore(t.Context(), s, faultfs.ExploreOptions{Plans: plans("scratch"), Workers: 1, Nesting: 1})
	require.ErrorContains(t, err, "recovery from contents that are equal to it: event 0 was once 1 and once ")
}

// A violation that does not come back is no violation but a subject that is not
// deterministic.
func TestExploreRefusesViolationsThatDoNotReplay(t *testing.T) {
	s := toySubject(toyBugs{})
	n := 0
	s.Judge = func(lives []faultfs.Life) error {
		if n++; n == 10 {
			return errors.New("once")
		}
		return nil
	}
	_, err := faultfs.Explore(t.Context(), s, faultfs.ExploreOptions{Plans: plans("set set"), Workers: 1})
	require.ErrorContains(t, err, `toy is not deterministic: replaying toy/weak/set,set/`)
	require.ErrorContains(t, err, `it was first "once" and then ""`)
}

func TestExploreRefusesBadInput(t *testing.T) {
	good := toySubject(toyBugs{})
	for want, change := range map[string]func(*faultfs.Subject, *faultfs.ExploreOptions){
		"Load, Recover and Judge":          func(s *faultfs.Subject, _ *faultfs.ExploreOptions) { s.Judge = nil },
		`subject "a/b": word "a/b"`:        func(s *faultfs.Subject, _ *faultfs.ExploreOptions) { s.Name = "a/b" },
		`word "it's"`:                      func(s *faultfs.Subject, _ *faultfs.ExploreOptions) { s.Words = []string{"it's"} },
		`profile "fat"`:                    func(_ *faultfs.Subject, o *faultfs.ExploreOptions) { o.Profile = "fat" },
		"no bound may be negative":         func(_ *faultfs.Subject, o *faultfs.ExploreOptions) { o.Nesting = -1 },
		`word "jump": toy knows set, big,`: func(_ *faultfs.Subject, o *faultfs.ExploreOptions) { o.Plans = plans("set jump") },
		`plan "set": running the plan: no`: func(s *faultfs.Subject, o *faultfs.ExploreOptions) {
			s.Load = func(*faultfs.Run, []string) error { return errors.New("no") }
			o.Plans = plans("set")
		},
		"the subject has ended its goroutine": func(s *faultfs.Subject, _ *faultfs.ExploreOptions) {
			s.Recover = func(*faultfs.Run) { runtime.Goexit() }
		},
	} {
		s, o := good, faultfs.ExploreOptions{}
		change(&s, &o)
		_, err := faultfs.Explore(t.Context(), s, o)
		require.ErrorContains(t, err, want)
	}
}
