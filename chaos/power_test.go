package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/internal/vfs"
)

// powerConfig is fakeConfig with the power cut.
func powerConfig(t *testing.T, lie string) Config {
	cfg := fakeConfig(t, lie)
	cfg.Faults = []Fault{{Kind: FaultPower}}
	return cfg
}

func TestHonestServerSurvivesPowerCuts(t *testing.T) {
	t.Parallel()
	r := campaignUntil(t, powerConfig(t, ""), func(r *Report) bool { return isPass(r) && r.Power.Cuts > 3 })
	require.Equal(t, "power", r.Fault)
	require.Positive(t, r.Power.DroppingBytes)
	require.Positive(t, r.Power.Bytes)
	require.Equal(t, r.Faults[0].Power, r.Power.PowerTotals)
	require.Len(t, r.Power.List, r.Power.Cuts)
	byLayer := 0
	for _, cut := range r.Power.List {
		if cut.How != "SIGKILL" {
			byLayer++
			require.Regexp(t, "^(cut |syncdir )", cut.How)
			require.Contains(t, keeps, cut.Keep)
		}
	}
	require.InDelta(t, 2*len(r.Power.List)/3, byLayer, 2, "two of three by the layer: %v", r.Power.List)
	require.Contains(t, r.Reason, "power cuts that dropped data")
	require.Contains(t, reportText(t, r), "power cuts")
}

// What a kill cannot show a power cut does: this server never syncs.
func TestOnlyAPowerCutShowsAMissingSync(t *testing.T) {
	t.Parallel()
	killed := fakeConfig(t, "no-sync")
	require.NotEqual(t, Fail, runCampaign(t, killed).Verdict)

	r := campaignUntil(t, powerConfig(t, "no-sync"), isFail)
	require.Positive(t, r.Durability.Unaccounted())
	require.DirExists(t, r.DataDir)
	require.FileExists(t, filepath.Join(filepath.Dir(r.DataDir), reportFile), "the seeds of the cuts are part of the evidence")
}

func TestFaultsTakeTurns(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "")
	cfg.Faults = []Fault{{Kind: FaultKill}, {Kind: FaultPower}}
	// Whether so few cuts drop something is up to the machine.
	r := campaignUntil(t, cfg, func(r *Report) bool { return r.Verdict != Fail && r.Cycles >= 4 })
	require.Equal(t, "kill,power", r.Fault)
	require.Len(t, r.Faults, 2)
	require.InDelta(t, r.Faults[0].Cycles, r.Faults[1].Cycles, 1)
	require.Equal(t, r.Cycles, r.Faults[0].Cycles+r.Faults[1].Cycles)
	require.Equal(t, r.KillsMidWrite, r.Faults[0].KillsMidWrite+r.Faults[1].KillsMidWrite)
	require.Zero(t, r.Faults[0].Power.Cuts)
	require.Positive(t, r.Faults[1].Power.Cuts)
}

func TestCutsThatDropNothingAreInconclusive(t *testing.T) {
	t.Parallel()
	r := campaignUntil(t, powerConfig(t, "write-through"), func(r *Report) bool {
		return r.Power.Cuts > 0 && r.KillsMidWrite > 0 && r.Durability.Checked >= MinChecked
	})
	require.Equal(t, Inconclusive, r.Verdict)
	require.Contains(t, r.Reason, "power cuts dropped anything")
}

// A server that cannot do what the fault asks for makes a campaign that could not be run, not a fail.
func TestServerThatCannotCutItsPowerIsAnError(t *testing.T) {
	for lie, want := range map[string]string{
		"stubborn":     "I would rather not",
		"exit-quietly": "ended without saying that it did",
		"no-record":    "read the pending file",
	} {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			cfg := powerConfig(t, lie)
			cfg.Duration *= 4 // room for a cut of each kind
			r, err := Run(t.Context(), cfg)
			require.ErrorContains(t, err, want)
			require.Equal(t, Inconclusive, r.Verdict)
		})
	}
}

func TestControlsBite(t *testing.T) {
	for _, control := range []Control{ControlNoSync, ControlNoDirSync} {
		t.Run(string(control), func(t *testing.T) {
			t.Parallel()
			cfg := fakeConfig(t, "")
			cfg.Control = control
			r := campaignUntil(t, cfg, isFail)
			require.Contains(t, r.Reason, "the control "+string(control)+" bites: ")
			require.Equal(t, control, r.Control)
			require.Contains(t, reportText(t, r), "always, control "+string(control))
			last := r.Violations[len(r.Violations)-1]
			require.Equal(t, r.Violations[0].Cycle, last.Cycle, "it ends with the first loss")
		})
	}
}

// A control under which nothing is lost proves that the campaign is blind.
func TestControlThatSeesNothingIsInconclusive(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "ignore-rules")
	cfg.Control = ControlNoSync
	r := campaignUntil(t, cfg, func(r *Report) bool { return r.Power.Dropping > 0 })
	require.Equal(t, Inconclusive, r.Verdict)
	require.Contains(t, r.Reason, "the campaign cannot see")
}

// A server that refuses the damage that a control did has seen it; one that just falls over has not.
func TestControlBitesOnlyOnLossOrDamage(t *testing.T) {
	for _, c := range []struct {
		failure ServerFailure
		bites   bool
	}{{ServerFailure{What: "refused", RefusedStart: true}, true}, {ServerFailure{What: "fell over"}, false}} {
		r := passing()
		r.Control, r.ServerFailure = ControlNoSync, &c.failure
		r.decide("")
		require.Equal(t, Fail, r.Verdict)
		require.Equal(t, c.bites, strings.Contains(r.Reason, "bites"), r.Reason)
	}
}

func TestOldCutsMakeRoom(t *testing.T) {
	var p Power
	for i := range maxCuts + 5 {
		p.add(Cut{Cycle: i, Bytes: int64(i % 2), Entries: 1})
	}
	require.Len(t, p.List, maxCuts)
	require.Equal(t, maxCuts+4, p.List[maxCuts-1].Cycle)
	require.Equal(t, 5, p.List[0].Cycle)
	require.Equal(t, PowerTotals{
		Cuts: maxCuts + 5, Dropping: maxCuts + 5, DroppingBytes: maxCuts/2 + 2, Bytes: maxCuts/2 + 2, Entries: maxCuts + 5,
	}, p.PowerTotals)
	p.count(vfs.Lost{})
	require.Equal(t, maxCuts+5, p.Dropping)
}

func TestStalePendingFileIsNotRead(t *testing.T) {
	cfg, err := powerConfig(t, "no-record").withDefaults()
	require.NoError(t, err)
	work, err := newWorkspace(&cfg)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(work.pendingFile, []byte("of an earlier server"), 0o644))
	c := newCampaign(cfg, work)
	p, err := c.launch()
	require.NoError(t, err)
	<-p.log.serving
	c.end(p)
	require.ErrorIs(t, c.countCut(p, false), os.ErrNotExist)
}
