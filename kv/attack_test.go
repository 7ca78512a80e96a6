package kv

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

var (
	attackRounds = flag.Int("attack.rounds", 20, "random stores that are attacked")
	attackSeed   = flag.Uint64("attack.seed", 1, "the first of them")
)

type attacker struct {
	seed   uint64
	rng    *rand.Rand
	opts   Options
	base   afero.Fs
	power  *faultfs.Volatile
	fs     *faultfs.FS
	owners []*attackOwner
	log    []string

	mu     sync.Mutex
	failed error
	stats  map[string]int
}

func (a *attacker) note(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, fmt.Sprintf(format, args...))
}

func (a *attacker) count(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stats[what]++
}

func (a *attacker) violation(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed == nil {
		a.failed = fmt.Errorf(format, args...)
	}
}

var attackRules = []string{
	"sync *.seg #%d EIO", "sync *.seg #%d EIO reverted", "sync *.seg #%d EIO after", "sync *.seg #%d+ heal=3 EIO",
	"sync * #%d ENOSPC", "sync|syncdir * #%d+ heal=5 EIO", "syncdir * #%d EIO", "syncdir * #%d+ heal=3 EIO reverted",
	"write *.seg #%d EIO", "write *.seg #%d tear=100 EIO", "write *.seg #%d ENOSPC", "write *.seg #%d tear=700 ENOSPC",
	"write *.seg #%d short=50", "write *.seg #%d+ heal=4 tear=17 EIO", "write MANIFEST-* #%d EIO", "write * #%d EIO after",
	"create * #%d EIO", "create *.seg #%d+ heal=3 EMFILE", "create MANIFEST-* #%d+ heal=2 ENOSPC", "preallocate * #%d ENOSPC",
	"preallocate *.seg #%d+ heal=2 EDQUOT", "sync MANIFEST-* #%d EIO", "sync MANIFEST-* #%d+ heal=2 EIO reverted",
	"truncate * #%d EIO", "remove * #%d+ heal=4 EIO", "read *.seg #%d+ heal=2 EIO", "read *.seg p=0.2 seed=%d heal=9 EIO",
	"write * quota=%d000", "write * quota=%d000 EDQUOT", "any * p=0.1 seed=%d heal=6 EIO",
	"any * p=0.2 seed=%d heal=20 EIO", "any * p=0.1 seed=%d heal=8 ENOSPC", "sync|write * p=0.3 seed=%d heal=12 EIO",
	"any * #%d+ heal=40 EIO", "create|write|sync|syncdir|truncate|preallocate|remove * #%d+ EIO",
	"create|write|sync|syncdir|truncate|preallocate|remove * #%d+ EROFS", "sync * #%d EIO aborted", "write * #%d EINTR",
	"sync *.seg #%d delay=1ms EIO", "any * #%d+ heal=30 delay=200us",
	"any * #%d2 crash=any", "sync * #%d crash=torn", "sync * #%d after crash=garbage", "write * #%d crash=any", "syncdir * #%d crash=whole",
}

func (a *attacker) inject(rng *rand.Rand, some int) {
	for range 1 + rng.IntN(some) {
		rule := attackRules[rng.IntN(len(attackRules))]
		if strings.Contains(rule, "crash") && rng.IntN(3) > 0 {
			continue
		}
		rule = fmt.Sprintf(rule, 1+rng.IntN(12))
		if strings.Contains(rule, "garbage") || strings.Contains(rule, "crash") {
			rule = strings.Replace(rule, "crash", fmt.Sprintf("seed=%d crash", 1+rng.IntN(1000)), 1)
			rule = strings.Replace(rule, " after seed", " seed", 1)
		}
		a.note("rule %s", rule)
		for _, r := range faultfs.MustParse(rule) {
			a.fs.Inject(r)
		}
	}
}

func (a *attacker) plugIn() {
	a.power = faultfs.NewVolatile(a.base, faultfs.VolatileOptions{})
	a.fs = faultfs.New(a.power)
}

// cut cuts the power, unless a rule did.
func (a *attacker) cut() {
	keep := []string{"nothing", "whole", "torn", "zeros", "garbage", "any"}[a.rng.IntN(6)]
	a.note("power cut, %s", keep)
	_, _ = a.power.Crash(a.rng.Uint64(), keep)
}

