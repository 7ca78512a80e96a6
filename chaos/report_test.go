package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// passing is a report that passes; tests take something away from it.
func passing() *Report {
	return &Report{
		Seed: 7, Fault: "kill", Sync: "always", Cycles: 12, KillsMidWrite: 11, KillsDuringRecovery: 3,
		Writes: Writes{Issued: 1_234_567, OK: 1_234_000, Unknown: 567, Requests: 900_000},
		Reads:  Reads{OK: 10},
		Durability: Durability{
			Checked: 30_000, Stable: 30_000, Recovered: 5, Rate: 1, LossBound95: 0.0001,
		},
		Config: ConfigInfo{Readers: 1}, Violations: []Violation{},
	}
}

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(*Report)
		stopped string
		want    Verdict
		reason  string
	}{
		"all is well":                {want: Pass, reason: "11 kills mid-write, 30000 acknowledged writes checked, all accounted for"},
		"a write is gone":            {func(r *Report) { r.Durability.Stable-- }, "", Fail, "1 of 30000 checked writes"},
		"a reader saw a breach":      {func(r *Report) { r.Online.RolledBack = 2 }, "", Fail, "2 breaches seen under load"},
		"the server failed":          {func(r *Report) { r.ServerFailure = &ServerFailure{What: "it fell"} }, "", Fail, "it fell"},
		"no kill mid-write":          {func(r *Report) { r.KillsMidWrite = 0 }, "", Inconclusive, "no kill landed"},
		"nothing written":            {func(r *Report) { r.Writes.OK = 0 }, "", Inconclusive, "took no load"},
		"too little checked":         {func(r *Report) { r.Durability.Checked, r.Durability.Stable = 999, 999 }, "", Inconclusive, "only 999"},
		"just enough checked":        {func(r *Report) { r.Durability.Checked, r.Durability.Stable = 1000, 1000 }, "", Pass, ""},
		"a control that saw nothing": {func(r *Report) { r.Sync = "100ms" }, "", Inconclusive, "the campaign cannot see"},
		"a control that saw a loss":  {func(r *Report) { r.Sync = "100ms"; r.Durability.Stable-- }, "", Fail, "1 of 30000"},
		"most writes failed":         {func(r *Report) { r.Writes.Failed = r.Writes.OK }, "", Inconclusive, "most writes failed"},
		"nobody could read":          {func(r *Report) { r.Reads.OK = 0 }, "", Inconclusive, "no reader could read"},
		"most reads failed":          {func(r *Report) { r.Reads.Failed = 11 }, "", Inconclusive, "most reads failed: 11 of 21"},
		"readers were not wanted":    {func(r *Report) { r.Reads.OK, r.Config.Readers = 0, 0 }, "", Pass, ""},
		"interrupted":                {nil, "interrupted", Inconclusive, "interrupted"},
		"a fail beats interrupted":   {func(r *Report) { r.Durability.Stable-- }, "interrupted", Fail, "not accounted for"},
		"a fail beats little load":   {func(r *Report) { r.Durability = Durability{Checked: 1, Lost: 1} }, "", Fail, "1 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := passing()
			if c.spoil != nil {
				c.spoil(r)
			}
			r.decide(c.stopped)
			require.Equal(t, c.want, r.Verdict, r.Reason)
			require.Contains(t, r.Reason, c.reason)
		})
	}
}

func TestZeroReportIsInconclusive(t *testing.T) {
	var r Report
	require.Equal(t, Inconclusive, r.Verdict)
	r.decide("")
	require.Equal(t, Inconclusive, r.Verdict)
	require.Contains(t, r.Reason, "took no load")
}

func TestVerdictNamesRoundTrip(t *testing.T) {
	for v := Inconclusive; v <= Fail; v++ {
		text, err := v.MarshalText()
		require.NoError(t, err)
		var back Verdict
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, v, back)
	}
	var v Verdict
	require.Error(t, v.UnmarshalText([]byte("green")))
	require.Equal(t, "Verdict(9)", Verdict(9).String())
}

// The exact bounds are those that statistics tables give.
func TestLossBound(t *testing.T) {
	for _, c := range []struct {
		bad, n int64
		want   float64
	}{
		{0, 0, 1}, {5, 5, 1}, {0, 1, 1}, {0, 1000, 0.003}, {0, 100_000, 0.00003},
		{1, 10, 0.3942}, {1, 100, 0.04656}, {5, 100, 0.1023}, {50, 100, 0.5868}, {99, 100, 0.99949},
		{1, 1_000_000, 4.7439e-6}, {100_000, 1_000_000, 0.10050},
	} {
		require.InEpsilon(t, c.want, LossBound95(c.bad, c.n), 1e-3, "%d of %d", c.bad, c.n)
	}
	for bad := int64(1); bad < 60; bad++ {
		p := LossBound95(bad, 60)
		require.InDelta(t, 0.05, chanceOfAtMost(bad, 60, p), 1e-6, "%d of 60", bad)
		require.Greater(t, p, LossBound95(bad-1, 60))
	}
	require.Zero(t, binomialAtMost(3, 5, 1))
}

