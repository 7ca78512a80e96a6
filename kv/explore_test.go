package kv_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/kv"
	"holdfast/kv/kvtest"
)

var (
	exploreDuration = flag.Duration("explore.duration", 0, "how long TestExplore explores; 0: 20 s, less with -short and under -race")
	exploreSeed     = flag.Uint64("explore.seed", 0, "seed of TestExplore; 0: a new one, which is printed")
)

// TestExplore crashes a store after every call, in every plan of up to two words
// and then in random longer ones, starts it again on the legal contents of the
// disk, crashes that again, and holds what it says against what it promised. It is
// a slice of "holdfast explore"; a violation replays with its line:
//
//	holdfast explore --replay LINE
//	go test ./kv -run 'TestExplore$' -explore.duration=5m -explore.seed=N
func TestExplore(t *testing.T) {
	seed, duration := *exploreSeed, exploreFor()
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-explore.seed=%d", seed)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // nearly twice as many states a second
	for _, o := range []kvtest.Options{{}, {Interval: true}} {
		subject := kvtest.Subject(o)
		t.Run(subject.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), duration/2)
			defer cancel()
			const length = 2
			r, err := faultfs.Explore(ctx, subject, faultfs.ExploreOptions{
				Plans: kvtest.Plans(o, length, seed), OnlyLast: true, Seed: seed,
			})
			require.NoError(t, err)
			t.Logf("%d plans (%d are exhaustive), %d crash points, %d of %d legal states visited, %d recoveries",
				r.Plans, kvtest.Exhaustive(o, length), r.Points, r.Visited, r.Legal, r.Recoveries)
			for _, v := range r.Violations {
				t.Errorf("%s\nholdfast explore --replay '%s'\n%+v", v.Reason, v.Replay, v.Crashes)
			}
			require.Greater(t, r.Visited, uint64(100), "too few to say anything")
			require.Greater(t, r.Nested, uint64(10))
		})
	}
}

// exploreFor is how long TestExplore takes.
func exploreFor() time.Duration {
	switch {
	case *exploreDuration > 0:
		return *exploreDuration
	case testing.Short():
		return 4 * time.Second
	case kv.RaceEnabled:
		return 8 * time.Second
	}
	return 20 * time.Second
}