// open opens the store, with faults.
func (a *attacker) open() (*DB, error) {
	for try := 0; ; try++ {
		if try < 4 && a.rng.IntN(2) == 0 {
			a.inject(a.rng, 2)
		}
		db, err := Open(a.fs, dir, &a.opts)
		a.note("open: %v", err)
		if err == nil {
			return db, nil
		}
		if errors.Is(err, ErrDamaged) || errors.Is(err, ErrFormatTooNew) || errors.Is(err, ErrLocked) {
			return nil, err
		}
		a.count("failed opens")
		if try > 8 {
			return nil, fmt.Errorf("nothing fails any more: %w", err)
		}
		a.fs.Heal()
		if _, err := a.power.Stat("/"); err != nil || a.rng.IntN(2) == 0 {
			a.cut()
			a.plugIn()
		} else if try >= 4 {
			a.fs = faultfs.New(a.power)
		}
	}
}

// live lets callers at the store while faults come and go.
func (a *attacker) live(db *DB) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg, writers sync.WaitGroup
	for _, o := range a.owners {
		rng := rand.New(rand.NewPCG(a.rng.Uint64(), 1))
		writers.Add(1)
		go func() {
			defer writers.Done()
			for n := 20 + rng.IntN(60); n > 0; n-- {
				err := o.write(a, db, rng)
				if errors.Is(err, ErrClosed) {
					return
				}
				if rng.IntN(12) == 0 {
					o.mu.Lock()
					until := len(o.ops)
					o.mu.Unlock()
					if db.Sync() == nil {
						o.must = until
					}
				}
			}
		}()
		rng2 := rand.New(rand.NewPCG(a.rng.Uint64(), 2))
		wg.Add(1)
		go func() {
			defer wg.Done()
			for ctx.Err() == nil {
				k := rng2.IntN(attackKeys)
				o.read(a, k, func() ([]byte, error) { return db.Get([]byte(attackKeyName(o.id, k))) })
				time.Sleep(time.Duration(rng2.IntN(100)) * time.Microsecond)
			}
		}()
	}
	rng := rand.New(rand.NewPCG(a.rng.Uint64(), 3))
	wg.Add(2)
	go func() {
		defer wg.Done()
		for ctx.Err() == nil {
			a.scan(ctx, db)
		}
	}()
	go func() {
		defer wg.Done()
		for ctx.Err() == nil {
			a.inject(rng, 2)
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
			if rng.IntN(2) == 0 {
				a.fs.Heal()
			}
		}
	}()
	ended := make(chan struct{})
	go func() { writers.Wait(); close(ended) }()
	end := a.rng.IntN(6)
	if end < 2 { // while all goes on
		time.Sleep(time.Duration(a.rng.IntN(8000)) * time.Microsecond)
		switch end {
		case 0:
			a.cut()
		case 1:
			a.note("closed under load")
			if db.Close() == nil {
				a.note("closed well")
				<-ended
				a.allDurable()
			}
		}
	}
	<-ended
	cancel()
	wg.Wait()
	switch end {
	case 2:
		a.cut()
	case 3:
		if db.Close() == nil {
			a.note("closed well")
			a.allDurable()
		}
	case 4:
		a.fs.Heal()
		if _, err := a.power.Stat("/"); err == nil {
			a.resumes(db)
		}
		if a.rng.IntN(2) == 0 {
			a.cut()
		}
	}
	abandon(db)
	a.fs.Heal()
	if _, err := a.power.Stat("/"); err != nil {
		a.note("the power is cut")
		a.plugIn()
	} else {
		a.note("killed or closed")
		a.fs = faultfs.New(a.power)
	}
}

func (a *attacker) allDurable() {
	for _, o := range a.owners {
		o.must = len(o.ops)
	}
}