// chanceOfAtMost is the binomial distribution spelled out.
func chanceOfAtMost(k, n int64, p float64) (sum float64) {
	choose := 1.0
	for i := int64(0); i <= k; i++ {
		sum += choose * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
		choose *= float64(n-i) / float64(i+1)
	}
	return sum
}

// The names that others read out of report.json.
func TestReportFields(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, passing().WriteJSON(&b))
	var got map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	for field, want := range map[string]string{
		"writes":         "failed issued ok requests underRules unknown",
		"durability":     "checked lossBound95 lost phantom rate recovered resurrected rolledBack stable torn",
		"throughput":     "readsPerSecond writeRequestsPerSecond writesPerSecond",
		"latencyMicros":  "read write",
		"recoveryMillis": "max p50",
		"online":         "lost phantom resurrected rolledBack torn",
		"reads":          "failed ok underRules",
		"power":          "bytes cuts dropping droppingBytes entries list",
	} {
		inner, is := got[field].(map[string]any)
		require.True(t, is, field)
		require.Equal(t, strings.Fields(want), slices.Sorted(maps.Keys(inner)), field)
	}
	latency := got["latencyMicros"].(map[string]any)["write"].(map[string]any)
	require.Equal(t, strings.Fields("max p50 p99 p999"), slices.Sorted(maps.Keys(latency)))
	for field, want := range map[string]any{
		"seed": 7.0, "fault": "kill", "sync": "always", "verdict": "inconclusive", "cycles": 12.0,
		"killsMidWrite": 11.0, "killsDuringRecovery": 3.0, "violations": []any{},
	} {
		require.Equal(t, want, got[field], field)
	}
}

func TestReportAsText(t *testing.T) {
	r := passing()
	r.decide("")
	text := reportText(t, r)
	for _, want := range []string{
		"11 mid-write, 3 during recovery", "1,234,567 issued: 1,234,000 ok, 0 failed, 567 unknown",
		"0 lost of 30,000: loss rate below 0.01 % at 95 % confidence", "verdict: pass: ",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "broken promises")

	r.Durability = Durability{Checked: 30_000, Stable: 29_999, Lost: 1, Rate: 29_999. / 30_000}
	r.Violations = []Violation{{
		Class: Lost, Where: whereReadBack, Cycle: 3, Key: "chaos-0000000001", Expected: "this", Found: "that",
	}}
	r.ServerFailure = &ServerFailure{What: "it fell", LogFile: "server-0004.log", LogTail: []string{"ouch"}}
	r.DataDir, r.LogDir = "/evidence/data", "/evidence/logs"
	r.decide("")
	text = reportText(t, r)
	for _, want := range []string{
		"1 of 30,000 not accounted for", "broken promises, 1 of 1:",
		"lost: key chaos-0000000001, cycle 3, read-back: expected this; found that",
		"it fell; the end of server-0004.log:\n  ouch\n", "/evidence/data", "/evidence/logs",
		"verdict: fail: 1 of 30000 checked writes are not accounted for; it fell",
	} {
		require.Contains(t, text, want)
	}
	require.Contains(t, reportText(t, &Report{}), "none: nothing was checked")
}

func reportText(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	return b.String()
}

func TestReportThatCannotBeWritten(t *testing.T) {
	full := brokenWriter{errors.New("full")}
	require.ErrorIs(t, passing().WriteText(full), full.err)
	require.ErrorIs(t, passing().WriteJSON(full), full.err)
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -100: "-100", -1000: "-1,000",
	} {
		require.Equal(t, want, grouped(n))
	}
}

func TestRecoveryPercentiles(t *testing.T) {
	require.Zero(t, recoveryOf(nil))
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	require.Equal(t, Recovery{P50: 2, Max: 9}, recoveryOf([]time.Duration{ms(9), ms(1), ms(2)}))
	require.Equal(t, Recovery{P50: 1, Max: 2}, recoveryOf([]time.Duration{ms(2), ms(1)}))
}

func TestHistogramsMerge(t *testing.T) {
	a, b := newHistogram(), newHistogram()
	for i := range 1000 {
		a.record(time.Duration(i+1) * time.Millisecond)
	}
	b.record(0)
	b.record(time.Hour) // beyond its range
	a.merge(b)
	l := a.latency()
	require.InEpsilon(t, 500_000, l.P50, 0.01)
	require.InEpsilon(t, 990_000, l.P99, 0.01)
	require.InEpsilon(t, maxLatencyMicros, l.Max, 0.01)
	require.Zero(t, newHistogram().latency())
}

func TestExamplesAreBounded(t *testing.T) {
	var tl tally
	for range 100 {
		tl.add(1, finding{class: Lost})
	}
	tl.add(1, finding{class: Torn})
	var r Report
	tl.into(&r)
	require.Len(t, r.Violations, maxExamplesPerClass+1, "the rare class is there too")
	require.EqualValues(t, 100, r.Durability.Lost)
	require.EqualValues(t, 101, tl.broken())
}
