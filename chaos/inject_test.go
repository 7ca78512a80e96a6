package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/client"
	"holdfast/faultfs"
	"holdfast/internal/testdisk"
	"holdfast/internal/wire"
)

const fakeRule = "write *.seg EIO"

// ruleConfig is fakeConfig with a rule that the fake server takes for a full disk.
func ruleConfig(t *testing.T, lie string) Config {
	cfg := fakeConfig(t, lie)
	cfg.Faults = []Fault{{FaultRules, fakeRule}}
	cfg.KillEvery *= 2
	cfg.resumeWithin = time.Second
	return cfg
}

func TestHonestServerSurvivesRules(t *testing.T) {
	t.Parallel()
	r := campaignUntil(t, ruleConfig(t, ""), isPass)
	require.Equal(t, "rules='write *.seg EIO'", r.Fault)
	rules := r.Faults[0].Rules
	require.Equal(t, fakeRule, rules.Rules[0].Rule)
	require.Positive(t, rules.Rules[0].Fired)
	require.Positive(t, rules.Writes.DiskFull)
	require.GreaterOrEqual(t, r.Writes.UnderRules, rules.Writes.DiskFull)
	require.Positive(t, rules.Reads.OK)
	require.Equal(t, r.Cycles, rules.ResumedByItself)
	require.Zero(t, rules.ResumedAfterRestart)
	require.Empty(t, rules.Breaches)
	require.Contains(t, reportText(t, r), "disk full")
}

func TestFencedServerIsStartedAnew(t *testing.T) {
	t.Parallel()
	r := campaignUntil(t, ruleConfig(t, "fence"), isPass)
	rules := r.Faults[0].Rules
	require.Equal(t, r.Cycles, rules.ResumedAfterRestart)
	require.Zero(t, rules.ResumedByItself)
	require.Positive(t, rules.Writes.Fenced)
	require.Contains(t, reportText(t, r), "times after a restart")
}

func TestEveryBreachUnderRulesIsCaught(t *testing.T) {
	for lie, want := range map[string]string{
		"untyped":        "a write failed without saying how",
		"untyped-reads":  "a read failed without saying how",
		"mute-reads":     "reads were answered while the fault was on",
		"hang-reads":     "no read was answered while the fault was on",
		"never-resume":   "did not resume within 1s after the fault had healed, and the server did not say",
		"fence-for-good": "after the fault had healed and the server was started anew",
	} {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			r := campaignUntil(t, ruleConfig(t, lie), isFail)
			require.Contains(t, r.Reason, want)
			require.Contains(t, r.Reason, "promises broken under injected faults")
			require.NotEmpty(t, r.Faults[0].Rules.Breaches)
			require.Contains(t, reportText(t, r), "broken under rules='write *.seg EIO'")
		})
	}
}

// A read that fails for the disk's sake is a breach unless the rules are about reads.
func TestReadsMayFailOnlyIfTheRulesSaySo(t *testing.T) {
	t.Parallel()
	cfg := ruleConfig(t, "unreadable-under-rules")
	r := campaignUntil(t, cfg, isFail)
	require.Positive(t, r.Online.Torn)

	cfg.Faults[0].Rules = "read|write *.seg EIO"
	r = campaignUntil(t, cfg, func(r *Report) bool { return r.Faults[0].Rules.Reads.Failed > 0 })
	require.NotEqual(t, Fail, r.Verdict, r.Reason)
	require.Zero(t, r.Online.Torn)
	require.Positive(t, r.Reads.UnderRules)
}

func TestRuleThatNeverFiresIsInconclusive(t *testing.T) {
	t.Parallel()
	r := campaignUntil(t, ruleConfig(t, "unfired"), func(r *Report) bool { return r.Durability.Checked >= MinChecked })
	require.Equal(t, Inconclusive, r.Verdict)
	require.Contains(t, r.Reason, "never fired")
}

func TestRuleThatCutsThePowerEndsTheCycle(t *testing.T) {
	t.Parallel()
	cfg := ruleConfig(t, "cut-by-rule")
	cfg.Faults[0].Rules = "sync * crash"
	r := campaignUntil(t, cfg, func(r *Report) bool { return r.Cycles > 0 && r.Verdict != Inconclusive })
	require.Equal(t, Pass, r.Verdict, r.Reason)
	rules := r.Faults[0].Rules
	require.Equal(t, r.Cycles, rules.CutByRule)
	require.Positive(t, rules.Rules[0].Fired)
	cut := r.Power.List[0]
	require.Equal(t, testdisk.ByRule, cut.How)
	require.Zero(t, cut.Seed, "it is in the rule")
	require.Empty(t, cut.Keep)
	require.Positive(t, r.KillsMidWrite)
}

func TestServerThatTakesNoRulesIsAnError(t *testing.T) {
	t.Parallel()
	cfg := ruleConfig(t, "stubborn")
	r, err := Run(t.Context(), cfg)
	require.ErrorContains(t, err, "the server refuses the command")
	require.Equal(t, Inconclusive, r.Verdict)
}

func TestWindowsFitTheLoad(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		w := drawWindow(rng, time.Second)
		require.Equal(t, time.Second, w.before+w.during+w.after)
		require.GreaterOrEqual(t, min(w.before, w.during, w.after), 200*time.Millisecond-time.Microsecond)
	}
}

func TestTypedErrorsAreThoseThatSayHowACallEnded(t *testing.T) {
	refused := func(s wire.Status) error { return refusal(client.Failed, s) }
	for _, err := range []error{
		nil, refused(0), refused(wire.StatusFenced), refused(wire.StatusDiskFull),
		refused(wire.StatusReadFailed), refused(wire.StatusDamaged), refused(wire.StatusBusy),
		refusal(client.Unknown, wire.StatusOutcomeUnknown),
	} {
		require.True(t, typed(err), "%v", err)
	}
	for _, err := range []error{
		errors.New("something"), context.Canceled, refusal(client.Unknown, wire.StatusInternal),
		refused(wire.StatusMalformed), refused(wire.Status(200)),
		&client.Error{Op: "Set", Err: client.ErrProtocol},
	} {
		require.False(t, typed(err), "%v", err)
	}
}

func TestRulesThatTouchReads(t *testing.T) {
	for rules, want := range map[string]bool{
		"sync * EIO": false, "write|sync * EIO; rename * EIO": false, "read * EIO": true,
		"sync * EIO; write|read *.seg #2 EIO": true, "any * EIO": true, "sync * crash": true,
	} {
		require.Equal(t, want, touchReads(faultfs.MustParse(rules)), rules)
	}
}

func TestBreachesUnderRulesAreBounded(t *testing.T) {
	var tally ruleTally
	for range 100 {
		tally.breach("no")
	}
	r := tally.report()
	require.Equal(t, 100, r.Broken)
	require.Len(t, r.Breaches, maxRuleBreaches)
}

func TestRulesThatOnlyCountNeedNotFire(t *testing.T) {
	counted := func(calls int) *RulesReport {
		return &RulesReport{Rules: []testdisk.RuleCounts{{Rule: "sync * count", Calls: calls}}}
	}
	require.Empty(t, counted(1).idle())
	require.Len(t, counted(0).idle(), 1)
}

func TestServiceUnderARuleThatNeverFiredWasNotInterrupted(t *testing.T) {
	r := RulesReport{Rules: []testdisk.RuleCounts{{Rule: "sync * EIO", Calls: 3}}, ResumedByItself: 2}
	require.Equal(t, "not interrupted", r.resumedText())
	r.Rules[0].Fired = 1
	require.Contains(t, r.resumedText(), "2 times by itself")
}
