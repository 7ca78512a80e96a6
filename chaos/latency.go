package chaos

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	maxLatencyMicros = 10 * 60 * 1_000_000 // longer ones count as this
	latencyDigits    = 3                   // significant ones kept
)

// histogram collects latencies in microseconds. It belongs to one goroutine at a time.
type histogram struct{ h *hdrhistogram.Histogram }

func newHistogram() histogram {
	return histogram{hdrhistogram.New(1, maxLatencyMicros, latencyDigits)}
}

func (h histogram) record(d time.Duration) {
	// The error is about values out of range, and the bounds leave none.
	_ = h.h.RecordValue(min(max(d.Microseconds(), 1), maxLatencyMicros))
}

func (h histogram) merge(other histogram) { h.h.Merge(other.h) }

func (h histogram) latency() Latency {
	return Latency{
		P50:  h.h.ValueAtQuantile(50),
		P99:  h.h.ValueAtQuantile(99),
		P999: h.h.ValueAtQuantile(99.9),
		Max:  h.h.Max(),
	}
}
