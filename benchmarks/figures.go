package benchmarks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Machine says where figures were measured.
type Machine struct {
	Go   string `json:"go"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"` // that this process may use
}

func thisMachine() Machine {
	return Machine{Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0)}
}

// String prints the machine in a line.
func (m Machine) String() string {
	return fmt.Sprintf("%s %s/%s, %d CPUs", m.Go, m.OS, m.Arch, m.CPUs)
}

// Round is one window of one side of a comparison.
type Round struct {
	Ops    int64 `json:"ops"`
	Micros int64 `json:"micros"`
}

// Rate is one side of a comparison.
type Rate struct {
	OpsPerSecond float64 `json:"opsPerSecond"` // median of the rounds
	Rounds       []Round `json:"rounds"`
}

func newRate(samples []sample) Rate {
	var r Rate
	var rates []float64
	for _, s := range samples {
		r.Rounds = append(r.Rounds, Round{Ops: s.ops, Micros: s.elapsed.Microseconds()})
		rates = append(rates, s.perSecond())
	}
	r.OpsPerSecond = median(rates)
	return r
}

// median returns the middle of the values, or the mean of the two middle ones.
// It needs at least one.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Latency is a distribution in microseconds, to three significant digits.
type Latency struct {
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

// The bounds of a histogram. What is faster or slower counts as the bound.
const (
	minLatencyMicros = 1
	maxLatencyMicros = 10 * 60 * 1_000_000
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(minLatencyMicros, maxLatencyMicros, 3)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	// The error is about values out of range, and the bounds leave none.
	_ = h.RecordValue(min(max(d.Microseconds(), minLatencyMicros), maxLatencyMicros))
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	return Latency{
		P50:  h.ValueAtQuantile(50),
		P90:  h.ValueAtQuantile(90),
		P99:  h.ValueAtQuantile(99),
		P999: h.ValueAtQuantile(99.9),
		Max:  h.Max(),
	}
}

// writeJSON writes a report as indented JSON.
func writeJSON(w io.Writer, report any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(report); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// writeText writes what print leaves in the buffer.
func writeText(w io.Writer, print func(b *bytes.Buffer)) error {
	var b bytes.Buffer
	print(&b)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// table begins a table with the given heads, aligned to the right.
func table(b *bytes.Buffer, heads ...string) *tabwriter.Writer {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(heads, "\t")+"\t")
	return t
}