// resumes holds the store to going on once the storage works.
func (a *attacker) resumes(db *DB) {
	rng := rand.New(rand.NewPCG(a.seed, 9))
	var err error
	for range 20 {
		if err = a.owners[0].write(a, db, rng); err == nil {
			if err := db.Sync(); err != nil {
				a.violation("the storage works, a write is ok, and Sync says %v", err)
			}
			a.allDurable()
			a.count("resumed")
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	a.violation("the storage works again, and writes do not: %v", err)
}

// scan reads a snapshot three times.
func (a *attacker) scan(ctx context.Context, db *DB) {
	s, err := db.Snapshot()
	if err != nil {
		time.Sleep(100 * time.Microsecond)
		return
	}
	defer s.Close()
	first := map[string]int{}
	for turn := range 3 {
		got := map[string]int{}
		whole := true
		for p, err := range s.Scan(ScanOptions{}) {
			if err != nil {
				if errors.Is(err, ErrDamaged) {
					a.violation("scan: %v", err)
				}
				whole = false
				break
			}
			got[string(p.Key)] = attackNumber(p.Value)
		}
		for key, num := range got {
			if was, ok := first[key]; turn > 0 && ok && was != num {
				a.violation("a snapshot has %d for %s, and had %d", num, key, was)
			}
		}
		if whole {
			if len(first) > len(got) {
				a.violation("a snapshot has %v, and had %v", got, first)
			}
			first = got
			for _, o := range a.owners {
				if x, y := got[attackKeyName(o.id, 0)], got[attackKeyName(o.id, 1)]; x != y {
					a.violation("half a batch: %d and %d of owner %d", x, y, o.id)
				}
			}
			a.count("scans")
		}
		if ctx.Err() != nil {
			return
		}
		time.Sleep(300 * time.Microsecond)
	}
}

func (a *attacker) round() error {
	for range 4 {
		db, err := a.open()
		if err != nil {
			return err
		}
		for _, o := range a.owners {
			if err := o.settle(a, db); err != nil {
				abandon(db)
				if _, dead := a.power.Stat("/"); dead != nil { // a rule cut the power after Open
					a.plugIn()
					db = nil
					break
				}
				return fmt.Errorf("after Open: %w", err)
			}
		}
		if db == nil {
			continue
		}
		a.live(db)
		if a.failed != nil {
			return a.failed
		}
		if err := a.check(); err != nil {
			return err
		}
	}
	return nil
}

// check holds Check against a store that nothing is wrong with.
func (a *attacker) check() error {
	report, err := Check(a.fs, dir, &a.opts)
	if err != nil {
		if errors.Is(err, ErrNoStore) {
			return nil
		}
		return fmt.Errorf("check: %w", err)
	}
	if len(report.Damages) > 0 {
		return fmt.Errorf("check finds %+v", report.Damages)
	}
	return nil
}

func attackRound(seed uint64, stats map[string]int) error {
	a := &attacker{seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), base: afero.NewMemMapFs(), stats: stats}
	a.opts = Options{
		SegmentBytes: []int64{4 << 10, 16 << 10, 256 << 10}[a.rng.IntN(3)],
		BoundEvery:   []time.Duration{time.Millisecond, time.Hour}[a.rng.IntN(2)],
		resumeEvery:  []time.Duration{time.Nanosecond, time.Millisecond / 4}[a.rng.IntN(2)],
	}
	if seed%2 == 0 {
		a.opts.Sync = SyncEvery([]time.Duration{time.Millisecond, 200 * time.Microsecond, time.Hour}[a.rng.IntN(3)])
	}
	for id := range attackOwners {
		o := &attackOwner{id: id}
		for k := range o.keys {
			o.keys[k].issued = map[int]*attackOp{}
		}
		a.owners = append(a.owners, o)
	}
	a.plugIn()
	done := make(chan error, 1)
	go func() { done <- a.round() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("-attack.seed %d, sync %s: %w\n%s", seed, a.opts.Sync, err, strings.Join(a.log[max(0, len(a.log)-60):], "\n"))
		}
		return nil
	case <-time.After(60 * time.Second):
		panic(fmt.Sprintf("-attack.seed %d hangs", seed))
	}
}

// TestAttack lets concurrent writers, readers and scans at a store while faults
// of every kind come and go, ends its process in every way, four times over, and
// holds all that anybody saw against what every writer was told.
//
//	go test -race ./kv -run TestAttack -attack.rounds 1000 -attack.seed 1
func TestAttack(t *testing.T) {
	stats := map[string]int{}
	var errs []error
	require.Positive(t, *attackRounds, "-attack.rounds selects nothing")
	for i := range *attackRounds {
		if err := attackRound(*attackSeed+uint64(i), stats); err != nil {
			errs = append(errs, err)
			if len(errs) == 3 {
				break
			}
		}
	}
	t.Log(stats)
	require.NoError(t, errors.Join(errs...))
}
