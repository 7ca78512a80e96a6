package kvtest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"holdfast/faultfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record runs a plan, kills the store at a crash point, opens it again, and
// returns every call that it made.
func record(o Options, plan []string, point int) (calls []string, err error) {
	var all []*recorder
	o.wrap = func(fsys afero.Fs) afero.Fs {
		all = append(all, &recorder{Fs: fsys})
		return all[len(all)-1]
	}
	s := Subject(o)
	v, err := faultfs.Replay(s, fmt.Sprintf("%s/weak/%s/%d-kill", s.Name, strings.Join(plan, ","), point))
	if v != nil {
		return nil, fmt.Errorf("%s", v.Reason)
	}
	for _, r := range all {
		calls = append(calls, r.calls...)
	}
	return calls, err
}

// plan has every word once, and some behind others that change what they do.
func everyWord(o Options) []string {
	return append(o.words(), "set", "roll", "batch", "over", "bulk", "delete", "sector")
}

// The same plan makes the same calls with the same bytes, whoever else runs.
func TestSamePlanSameCalls(t *testing.T) {
	const rounds, point = 100, 60
	for _, o := range []Options{{}, {Interval: true}} {
		want, err := record(o, everyWord(o), point)
		require.NoError(t, err)
		require.Greater(t, len(want), 200)
		var g errgroup.Group
		g.SetLimit(8)
		for range rounds {
			g.Go(func() error {
				got, err := record(o, everyWord(o), point)
				if err == nil && !slices.Equal(want, got) {
					at := 0
					for at < min(len(want), len(got)) && want[at] == got[at] {
						at++
					}
					err = fmt.Errorf("%d calls and %d; the first that differs: %q and %q", len(want), len(got), want[at:][:1], got[at:][:1])
				}
				return err
			})
		}
		require.NoError(t, g.Wait())
	}
}

var logWrite = regexp.MustCompile(`^writeat /db/(\d+)\.seg (\d+)\+(\d+) .*: <nil>$`)

// logWrites returns first offset and end of what the last word of a plan writes
// to segments, headers excepted.
func logWrites(t *testing.T, o Options, plan ...string) (writes [][2]int) {
	count := func(plan []string) (all [][2]int) {
		calls, err := record(o, plan, 0)
		require.NoError(t, err)
		for _, call := range calls {
			if m := logWrite.FindStringSubmatch(call); m != nil && m[2] != "0" {
				from, _ := strconv.Atoi(m[2])
				size, _ := strconv.Atoi(m[3])
				all = append(all, [2]int{from, from + size})
			}
		}
		return all[:max(0, len(all)-1)] // but for the probe of the recovery
	}
	with := count(plan)
	return with[len(count(append([]string{"missing"}, plan[1:len(plan)-1]...))):]
}

// Each word does to the log what it is there for.
func TestWordsDoWhatTheySay(t *testing.T) {
	const sector = faultfs.SectorBytes
	last := func(plan ...string) (from, to int) {
		w := logWrites(t, Options{}, append([]string{"missing"}, plan...)...)
		require.NotEmpty(t, w, "%v", plan)
		return w[len(w)-1][0], w[len(w)-1][1]
	}
	sectors := func(plan ...string) int {
		from, to := last(plan...)
		return (to-1)/sector - from/sector + 1
	}
	for _, before := range [][]string{nil, {"set"}, {"several"}, {"bulk", "set"}, {"several", "several"}, {"roll"}, {"big"}, {"reopen"}, {"set", "reopen", "set"}} {
		_, to := last(append(before, "sector")...)
		require.Zero(t, to%sector, "%v", before)
	}
	require.Equal(t, 1, sectors("set"))
	require.Equal(t, 2, sectors("cross"))
	require.GreaterOrEqual(t, sectors("several"), 4)
	require.Equal(t, 1, sectors("batch"))
	require.GreaterOrEqual(t, sectors("bulk"), 4)
	from, to := last("big")
	require.Equal(t, sector, from)
	require.Greater(t, to, segmentBytes)
	from, _ = last("set", "roll")
	require.Equal(t, sector, from, "the last record of roll is the first of its segment")
	for _, word := range []string{"over", "delete", "missing"} {
		require.Equal(t, 1, sectors(word), word)
	}
	require.Empty(t, logWrites(t, Options{}, "missing", "set", "reopen"))

	lazy := Options{Interval: true}
	require.Empty(t, logWrites(t, lazy, "missing", "set"))
	require.Len(t, logWrites(t, lazy, "missing", "set", "set", "sync"), 1)
}

// A store whose disk forgets is found out, by each rule of this kind that there
// is. So the subject says what it sees, and not what it would like to.
func TestLiesAreFoundOut(t *testing.T) {
	for rule, reason := range map[string]string{
		`sync *.seg lost`:              "lost: key",
		`syncdir /db lost`:             "a new store was created",
		`sync MANIFEST-* lost`:         "Open refused",
		`remove MANIFEST-00000002 EIO`: "the store grows",
		`sync *.seg EIO`:               "failed",
	} {
		s := Subject(Options{wrap: func(fsys afero.Fs) afero.Fs { return faultfs.New(fsys, faultfs.MustParse(rule)...) }})
		r, err := faultfs.Explore(context.Background(), s, faultfs.ExploreOptions{
			Plans: slices.Values([][]string{{"set"}}), MaxViolations: 3,
		})
		require.NoError(t, err, rule)
		var reasons []string
		for _, v := range r.Violations {
			reasons = append(reasons, v.Reason)
		}
		require.Contains(t, strings.Join(reasons, "\n"), reason, rule)
	}
}

func TestPlans(t *testing.T) {
	o := Options{}
	n, seen := 0, map[string]bool{}
	var plans [][]string
	for p := range Plans(o, 2, 7) {
		if n++; n > 400 {
			break
		}
		plans = append(plans, slices.Clone(p))
		if len(p) > 0 && len(p) != 3 {
			require.True(t, seen[strings.Join(p[:len(p)-1], ",")], "%v: its beginning comes before it", p)
		}
		seen[strings.Join(p, ",")] = true
	}
	require.EqualValues(t, 1+12+144, Exhaustive(o, 2))
	for i, p := range plans {
		if uint64(i) < Exhaustive(o, 2) {
			require.LessOrEqual(t, len(p), 2)
		} else {
			require.Greater(t, len(p), 2)
			require.LessOrEqual(t, len(p), 2+maxRandomWords)
		}
	}
	require.Len(t, plansByText(plans[:Exhaustive(o, 2)]), 157, "all differ")
	n = 0
	for p := range Plans(o, 2, 7) {
		if n == len(plans) {
			break
		}
		require.Equal(t, plans[n], p)
		n++
	}
	for p := range Plans(o, 0, 8) {
		require.Empty(t, p)
		break
	}
}

func plansByText(plans [][]string) map[string]bool {
	set := map[string]bool{}
	for _, p := range plans {
		set[strings.Join(p, ",")] = true
	}
	return set
}

func TestOptionsForALine(t *testing.T) {
	for line, want := range map[string]Options{"kv/weak/set/3-kill": {}, " kv-interval/xfs/-": {Interval: true}} {
		o, err := OptionsFor(line)
		require.NoError(t, err)
		require.Equal(t, want.Interval, o.Interval)
		_, err = faultfs.Replay(Subject(o), line)
		require.NoError(t, err)
	}
	for _, line := range []string{"", "redis/weak/set", "kv weak"} {
		_, err := OptionsFor(line)
		require.ErrorContains(t, err, `want "kv" or "kv-interval"`)
	}
}
