package benchmarks

import (
	"bytes"
	"fmt"
	"io"
)

// Work is what a point measures.
type Work string

// The kinds of work.
const (
	Write Work = "write" // Set
	Read  Work = "read"  // Get of a key that is there
	Bulk  Work = "bulk"  // BulkSet of ServerReport.BulkPairs pairs
)

// ServerReport is what RunServer measured.
type ServerReport struct {
	Machine      Machine  `json:"machine"` // of the client
	Addr         string   `json:"addr"`
	Started      bool     `json:"started"` // the benchmark started the server, and stopped it
	Seed         uint64   `json:"seed"`
	KeyBytes     int      `json:"keyBytes"`
	ValueBytes   int      `json:"valueBytes"`
	Keys         int      `json:"keys"`
	BulkPairs    int      `json:"bulkPairs"`
	Conns        int      `json:"conns"` // connections that the goroutines shared
	WindowMillis int64    `json:"windowMillis"`
	Points       []Point  `json:"points"`
	Scaling      *Scaling `json:"scaling,omitempty"` // absent unless 1 and 64 goroutines were measured
}

// Point is one kind of work by one number of goroutines.
type Point struct {
	Work           Work    `json:"work"`
	Goroutines     int     `json:"goroutines"`
	Calls          int64   `json:"calls"` // that succeeded; a call that fails ends the run
	Keys           int64   `json:"keys"`  // that these calls were about
	Micros         int64   `json:"micros"`
	CallsPerSecond float64 `json:"callsPerSecond"`
	KeysPerSecond  float64 `json:"keysPerSecond"`
	LatencyMicros  Latency `json:"latencyMicros"` // of a call
}

// Scaling is how many times the calls of one goroutine 64 goroutines make.
type Scaling struct {
	Write float64 `json:"write64to1"`
	Read  float64 `json:"read64to1"`
	Bulk  float64 `json:"bulk64to1"`
}

func newPoint(work Work, goroutines, keysPerCall int, s sample) Point {
	return Point{
		Work: work, Goroutines: goroutines, Calls: s.ops, Keys: s.ops * int64(keysPerCall),
		Micros: s.elapsed.Microseconds(), CallsPerSecond: s.perSecond(),
		KeysPerSecond: s.perSecond() * float64(keysPerCall), LatencyMicros: latencyOf(s.latency),
	}
}

func scaling(points []Point) *Scaling {
	rate := map[Work]map[int]float64{Write: {}, Read: {}, Bulk: {}}
	for _, p := range points {
		rate[p.Work][p.Goroutines] = p.CallsPerSecond
	}
	if rate[Write][1] == 0 || rate[Write][64] == 0 {
		return nil
	}
	ratio := func(w Work) float64 { return rate[w][64] / rate[w][1] }
	return &Scaling{Write: ratio(Write), Read: ratio(Read), Bulk: ratio(Bulk)}
}

// WriteJSON writes the report as indented JSON.
func (r *ServerReport) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// WriteText writes the report for people.
func (r *ServerReport) WriteText(w io.Writer) error {
	return writeText(w, func(b *bytes.Buffer) {
		fmt.Fprintf(b, "Server %s, goroutines sharing one client (%d connections): keys %d B, values %d B,\n"+
			"%d keys, %d pairs a bulk write, %d ms each, latency of a call in microseconds\n\n",
			r.Addr, r.Conns, r.KeyBytes, r.ValueBytes, r.Keys, r.BulkPairs, r.WindowMillis)
		t := table(b, "work", "goroutines", "calls/s", "keys/s", "p50", "p90", "p99", "p99.9", "max")
		for _, p := range r.Points {
			l := p.LatencyMicros
			fmt.Fprintf(t, "%s\t%d\t%.0f\t%.0f\t%d\t%d\t%d\t%d\t%d\t\n",
				p.Work, p.Goroutines, p.CallsPerSecond, p.KeysPerSecond, l.P50, l.P90, l.P99, l.P999, l.Max)
		}
		_ = t.Flush() // into memory
		if s := r.Scaling; s != nil {
			fmt.Fprintf(b, "\n64 goroutines to 1: write %.1f, read %.1f, bulk %.1f\n", s.Write, s.Read, s.Bulk)
		}
		fmt.Fprintf(b, "\n%s, seed %d\n", r.Machine, r.Seed)
	})
}
