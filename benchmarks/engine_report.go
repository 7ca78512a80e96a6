package benchmarks

import (
	"bytes"
	"fmt"
	"io"
)

// EngineReport is what RunEngine measured.
type EngineReport struct {
	Machine      Machine     `json:"machine"`
	Seed         uint64      `json:"seed"`
	KeyBytes     int         `json:"keyBytes"`
	ValueBytes   int         `json:"valueBytes"`
	Keys         int         `json:"keys"` // distinct keys that were written
	WindowMillis int64       `json:"windowMillis"`
	Set          []SetResult `json:"set"`
	Get          GetResult   `json:"get"`
}

// SetResult compares durable writes from one number of callers. Rounds of the
// two sides with the same place in their lists were measured one after the
// other.
type SetResult struct {
	Callers int  `json:"callers"`
	Bare    Rate `json:"bare"`
	KV      Rate `json:"kv"`

	// Ratio is KV over Bare, by their medians: 1 is as fast as the disk allows.
	// RatioMin and RatioMax are those of the worst and the best round.
	Ratio    float64 `json:"ratio"`
	RatioMin float64 `json:"ratioMin"`
	RatioMax float64 `json:"ratioMax"`
}

// GetResult compares one read from the operating system's cache.
type GetResult struct {
	Reads  string `json:"reads"` // what each side reads, in words
	ReadAt Rate   `json:"readAt"`
	KV     Rate   `json:"kv"`

	ReadAtNanos float64 `json:"readAtNanos"` // per read, from the median rate
	KVNanos     float64 `json:"kvNanos"`     // per Get, from the median rate
	// CostRatio is KVNanos over ReadAtNanos: 1 is as cheap as reading the bytes.
	CostRatio float64 `json:"costRatio"`
}

func newSetResult(callers int, bare, engine []sample) SetResult {
	r := SetResult{Callers: callers, Bare: newRate(bare), KV: newRate(engine)}
	r.Ratio = r.KV.OpsPerSecond / r.Bare.OpsPerSecond
	for round := range bare {
		ratio := engine[round].perSecond() / bare[round].perSecond()
		if round == 0 {
			r.RatioMin, r.RatioMax = ratio, ratio
		}
		r.RatioMin, r.RatioMax = min(r.RatioMin, ratio), max(r.RatioMax, ratio)
	}
	return r
}

func newGetResult(cfg EngineConfig, bare, engine []sample) GetResult {
	r := GetResult{Reads: cfg.readSide(), ReadAt: newRate(bare), KV: newRate(engine)}
	r.ReadAtNanos = 1e9 / r.ReadAt.OpsPerSecond
	r.KVNanos = 1e9 / r.KV.OpsPerSecond
	r.CostRatio = r.KVNanos / r.ReadAtNanos
	return r
}

// WriteJSON writes the report as indented JSON.
func (r *EngineReport) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// WriteText writes the report for people.
func (r *EngineReport) WriteText(w io.Writer) error {
	return writeText(w, func(b *bytes.Buffer) {
		fmt.Fprintf(b, "Durable writes per second: keys %d B, values %d B, medians of %d rounds of %d ms\n\n",
			r.KeyBytes, r.ValueBytes, len(r.Get.KV.Rounds), r.WindowMillis)
		t := table(b, "callers", "bare loop", "kv", "kv / bare", "worst", "best")
		for _, s := range r.Set {
			fmt.Fprintf(t, "%d\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t\n",
				s.Callers, s.Bare.OpsPerSecond, s.KV.OpsPerSecond, s.Ratio, s.RatioMin, s.RatioMax)
		}
		_ = t.Flush() // into memory
		fmt.Fprintf(b, "\nReads from the cache: ReadAt %.0f ns, kv.Get %.0f ns, kv / ReadAt %.2f\n(%s)\n",
			r.Get.ReadAtNanos, r.Get.KVNanos, r.Get.CostRatio, r.Get.Reads)
		fmt.Fprintf(b, "\n%s, seed %d\n", r.Machine, r.Seed)
	})
}
