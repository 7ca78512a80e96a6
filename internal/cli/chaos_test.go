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
		"--value-size", "1KiB", "--kill-every", "2s", "--sync", "100ms", "--seed", "7", "--report", "dir", "--segment-size", "128KiB",
		"--fault", "power,rules='sync * #2 EIO; write * #3 EIO',kill", "--fault", "rules=sync|write * #7 EIO"))
	require.NoError(t, err)
	cfg, err := g.Chaos.config("exe")
	require.NoError(t, err)
	require.Equal(t, chaos.Config{
		Server: []string{"exe", "serve", "--segment-size", "131072"}, Duration: 10 * time.Second, Writers: 4, Readers: -1, Keys: 100,
		ValueSize: 1024, KillEvery: 2 * time.Second, Sync: "100ms", Seed: 7, ReportDir: "dir",
		Faults: []chaos.Fault{
			{Kind: chaos.FaultPower}, {Kind: chaos.FaultRules, Rules: "sync * #2 EIO; write * #3 EIO"},
			{Kind: chaos.FaultKill}, {Kind: chaos.FaultRules, Rules: "sync|write * #7 EIO"},
		},
	}, cfg)
}

func TestChaosFaultsUnlessTold(t *testing.T) {
	faults := func(w *world) []chaos.Fault {
		g, err := parsed(w)
		require.NoError(t, err)
		cfg, err := g.Chaos.config("exe")
		require.NoError(t, err)
		return cfg.Faults
	}
	kill, power := chaos.Fault{Kind: chaos.FaultKill}, chaos.Fault{Kind: chaos.FaultPower}
	require.Equal(t, []chaos.Fault{kill, power}, faults(newWorld("chaos")))
	require.Empty(t, faults(newWorld("chaos", "--control", "no-sync")), "the control has its own")
	require.Equal(t, []chaos.Fault{power}, faults(newWorld("chaos", "--control", "no-dir-sync", "--fault", "power")))
}

// What is left over in an environment, or meant for a server, must not change what a proof proves.
func TestProofsAreSetUpOnTheCommandLineOnly(t *testing.T) {
	w := newWorld("chaos")
	w.Environ = []string{"HOLDFAST_SYNC=100ms", "HOLDFAST_CONTROL=no-sync", "HOLDFAST_FAULT=power", "HOLDFAST_WRITERS=3"}
	g, err := parsed(w)
	require.NoError(t, err)
	cfg, err := g.Chaos.config("exe")
	require.NoError(t, err)
	require.Equal(t, "always", cfg.Sync)
	require.Empty(t, cfg.Control)
	require.Equal(t, []chaos.Fault{{Kind: chaos.FaultKill}, {Kind: chaos.FaultPower}}, cfg.Faults)
	require.Equal(t, 3, cfg.Writers, "what proves the same may come from there")

	w.Args = []string{"bench"}
	g, err = parsed(w)
	require.NoError(t, err)
	require.Equal(t, "always", g.Bench.Server.Sync.String())

	w = newWorld("chaos", "--help")
	require.Equal(t, exitOK, w.run())
	for _, name := range []string{"SYNC", "CONTROL", "FAULT"} {
		require.NotContains(t, w.out.String(), "$HOLDFAST_"+name+")")
	}
	require.Contains(t, w.out.String(), "$HOLDFAST_WRITERS")
}

func TestChaosRefusesNonsense(t *testing.T) {
	for _, args := range []string{
		"--duration 0s", "--kill-every 0s", "--writers 0", "--readers=-1", "--keys 63", "--value-size 35", "--sync never", "--seed=-1",
		"--fault fire", "--fault kill,", "--fault rules=", "--fault rules='sync", "--control no-fsck",
		"--control no-sync --fault kill",
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
