package chaos

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteText writes r as a table for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range r.rows() {
		fmt.Fprintf(t, "%s\t%s\n", row[0], row[1])
	}
	_ = t.Flush() // into memory: it cannot fail
	r.writeDetails(&b)
	fmt.Fprintf(&b, "\nverdict: %s: %s\n", r.Verdict, r.Reason)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (r *Report) rows() [][2]string {
	n := grouped
	w, d := &r.Writes, &r.Durability
	rows := [][2]string{
		{"seed", strconv.FormatUint(r.Seed, 10)},
		{"fault", r.Fault},
		{"sync", r.Sync + r.Control.text()},
		{"cycles", strconv.Itoa(r.Cycles)},
		{"kills", fmt.Sprintf("%d mid-write, %d during recovery", r.KillsMidWrite, r.KillsDuringRecovery)},
	}
	if r.Power.Cuts > 0 {
		rows = append(rows, r.Power.row())
	}
	for i := range r.Faults {
		rows = append(rows, r.Faults[i].rows()...)
	}
	return append(rows, [][2]string{
		{"writes", fmt.Sprintf("%s issued: %s ok, %s failed, %s unknown (%s requests)",
			n(w.Issued), n(w.OK), n(w.Failed), n(w.Unknown), n(w.Requests))},
		{"reads", fmt.Sprintf("%s ok, %s failed", n(r.Reads.OK), n(r.Reads.Failed))},
		{"throughput", fmt.Sprintf("%s writes/s in %s requests/s, %s reads/s, over %.1f s of load",
			n(int64(r.Throughput.WritesPerSecond)), n(int64(r.Throughput.WriteRequestsPerSecond)),
			n(int64(r.Throughput.ReadsPerSecond)), float64(r.LoadMillis)/1000)},
		{"write latency", r.LatencyMicros.Write.text()},
		{"read latency", r.LatencyMicros.Read.text()},
		{"recovery", fmt.Sprintf("p50 %.1f ms, max %.1f ms", r.RecoveryMillis.P50, r.RecoveryMillis.Max)},
		{"checked", n(d.Checked) + " acknowledged writes"},
		{"  stable", n(d.Stable)},
		{"  lost", n(d.Lost)},
		{"  rolled back", n(d.RolledBack)},
		{"  resurrected", n(d.Resurrected)},
		{"  torn", n(d.Torn)},
		{"  phantom", n(d.Phantom)},
		{"recovered", n(d.Recovered) + " writes of unknown outcome"},
		{"breaches under load", n(r.Online.Total())},
		{"durability rate", r.rateText()},
	}...)
}

func (l Latency) text() string {
	millis := func(micros int64) string { return fmt.Sprintf("%.2f", float64(micros)/1000) }
	return fmt.Sprintf("p50 %s, p99 %s, p99.9 %s, max %s ms",
		millis(l.P50), millis(l.P99), millis(l.P999), millis(l.Max))
}

func (r *Report) rateText() string {
	d := &r.Durability
	if d.Checked == 0 {
		return "none: nothing was checked"
	}
	rate := fmt.Sprintf("%.6f %%", 100*d.Rate)
	if d.Unaccounted() > 0 {
		return fmt.Sprintf("%s (%s of %s not accounted for; at 95 %% confidence up to %.2g %% are lost)",
			rate, grouped(d.Unaccounted()), grouped(d.Checked), 100*d.LossBound95)
	}
	return fmt.Sprintf("%s (0 lost of %s: loss rate below %.2g %% at 95 %% confidence, over %d kills)",
		rate, grouped(d.Checked), 100*d.LossBound95, r.KillsMidWrite+r.KillsDuringRecovery)
}

// writeDetails lists what broke, where there is something to list.
func (r *Report) writeDetails(b *strings.Builder) {
	if len(r.Violations) > 0 {
		broken := r.Durability.Unaccounted() + r.Online.Total()
		fmt.Fprintf(b, "\nbroken promises, %d of %s:\n", len(r.Violations), grouped(broken))
	}
	for _, v := range r.Violations {
		fmt.Fprintf(b, "  %s\n", v)
	}
	r.writeBreaches(b)
	if f := r.ServerFailure; f != nil {
		fmt.Fprintf(b, "\n%s; the end of %s:\n", f.What, f.LogFile)
		for _, line := range f.LogTail {
			fmt.Fprintf(b, "  %s\n", line)
		}
	}
	if r.DataDir != "" {
		fmt.Fprintf(b, "\nkept as evidence: %s\n", r.DataDir)
	}
	if r.LogDir != "" {
		fmt.Fprintf(b, "server logs: %s\n", r.LogDir)
	}
}

// writeBreaches lists what broke under injected rules.
func (r *Report) writeBreaches(b *strings.Builder) {
	for _, f := range r.Faults {
		if f.Rules == nil || f.Rules.Broken == 0 {
			continue
		}
		fmt.Fprintf(b, "\nbroken under %s, %d of %d:\n", f.Fault, len(f.Rules.Breaches), f.Rules.Broken)
		for _, text := range f.Rules.Breaches {
			fmt.Fprintf(b, "  %s\n", text)
		}
	}
}

// grouped writes n with commas between the thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}
