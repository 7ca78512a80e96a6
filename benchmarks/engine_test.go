package benchmarks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/kv"
)

func smallEngine() EngineConfig {
	return EngineConfig{
		Callers: []int{1, 8}, Keys: 500, GetKeys: 3000, Rounds: 3, Window: 20 * time.Millisecond, Seed: 7,
	}
}

func TestEngineReportSaysWhatWasMeasured(t *testing.T) {
	dir := t.TempDir()
	cfg := smallEngine()
	var progress []string
	cfg.Progress = func(what string) { progress = append(progress, what) }
	r, err := RunEngine(t.Context(), afero.NewOsFs(), dir, cfg)
	require.NoError(t, err)

	require.Equal(t, []string{"durable writes, 1 callers", "durable writes, 8 callers", "reads from the cache"}, progress)
	require.Equal(t, thisMachine(), r.Machine)
	require.Equal(t, EngineReport{
		Machine: r.Machine, Seed: 7, KeyBytes: 16, ValueBytes: 128, Keys: 500, WindowMillis: 20, Set: r.Set, Get: r.Get,
	}, *r)
	require.Len(t, r.Set, 2)
	for i, callers := range cfg.Callers {
		s := r.Set[i]
		require.Equal(t, callers, s.Callers)
		requireRate(t, s.Bare, cfg)
		requireRate(t, s.KV, cfg)
		require.InDelta(t, s.KV.OpsPerSecond/s.Bare.OpsPerSecond, s.Ratio, 1e-9)
		require.LessOrEqual(t, s.RatioMin, s.RatioMax)
	}
	requireRate(t, r.Get.ReadAt, cfg)
	requireRate(t, r.Get.KV, cfg)
	require.InDelta(t, r.Get.KVNanos/r.Get.ReadAtNanos, r.Get.CostRatio, 1e-9)
	require.InEpsilon(t, 1e9/r.Get.KV.OpsPerSecond, r.Get.KVNanos, 1e-9)
	require.Contains(t, r.Get.Reads, "3000 keys")

	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// requireRate holds a rate against its own rounds.
func requireRate(t *testing.T, r Rate, cfg EngineConfig) {
	t.Helper()
	require.Len(t, r.Rounds, cfg.Rounds)
	var rates []float64
	for _, round := range r.Rounds {
		require.Positive(t, round.Ops)
		require.GreaterOrEqual(t, round.Micros, cfg.Window.Microseconds(), "a round lasts as long as its window, or longer")
		rates = append(rates, float64(round.Ops)/float64(round.Micros)*1e6)
	}
	require.InEpsilon(t, median(rates), r.OpsPerSecond, 1e-3)
}

func TestSetResultComparesMediansAndNeighbours(t *testing.T) {
	samples := func(ops ...int64) (list []sample) {
		for _, n := range ops {
			list = append(list, sample{ops: n, elapsed: time.Second})
		}
		return list
	}
	r := newSetResult(4, samples(100, 200, 400), samples(90, 100, 400))
	require.InDelta(t, 0.5, r.Ratio, 1e-9)
	require.InDelta(t, 0.5, r.RatioMin, 1e-9)
	require.InDelta(t, 1.0, r.RatioMax, 1e-9)
	require.Equal(t, 4, r.Callers)
}

func TestAFailingDiskGivesAnErrorAndNoReport(t *testing.T) {
	for rule, message := range map[string]string{
		"mkdir * #1 EIO":              "making a directory",
		"sync *.seg #3+ EIO":          "durable writes with 1 callers",
		"sync bare #3 EIO":            "bare loop: syncing",
		"write bare #3 tear=5 ENOSPC": "bare loop: writing",
		"remove bare #1 EIO":          "durable writes with 1 callers",
		"create bare #2 EMFILE":       "creating the file of the bare loop",
		"close bare #1 EIO":           "closing the file of the bare loop",
		"create values EIO":           "creating the file for ReadAt",
		"write values #2 EIO":         "filling the file for ReadAt",
		"sync values EIO":             "filling the file for ReadAt",
		"read values #50 EIO":         "reading a value at",
		"close values EIO":            "reads",
		"open get/*.seg EIO":          "reads",
		"sync get/*.seg #2+ EIO":      "filling a store",
		"write get/*.seg #2+ EIO":     "filling a store",
		"remove set #1 EIO":           "durable writes with 1 callers",
		"remove holdfast-bench-* EIO": "cleaning up",
		"create set/LOCK EIO":         "durable writes with 1 callers",
		"create get/LOCK EIO":         "reads",
	} {
		t.Run(rule, func(t *testing.T) {
			fsys := faultfs.New(afero.NewOsFs(), faultfs.MustParse(rule)...)
			r, err := RunEngine(t.Context(), fsys, t.TempDir(), smallEngine())
			require.ErrorContains(t, err, message)
			require.Nil(t, r)
			fsys.CheckFired(t)
		})
	}
}

func TestReadErrorsOfTheEngineEndTheRun(t *testing.T) {
	fsys := faultfs.New(afero.NewOsFs())
	db, err := newStore(fsys, t.TempDir(), keyspace{bytes: 16, n: 100}, make([]byte, 10))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	op := getOperation(db, keyspace{bytes: 16, n: 100}, 10, 1)
	require.NoError(t, op(t.Context()))
	require.ErrorContains(t, getOperation(db, keyspace{bytes: 16, n: 100}, 11, 1)(t.Context()), "has 10 bytes, want 11")
	require.ErrorIs(t, getOperation(db, keyspace{bytes: 16, n: 1e9}, 10, 1)(t.Context()), kv.ErrNotFound)
	fsys.Inject(faultfs.MustParse("read *.seg EIO")[0])
	require.ErrorIs(t, op(t.Context()), syscall.EIO)
}

func TestAcknowledgedWritesMustHaveBeenCommitted(t *testing.T) {
	samples := []sample{{ops: 3}, {ops: 4}}
	require.NoError(t, checkRecords(kv.Stats{Records: 7, LastSeq: 9, DurableSeq: 9}, samples))
	require.ErrorContains(t, checkRecords(kv.Stats{Records: 6, LastSeq: 9, DurableSeq: 9}, samples), "7 writes were acknowledged, the engine committed 6")
	require.ErrorContains(t, checkRecords(kv.Stats{Records: 7, LastSeq: 9, DurableSeq: 8}, samples), "durable up to 8 of 9")
}

func TestCancellingTheEngineBenchmarkEndsItSoonAndLeavesNothing(t *testing.T) {
	for _, stage := range []string{"durable writes, 8 callers", "reads from the cache"} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("enough")
		cfg := smallEngine()
		cfg.Progress = func(what string) {
			if what == stage {
				cancel(stop)
			}
		}
		r, err := RunEngine(ctx, afero.NewOsFs(), dir, cfg)
		require.ErrorIs(t, err, context.Canceled)
		require.Nil(t, r)
		left, err := filepath.Glob(dir + "/*")
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func TestCancellingWithinARoundDoesNotWaitForItsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := smallEngine()
	cfg.Window = time.Hour // the test would time out
	cfg.Progress = func(string) { time.AfterFunc(10*time.Millisecond, cancel) }
	_, err := RunEngine(ctx, afero.NewOsFs(), t.TempDir(), cfg)
	require.ErrorIs(t, err, context.Canceled)
}

func TestEngineConfigRefuses(t *testing.T) {
	for message, spoil := range map[string]func(*EngineConfig){
		"0 concurrent callers": func(c *EngineConfig) { c.Callers = []int{1, 0} },
		"keys of 7 bytes":      func(c *EngineConfig) { c.KeyBytes = 7 },
		"keys of 65537 bytes":  func(c *EngineConfig) { c.KeyBytes = 65537 },
		"values of -1 bytes":   func(c *EngineConfig) { c.ValueBytes = -1 },
		"and 4294967296 keys":  func(c *EngineConfig) { c.GetKeys = 1 << 32 },
		"-1 and 3000 keys":     func(c *EngineConfig) { c.Keys = -1 },
		"-1 rounds":            func(c *EngineConfig) { c.Rounds = -1 },
		"rounds of -1ns":       func(c *EngineConfig) { c.Window = -1 },
		"values of 1000000000": func(c *EngineConfig) { c.ValueBytes = 1_000_000_000 },
	} {
		cfg := smallEngine()
		spoil(&cfg)
		_, err := RunEngine(t.Context(), afero.NewMemMapFs(), "/", cfg)
		require.ErrorContains(t, err, message)
	}
}

func TestEngineDefaults(t *testing.T) {
	cfg, err := EngineConfig{}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, []int{1, 16, 64, 256}, cfg.Callers)
	require.Equal(t, 16, cfg.KeyBytes)
	require.Equal(t, 128, cfg.ValueBytes)
	require.Equal(t, time.Second, cfg.Window)
	require.NotZero(t, cfg.Seed)
}

