package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/afero"

	"holdfast/kv"
)

// EngineConfig says what RunEngine measures. The zero value of each field
// means the default.
type EngineConfig struct {
	Callers    []int         // numbers of concurrent writers; default 1, 16, 64, 256
	KeyBytes   int           // default 16, at least 8
	ValueBytes int           // default 128
	Keys       int           // distinct keys that are written, drawn uniformly; default 1,000,000
	GetKeys    int           // keys in the store that is read; default 100,000
	Rounds     int           // rounds of each side of each comparison; default 5
	Window     time.Duration // length of a round; default 1 s
	Seed       uint64        // of the keys; 0: one is drawn and reported

	// Progress, if not nil, is told what is measured next.
	Progress func(what string)
}

// bareFileBytes is what the bare loop preallocates for each round.
const bareFileBytes = 256 << 20

func (c EngineConfig) withDefaults() (EngineConfig, error) {
	if len(c.Callers) == 0 {
		c.Callers = []int{1, 16, 64, 256}
	}
	fill(&c.KeyBytes, 16)
	fill(&c.ValueBytes, 128)
	fill(&c.Keys, 1_000_000)
	fill(&c.GetKeys, 100_000)
	fill(&c.Rounds, 5)
	fill(&c.Window, time.Second)
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c, c.check()
}

func (c EngineConfig) check() error {
	if err := checkGoroutines(c.Callers); err != nil {
		return err
	}
	switch {
	case c.KeyBytes < indexDigits || c.KeyBytes > kv.MaxKeyBytes:
		return fmt.Errorf("keys of %d bytes: want %d to %d", c.KeyBytes, indexDigits, kv.MaxKeyBytes)
	case c.ValueBytes < 1 || c.KeyBytes+c.ValueBytes > bareFileBytes/4:
		return fmt.Errorf("values of %d bytes: want at least 1, and with the key at most %d", c.ValueBytes, bareFileBytes/4)
	case c.Keys < 1 || c.GetKeys < 1 || int64(max(c.Keys, c.GetKeys)) >= 1<<32:
		return fmt.Errorf("%d and %d keys: want 1 to 2^32-1", c.Keys, c.GetKeys)
	case c.Rounds < 1 || c.Window < 0:
		return fmt.Errorf("%d rounds of %v: want at least one, of more than no time", c.Rounds, c.Window)
	}
	return nil
}

func checkGoroutines(levels []int) error {
	for _, n := range levels {
		if n < 1 || n > 1<<16 {
			return fmt.Errorf("%d concurrent callers: want 1 to %d", n, 1<<16)
		}
	}
	return nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// RunEngine compares the engine with the disk, in a directory of its own below
// dir that it removes at the end. It needs about 2 GiB of free space with the
// defaults, and their time adds up to a minute.
//
// Durable writes: kv's Set under SyncAlways against BareLoop.Set, both with the
// same key and value from the same number of callers. Each number of callers
// has a new store, which keeps growing over its rounds, and a new file for the
// bare loop in each round.
//
// Reads, by one caller: kv's Get against ReadAt; see GetResult.
func RunEngine(ctx context.Context, fsys afero.Fs, dir string, cfg EngineConfig) (report *EngineReport, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("benchmark of the engine: %w", err)
	}
	work, err := afero.TempDir(fsys, dir, "holdfast-bench-")
	if err != nil {
		return nil, fmt.Errorf("benchmark of the engine: making a directory: %w", err)
	}
	defer func() {
		if removeErr := fsys.RemoveAll(work); err == nil && removeErr != nil {
			report, err = nil, fmt.Errorf("benchmark of the engine: cleaning up: %w", removeErr)
		}
	}()
	e := &engineBench{EngineConfig: cfg, ctx: ctx, fsys: fsys, dir: work, value: newValue(cfg.Seed, cfg.ValueBytes)}
	if report, err = e.run(); err != nil {
		return nil, fmt.Errorf("benchmark of the engine: %w", err)
	}
	return report, nil
}

type engineBench struct {
	EngineConfig
	ctx   context.Context
	fsys  afero.Fs
	dir   string
	value []byte
}

