package kv

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

var sweepPairs = flag.Bool("sweep.pairs", false, "fail pairs of calls: minutes")

// pairFirsts are the first faults of the pairs, each at one call.
var pairFirsts = []string{"any * #%d EIO", "any * #%d ENOSPC", "any * #%d EIO after"}

// pairMark stands between a scenario and the first fault of a pair in a name.
const pairMark = " + "

// TestErrorSweepOfPairs fails two calls: the first is each one that comes by a
// path of its own through a scenario without faults, the second each one that
// comes by a path of its own through what is left of the run then.
func TestErrorSweepOfPairs(t *testing.T) {
	if !*sweepPairs {
		t.Skip("pairs of faults take minutes: -sweep.pairs asks for them")
	}
	s := newSweep(t)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	firsts := 0
	for _, sc := range s.scenarios {
		if sc.rules != "" || sc.before != "" {
			continue
		}
		sc.every = false
		for _, at := range s.turnsOf(t, sc)["any"] {
			for _, first := range pairFirsts {
				firsts++
				group.Go(func() error { return s.seconds(t, sc, fmt.Sprintf(first, at.number)) })
			}
		}
	}
	require.NoError(t, group.Wait())
	t.Logf("%d trials of pairs with %d first faults\n%s", s.trials.Load(), firsts, s.sites)
}

// seconds goes through the second faults of one first fault.
func (s *sweep) seconds(t testing.TB, sc scenario, first string) error {
	sc.name, sc.rules = sc.name+pairMark+first, first
	own := &sweep{sites: s.sites, scenarios: s.scenarios, seen: map[string]int{}}
	its := own.turnsOf(t, sc)
	for _, p := range s.passes() {
		if p.errno != "EIO" && p.errno != "ENOSPC" {
			continue
		}
		if err := own.pass(t.Context(), t, sc, p, its); err != nil {
			return err
		}
	}
	s.trials.Add(own.trials.Load())
	return nil
}

// named returns the scenario with that name, which may have the first fault of
// a pair in it.
func (s *sweep) named(name string) (scenario, error) {
	base, first, paired := strings.Cut(name, pairMark)
	for _, sc := range s.scenarios {
		if sc.name == name {
			return sc, nil
		}
		if paired && sc.name == base {
			sc.name, sc.rules = name, first
			return sc, nil
		}
	}
	return scenario{}, fmt.Errorf("there is no scenario %q", name)
}