func TestEngineReportPrints(t *testing.T) {
	rate := func(perSecond float64) Rate { return Rate{OpsPerSecond: perSecond, Rounds: []Round{{1, 2}, {3, 4}}} }
	r := EngineReport{
		Machine: Machine{"go9", "plan9", "mips", 3}, Seed: 5, KeyBytes: 16, ValueBytes: 128, Keys: 9, WindowMillis: 1000,
		Set: []SetResult{{Callers: 64, Bare: rate(200_000), KV: rate(150_000), Ratio: 0.75, RatioMin: 0.5, RatioMax: 0.9}},
		Get: GetResult{Reads: "this and that", ReadAt: rate(2e6), KV: rate(1e6), ReadAtNanos: 500, KVNanos: 1000, CostRatio: 2},
	}
	var text bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	require.Equal(t, `Durable writes per second: keys 16 B, values 128 B, medians of 2 rounds of 1000 ms

  callers  bare loop      kv  kv / bare  worst  best
       64     200000  150000       0.75   0.50  0.90

Reads from the cache: ReadAt 500 ns, kv.Get 1000 ns, kv / ReadAt 2.00
(this and that)

go9 plan9/mips, 3 CPUs, seed 5
`, text.String())

	var encoded bytes.Buffer
	require.NoError(t, r.WriteJSON(&encoded))
	require.JSONEq(t, `{"machine":{"go":"go9","os":"plan9","arch":"mips","cpus":3},
		"seed":5,"keyBytes":16,"valueBytes":128,"keys":9,"windowMillis":1000,
		"set":[{"callers":64,
			"bare":{"opsPerSecond":200000,"rounds":[{"ops":1,"micros":2},{"ops":3,"micros":4}]},
			"kv":{"opsPerSecond":150000,"rounds":[{"ops":1,"micros":2},{"ops":3,"micros":4}]},
			"ratio":0.75,"ratioMin":0.5,"ratioMax":0.9}],
		"get":{"reads":"this and that",
			"readAt":{"opsPerSecond":2000000,"rounds":[{"ops":1,"micros":2},{"ops":3,"micros":4}]},
			"kv":{"opsPerSecond":1000000,"rounds":[{"ops":1,"micros":2},{"ops":3,"micros":4}]},
			"readAtNanos":500,"kvNanos":1000,"costRatio":2}}`, encoded.String())
	var back EngineReport
	require.NoError(t, json.Unmarshal(encoded.Bytes(), &back))
	require.Equal(t, r, back)

	require.ErrorIs(t, r.WriteText(brokenWriter{}), errBroken)
	require.ErrorIs(t, r.WriteJSON(brokenWriter{}), errBroken)
	require.ErrorContains(t, r.WriteJSON(brokenWriter{}), "writing the report")
	bad := r
	bad.Get.CostRatio = math.NaN()
	require.Error(t, bad.WriteJSON(&text))
}

var errBroken = fmt.Errorf("broken pipe")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }
