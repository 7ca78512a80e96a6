package kv

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

var (
	linRounds = flag.Int("linear.rounds", 600, "histories of concurrent callers that are checked")
	linSeed   = flag.Uint64("linear.seed", 1, "the first of them")
)

const linClients = 4

// linRound is one history: callers of a store through several lives.
type linRound struct {
	seed   uint64
	rng    *rand.Rand
	opts   Options
	timed  bool // in a bubble of testing/synctest: pauses and syncs take fake time
	base   afero.Fs
	power  *faultfs.Volatile
	fs     *faultfs.FS
	h      linHistory
	values atomic.Int64
	log    []string
	stats  map[string]int
}

func (r *linRound) note(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// linFaults make outcomes other than ok. Those that fail on and on fence the
// store, and let go of it some calls later.
var linFaults = []string{
	"sync *.seg #%d EIO", "sync *.seg #%d EIO reverted", "sync *.seg #%d+ heal=3 EIO", "sync|syncdir * #%d+ heal=5 EIO",
	"sync|syncdir * #%d+ heal=8 EIO reverted", "sync|syncdir|write * #%d+ heal=20 EIO", "write *.seg #%d tear=100 EIO",
	"write *.seg #%d ENOSPC", "write|create * #%d+ heal=6 ENOSPC", "sync *.seg #%d EIO after",
}

// linCuts cut the power in the middle of a call.
var linCuts = []string{
	"write *.seg #%d crash=any", "sync *.seg #%d crash=any", "sync *.seg #%d after crash=nothing", "sync *.seg #%d crash=torn",
	"syncdir * #%d crash=any", "syncdir * #%d after crash=nothing", "create *.seg #%d crash=whole", "sync MANIFEST-* #%d crash=any",
}

func (r *linRound) inject(rule string) {
	r.note("rule %s", rule)
	for _, rule := range faultfs.MustParse(rule) {
		r.fs.Inject(rule)
	}
}

// cutRule is one of linCuts, with a seed.
func (r *linRound) cutRule(reach int) string {
	rule := fmt.Sprintf(linCuts[r.rng.IntN(len(linCuts))], 1+r.rng.IntN(reach))
	return fmt.Sprintf("%s seed=%d", rule, 1+r.rng.IntN(1000))
}

// plugIn gives the store a disk with power, and without faults.
func (r *linRound) plugIn() {
	r.power = faultfs.NewVolatile(r.base, faultfs.VolatileOptions{})
	r.newProcess()
}

// newProcess leaves the rules behind, and keeps the disk and its cache.
func (r *linRound) newProcess() { r.fs = faultfs.New(r.power) }

func (r *linRound) powerIsCut() bool {
	_, err := r.power.Stat("/")
	return errors.Is(err, vfs.ErrCrashed)
}

func (r *linRound) cutPower() {
	keep := []string{"nothing", "whole", "torn", "zeros", "garbage", "any", "any"}[r.rng.IntN(7)]
	r.note("power cut, %s", keep)
	_, _ = r.power.Crash(r.rng.Uint64(), keep)
}

// open opens the store, sometimes with a power cut in the middle of it.
func (r *linRound) open() (*DB, error) {
	for {
		if r.rng.IntN(4) == 0 {
			r.inject(r.cutRule(3))
		}
		db, err := Open(r.fs, dir, &r.opts)
		r.note("open: %v", err)
		switch {
		case err == nil && !r.powerIsCut():
			r.fs.Heal()
			return db, nil
		case err == nil:
			abandon(db)
		case !errors.Is(err, vfs.ErrCrashed):
			return nil, fmt.Errorf("opening the store: %w", err)
		}
		r.stats["cut in Open"]++
		r.plugIn()
	}
}

// linEnd is how a life ends.
type linEnd int

const (
	linCutByRule linEnd = iota // the power, in the middle of a call of the file system
	linCutUnderLoad
	linKilled // the cache survives
	linClosed
)

func (e linEnd) String() string {
	return [...]string{"cut by a rule", "cut under load", "killed", "closed"}[e]
}

// live lets callers at the store until its life is over: by a rule that cuts the
// power, by one of them after some calls, or when all have made their calls.
func (r *linRound) live(db *DB) {
	if r.timed {
		r.inject(fmt.Sprintf("sync|syncdir * delay=%dus", 100+r.rng.IntN(1500)))
	}
	if r.rng.IntN(2) == 0 {
		r.inject(fmt.Sprintf(linFaults[r.rng.IntN(len(linFaults))], 1+r.rng.IntN(6)))
	}
	end := []linEnd{linCutByRule, linCutByRule, linCutByRule, linCutUnderLoad, linCutUnderLoad, linKilled, linKilled, linClosed}[r.rng.IntN(8)]
	if end == linCutByRule {
		r.inject(r.cutRule(12))
		r.fs.OnCrash(func(vfs.Lost) { r.h.crash() })
	}
	var calls atomic.Int64
	last := int64(10 + r.rng.IntN(40))
	lookFirst := r.rng.IntN(4) > 0
	var wg sync.WaitGroup
	for client := range linClients {
		rng := rand.New(rand.NewPCG(r.rng.Uint64(), r.seed))
		wg.Go(func() {
			if lookFirst && !r.look(db, client, client%linGroups) {
				return
			}
			for range 20 {
				r.pause(rng, client)
				if calls.Add(1) == last && end != linCutByRule {
					r.end(db, end)
				}
				if !r.call(db, rng, client) {
					return
				}
			}
		})
	}
	if !r.timed { // a reader that never pauses, for what is visible only for a moment
		wg.Go(func() {
			for n := 0; n < 60 && r.look(db, linClients, n%linGroups); n++ {
			}
		})
	}
	wg.Wait()
	if !r.h.isOver() {
		if end == linCutByRule {
			end = linCutUnderLoad
		}
		r.end(db, end)
	}
	r.stats[end.String()]++
	abandon(db)
	if r.powerIsCut() {
		r.plugIn()
	} else {
		r.newProcess()
	}
	r.h.restart()
}

// end ends the life. It is over once this has returned.
func (r *linRound) end(db *DB, how linEnd) {
	r.note("%v", how)
	switch how {
	case linKilled:
		abandon(db)
	case linClosed:
		all := &linOp{kind: linSync, client: linClients + 1}
		r.h.call(all)
		r.h.returned(all, linOutcomeOf(db.Close()))
	default:
		r.cutPower()
	}
	r.h.crash()
}

// pause keeps callers apart. In a bubble no two of them ever wake at the same
// moment, unless one sync wakes both, so that the seed and not the scheduler
// decides what overlaps what.
func (r *linRound) pause(rng *rand.Rand, client int) {
	if r.timed {
		time.Sleep(time.Duration(rng.IntN(150)*linClients+client) * time.Microsecond)
	}
}

func linKeyName(group, key int) []byte { return fmt.Appendf(nil, "g%d-%d", group, key) }

// call makes a random call. It reports false once the life is over.
func (r *linRound) call(db *DB, rng *rand.Rand, client int) bool {
	op := &linOp{client: client, group: rng.IntN(linGroups)}
	key := rng.IntN(linKeys)
	op.keys[key] = true
	switch n := rng.IntN(20); {
	case n < 6:
		return r.get(db, op, key)
	case n < 8:
		return r.look(db, client, op.group)
	case n < 9 && r.h.interval:
		op.kind = linSync
		return r.do(op, db.Sync)
	case n < 12: // Delete
		return r.do(op, func() (err error) {
			op.existed, err = db.Delete(linKeyName(op.group, key))
			return err
		})
	case n < 15:
		op.keys = [linKeys]bool{true, true, rng.IntN(2) == 0}
		if rng.IntN(4) > 0 {
			op.value = int(r.values.Add(1))
		}
		return r.do(op, func() error { return db.Apply(op.batch(rng)) })
	}
	op.value = int(r.values.Add(1))
	value := op.bytes(rng)
	return r.do(op, func() error { return db.Set(linKeyName(op.group, key), value) })
}

// do makes one call and notes when it was called, when it returned and how.
func (r *linRound) do(op *linOp, call func() error) bool {
	if !r.h.call(op) {
		return false
	}
	r.h.returned(op, linOutcomeOf(call()))
	return true
}

func (op *linOp) bytes(rng *rand.Rand) []byte {
	size := []int{0, 10, 300, 1000, 3000}[rng.IntN(5)]
	return fmt.Appendf(nil, "%d|%s", op.value, strings.Repeat("v", size))
}

func (op *linOp) batch(rng *rand.Rand) *Batch {
	b := new(Batch)
	for k, has := range op.keys {
		switch {
		case has && op.value == 0:
			b.Delete(linKeyName(op.group, k))
		case has:
			b.Set(linKeyName(op.group, k), op.bytes(rng))
		}
	}
	return b
}

func (r *linRound) get(db *DB, op *linOp, key int) bool {
	op.kind = linRead
	return r.do(op, func() error {
		value, err := db.Get(linKeyName(op.group, key))
		switch {
		case err == nil:
			op.got[key] = attackNumber(value)
		case errors.Is(err, ErrNotFound):
			err = nil
		}
		return err
	})
}

// look reads a whole group at one moment.
func (r *linRound) look(db *DB, client, group int) bool {
	op := &linOp{client: client, kind: linRead, group: group, keys: [linKeys]bool{true, true, true}}
	return r.do(op, func() error {
		for p, err := range db.Scan(ScanOptions{Prefix: fmt.Appendf(nil, "g%d-", group)}) {
			if err != nil {
				return err
			}
			op.got[p.Key[len(p.Key)-1]-'0'] = attackNumber(p.Value)
		}
		return nil
	})
}

// run makes one history, and checks it.
func (r *linRound) run(save func(porcupine.Model, porcupine.LinearizationInfo)) error {
	r.plugIn()
	for range 2 + r.rng.IntN(4) {
		db, err := r.open()
		if err != nil {
			return err
		}
		r.live(db)
	}
	db, err := r.open()
	if err != nil {
		return err
	}
	for group := range linGroups {
		r.look(db, 0, group)
	}
	abandon(db)
	for _, op := range r.h.ops {
		r.stats[fmt.Sprintf("%s %s", [...]string{"write", "read", "sync"}[op.kind], [...]string{"", "ok", "failed", "unknown"}[op.outcome])]++
	}
	return r.h.check(save)
}

func newLinRound(seed uint64, base afero.Fs, stats map[string]int) *linRound {
	r := &linRound{seed: seed, rng: rand.New(rand.NewPCG(seed, 11)), base: base, stats: stats}
	r.opts = Options{
		SegmentBytes: []int64{4 << 10, 16 << 10, 256 << 10}[r.rng.IntN(3)],
		boundEvery:   []time.Duration{time.Millisecond, time.Hour}[r.rng.IntN(2)],
		resumeEvery:  []time.Duration{time.Nanosecond, time.Millisecond}[r.rng.IntN(2)],
	}
	if r.rng.IntN(3) == 0 {
		r.h.interval = true
		r.opts.Sync = SyncEvery([]time.Duration{200 * time.Microsecond, time.Millisecond, time.Hour}[r.rng.IntN(3)])
	}
	return r
}

// TestLinearizable lets concurrent callers at a store through two to five
// crashes: power cuts in the middle of a call or between calls, kills, closes,
// and power cuts while it is opened. Half of the callers meet failing syncs,
// failing writes and a full disk. What all of them did and saw must be what one
// store would have shown to one caller at a time, crashes or not; the page
// above linGroups says what that means.
//
// Three histories in four run in a bubble of testing/synctest, where pauses,
// syncs and the timers of the store take fake time: the seed alone decides
// what overlaps. The rest run as the scheduler likes, one in sixteen on a real
// directory.
//
//	go test -race ./kv -run TestLinearizable -linear.rounds 20000 -linear.seed 1
//	go test ./kv -run TestLinearizable -linear.rounds 1 -linear.seed N -artifacts  # keeps the picture
func TestLinearizable(t *testing.T) {
	stats := map[string]int{}
	var errs []error
	for i := range *linRounds {
		seed := *linSeed + uint64(i)
		var base afero.Fs = afero.NewMemMapFs()
		if seed%16 == 0 {
			base = afero.NewBasePathFs(afero.NewOsFs(), t.TempDir())
		}
		r := newLinRound(seed, base, stats)
		save := func(m porcupine.Model, info porcupine.LinearizationInfo) {
			path := filepath.Join(t.ArtifactDir(), fmt.Sprintf("linearizability-%d.html", seed))
			require.NoError(t, porcupine.VisualizePath(m, info, path))
			r.note("picture: %s", path)
		}
		var err error
		if seed%4 == 0 {
			err = r.run(save)
		} else {
			r.timed = true
			synctest.Test(t, func(*testing.T) { err = r.run(save) })
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("-linear.seed %d, sync %s: %w\n%s", seed, r.opts.Sync, err, strings.Join(r.log, "\n")))
			break
		}
	}
	t.Log(stats)
	require.NoError(t, errors.Join(errs...))
	if *linRounds < 100 {
		return
	}
	for _, must := range []string{"write ok", "write failed", "write unknown", "cut by a rule", "cut under load", "killed", "closed", "cut in Open"} {
		require.Positive(t, stats[must], must)
	}
}
