package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/kv/kvtest"
)

func TestExploreFlags(t *testing.T) {
	g, err := parsed(newWorld("explore"))
	require.NoError(t, err)
	subject, o, err := g.Explore.options()
	require.NoError(t, err)
	require.Equal(t, kvtest.Options{}, subject)
	require.Equal(t, 5*time.Minute, g.Explore.Duration)
	require.Equal(t, faultfs.Weak, o.Profile)
	require.NotZero(t, o.Seed, "a new one")
	require.True(t, o.OnlyLast)

	g, err = parsed(newWorld("explore", "--states", "1000", "--seed", "7", "--profile", "btrfs", "--length", "0", "--sync", "1s"))
	require.NoError(t, err)
	subject, o, err = g.Explore.options()
	require.NoError(t, err)
	require.True(t, subject.Interval)
	require.EqualValues(t, 1000, o.MaxStates)
	require.EqualValues(t, 7, o.Seed)
	require.Equal(t, faultfs.Btrfs, o.Profile)
	var lengths []int
	for plan := range o.Plans {
		if lengths = append(lengths, len(plan)); len(lengths) == 2 {
			break
		}
	}
	require.Equal(t, []int{0, 1}, lengths, "the empty plan, and then random ones")
}

func TestExploreRefusesNonsense(t *testing.T) {
	for _, args := range []string{
		"--duration 0s", "--states=-1", "--profile zfs", "--length=-1", "--length 7", "--sync never", "--seed=x",
		"--replay nothing", "--replay kv", "--replay kv/zfs/set", "--replay kv/weak/dance", "--replay kv/weak/set/1",
		"--replay kv/weak/set/999999-kill", "--replay kv/weak/set/1.!", "--replay kv-interval/weak/set/1.zzzzzzzz",
	} {
		w := newWorld(append([]string{"explore"}, strings.Fields(args)...)...)
		require.Equal(t, exitUsage, w.run(), args)
		flag, _, _ := strings.Cut(strings.Fields(args)[0], "=")
		require.Contains(t, w.err.String(), flag, args)
		require.Empty(t, w.out.String(), args)
	}
}

// A small exploration, watched, for real.
func TestExplore(t *testing.T) {
	w := newWorld("explore", "--states", "300", "--duration", "1m", "--seed", "5", "--json")
	w.IsTerminal = func(any) bool { return true }
	require.Equal(t, exitOK, w.run(), &w.err)
	var r exploreReport
	require.NoError(t, json.Unmarshal(w.out.Bytes(), &r))
	require.Equal(t, verdictPass, r.Verdict)
	require.EqualValues(t, 5, r.Seed)
	require.GreaterOrEqual(t, r.Visited, uint64(300))
	require.Equal(t, "kv", r.Store)
	require.Contains(t, w.out.String(), `"violations": []`)
}

// Somebody who does not want to wait gets what there is.
func TestExploreIsInterrupted(t *testing.T) {
	stopped, stop := context.WithCancel(ctx)
	stop()
	w := newWorld("explore", "--duration", "1h")
	require.Equal(t, exitFailure, Run(stopped, w.Env))
	require.Contains(t, w.out.String(), "verdict: inconclusive: 0 states say nothing")
	require.Contains(t, w.err.String(), "inconclusive")
}

func TestExploreReplaysWhatIsWell(t *testing.T) {
	for _, line := range []string{"kv/weak/set,roll/30-kill", "kv-interval/weak/-", "kv/ext4/set/20-kill/3-kill"} {
		w := newWorld("explore", "--replay", line)
		require.Equal(t, exitOK, w.run(), &w.err)
		require.Equal(t, "verdict: pass: every promise is kept after this crash\n", w.out.String())
	}
	w := newWorld("explore", "--replay", "kv/weak/-", "--json")
	require.Equal(t, exitOK, w.run(), &w.err)
	require.Contains(t, w.out.String(), `"violations": []`)
}

func TestExploreReport(t *testing.T) {
	broken := faultfs.Exploration{
		Profile: faultfs.Weak, Seed: 9, Plans: 200, Points: 3000, Legal: 12_000_000, LegalIsMin: true, Visited: 11_000_000,
		Recoveries: 5, Elapsed: time.Second,
		Violations: []faultfs.Violation{{
			Replay: "kv/weak/set/3.k", Found: "kv/weak/set,set/9.kk", Plan: []string{"set"}, Reason: `life 2: lost: key "a" is gone`,
			Crashes:  []faultfs.Crash{{Point: 3, Calls: []string{"write x 0+5"}, Survivors: []string{"x has 0 bytes"}}, {Point: 7, Kill: true}},
			Profiles: []faultfs.Profile{faultfs.Weak, faultfs.XFS},
		}, {Replay: "kv/weak/-/1.0", Found: "kv/weak/-/1.0", Reason: "another"}},
	}
	r := newExploreReport(broken, kvtest.Options{}, 2)
	require.Equal(t, exitDamage, exitCode(r.err()))
	require.ErrorContains(t, r.err(), `key "a" is gone`)
	var text strings.Builder
	require.NoError(t, r.WriteText(&text))
	for _, line := range []string{
		"200: 157 of the 157 with up to 2 words, and random longer ones",
		"11,000,000 of at least 12,000,000 legal ones",
		"explore --replay kv/weak/set/3.k\n", "found as    kv/weak/set,set/9.kk", "power cut at point 3", "kill at point 7",
		"write x 0+5", "x has 0 bytes", "weak, xfs", "nothing but opening the store",
		"verdict: fail: life 2: lost",
	} {
		require.Contains(t, text.String(), line)
	}
	require.Equal(t, 1, strings.Count(text.String(), "found as"))

	again := newReplayReport(&broken.Violations[0])
	require.Equal(t, exitDamage, exitCode(again.err()))
	text.Reset()
	require.NoError(t, again.WriteText(&text))
	require.NotContains(t, text.String(), "states visited")
	require.Contains(t, text.String(), "verdict: fail")

	line := progressLine(broken, 10*time.Second)
	require.Equal(t, "200 plans, 11,000,000 states, 11,000,000/s, 2 violations, 9 s left", line)
}
