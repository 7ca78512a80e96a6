package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/chaos"
)

func TestChaosFlagsBecomeACampaign(t *testing.T) {
	g, err := parsed(newWorld("chaos", "--duration", "10s", "--writers", "4", "--readers", "0", "--keys", "100",
		"--value-size", "1KiB", "--kill-every", "2s", "--sync", "100ms", "--seed", "7", "--report", "dir"))
	require.NoError(t, err)
	cfg, err := g.Chaos.config([]string{"exe", "serve"})
	require.NoError(t, err)
	require.Equal(t, chaos.Config{
		Server: []string{"exe", "serve"}, Duration: 10 * time.Second, Writers: 4, Readers: -1, Keys: 100,
		ValueSize: 1024, KillEvery: 2 * time.Second, Sync: "100ms", Seed: 7, ReportDir: "dir",
	}, cfg)
}

func TestChaosRefusesNonsense(t *testing.T) {
	for _, args := range []string{
		"--duration 0s", "--kill-every 0s", "--writers 0", "--readers=-1", "--keys 63", "--value-size 35", "--sync never", "--seed=-1",
	} {
		w := newWorld(append([]string{"chaos"}, strings.Fields(args)...)...)
		require.Equal(t, exitUsage, w.run(), args)
		flag, _, _ := strings.Cut(strings.Fields(args)[0], "=")
		require.Contains(t, w.err.String(), flag)
	}
}

func TestVerdictDecidesTheExitCode(t *testing.T) {
	require.NoError(t, verdict(&chaos.Report{Verdict: chaos.Pass}))
	for v, want := range map[chaos.Verdict]int{chaos.Fail: exitDamage, chaos.Inconclusive: exitFailure} {
		err := verdict(&chaos.Report{Verdict: v, Reason: "because"})
		require.Equal(t, want, exitCode(err))
		require.ErrorContains(t, err, "because")
	}
}

// A report that cannot be stored does not hide what the campaign found.
func TestLossCountsEvenIfTheReportCannotBeStored(t *testing.T) {
	var out strings.Builder
	unstored := errors.New("no space for the report")
	err := new(chaosCmd).conclude(&out, &chaos.Report{Verdict: chaos.Fail, Reason: "three writes are gone"}, unstored)
	require.Equal(t, exitDamage, exitCode(err))
	require.ErrorIs(t, err, unstored)
	require.Contains(t, out.String(), "three writes are gone")

	err = new(chaosCmd).conclude(&out, nil, unstored)
	require.Equal(t, exitFailure, exitCode(err))
	require.ErrorIs(t, err, unstored)
	require.NoError(t, new(chaosCmd).conclude(&out, &chaos.Report{Verdict: chaos.Pass}, nil))
}