func (e *engineBench) run() (*EngineReport, error) {
	r := &EngineReport{
		Machine: thisMachine(), Seed: e.Seed, KeyBytes: e.KeyBytes, ValueBytes: e.ValueBytes,
		Keys: e.Keys, WindowMillis: e.Window.Milliseconds(),
	}
	for _, callers := range e.Callers {
		e.Progress(fmt.Sprintf("durable writes, %d callers", callers))
		result, err := e.compareSets(callers)
		if err != nil {
			return nil, fmt.Errorf("durable writes with %d callers: %w", callers, err)
		}
		r.Set = append(r.Set, result)
	}
	e.Progress("reads from the cache")
	get, err := e.compareGets()
	if err != nil {
		return nil, fmt.Errorf("reads: %w", err)
	}
	r.Get = get
	return r, nil
}

// setter is what the two sides of the comparison of writes have in common.
type setter interface {
	Set(key, value []byte) error
	Close() error
}

// setOperations returns what makes the writers of one round. Both sides of a
// round get the same writers.
func setOperations(s setter, keys keyspace, value []byte, seed uint64) func(int) operation {
	return func(goroutine int) operation {
		p := keys.picker(seed, goroutine)
		return func(context.Context) error {
			_, key := p.next()
			return s.Set(key, value)
		}
	}
}

func (e *engineBench) keys(n int) keyspace {
	return keyspace{bytes: e.KeyBytes, n: uint32(n)}
}

// compareSets runs the rounds of one number of callers.
func (e *engineBench) compareSets(callers int) (result SetResult, err error) {
	dir := filepath.Join(e.dir, "set")
	db, err := kv.Open(e.fsys, dir, nil)
	if err != nil {
		return SetResult{}, err
	}
	l := load{goroutines: callers, window: e.Window}
	var bare, engine []sample
	err = alternate(e.ctx, e.Rounds,
		func(round int) error { return keep(&bare, l.ofBare(e, round)) },
		func(round int) error {
			return keep(&engine, func() (sample, error) {
				return l.run(e.ctx, setOperations(db, e.keys(e.Keys), e.value, e.Seed+uint64(round)))
			})
		})
	if err == nil {
		err = checkRecords(db.Stats(), engine)
	}
	err = errors.Join(err, db.Close())
	if err == nil {
		err = e.fsys.RemoveAll(dir)
	}
	if err != nil {
		return SetResult{}, err
	}
	return newSetResult(callers, bare, engine), nil
}

// ofBare returns one round of the bare loop, on a file of its own.
func (l load) ofBare(e *engineBench, round int) func() (sample, error) {
	return func() (s sample, err error) {
		name := filepath.Join(e.dir, "bare")
		bare, err := NewBareLoop(e.fsys, name, bareFileBytes)
		if err != nil {
			return sample{}, err
		}
		s, err = l.run(e.ctx, setOperations(bare, e.keys(e.Keys), e.value, e.Seed+uint64(round)))
		if err = errors.Join(err, bare.Close()); err != nil {
			return sample{}, err
		}
		return s, e.fsys.Remove(name)
	}
}

// checkRecords holds the engine's own count against that of the callers: a
// figure over writes that the engine did not make durable would be a lie.
func checkRecords(stats kv.Stats, samples []sample) error {
	var ops uint64
	for _, s := range samples {
		ops += uint64(s.ops)
	}
	if stats.Records != ops || stats.DurableSeq != stats.LastSeq {
		return fmt.Errorf("%d writes were acknowledged, the engine committed %d (durable up to %d of %d)",
			ops, stats.Records, stats.DurableSeq, stats.LastSeq)
	}
	return nil
}

// alternate runs so many rounds of two sides. The side that went second goes
// first in the next round. Each starts with the garbage of the other collected.
func alternate(ctx context.Context, rounds int, one, two func(round int) error) error {
	for round := range rounds {
		sides := []func(int) error{one, two}
		if round%2 == 1 {
			sides[0], sides[1] = two, one
		}
		for _, side := range sides {
			if err := ctx.Err(); err != nil {
				return err
			}
			runtime.GC()
			if err := side(round); err != nil {
				return err
			}
		}
	}
	return nil
}

func keep(samples *[]sample, measure func() (sample, error)) error {
	s, err := measure()
	if err == nil {
		*samples = append(*samples, s)
	}
	return err
}
