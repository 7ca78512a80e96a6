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
	linRounds = flag.Int("linear.rounds", 0, "histories of concurrent callers that are checked; 0: 400, or 80 with -race")
	linSeed   = flag.Uint64("linear.seed", 1, "the first of them")
)

const linClients = 4

// linDisk is a disk that can lose its power.
type linDisk interface {
	afero.Fs
	vfs.Crasher
}

// volatileOn makes a new volatile layer over one base after every power cut.
func volatileOn(base afero.Fs) func(linDisk) linDisk {
	return func(linDisk) linDisk { return faultfs.NewVolatile(base, faultfs.VolatileOptions{}) }
}

// rememberingDisk is a faultfs.Disk, and after a cut one of its legal contents.
func rememberingDisk(cut linDisk) linDisk {
	if cut == nil {
		return faultfs.NewDisk()
	}
	return cut.(*faultfs.Disk).After()
}

// linRound is one history: callers of a store through several lives.
type linRound struct {
	seed   uint64
	rng    *rand.Rand
	opts   Options
	timed  bool // in a bubble of testing/synctest: pauses and syncs take fake time
	disk   linDisk
	renew  func(cut linDisk) linDisk // what a power cut has left; nil: the first disk
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
	r.disk = r.renew(r.disk)
	r.newProcess()
}

// newProcess leaves the rules behind, and keeps the disk and its cache.
func (r *linRound) newProcess() { r.fs = faultfs.New(r.disk) }

func (r *linRound) isCut() bool {
	_, err := r.disk.Stat("/")
	return errors.Is(err, vfs.ErrCrashed)
}

// startAgain readies the disk for the next process, with power if it was cut.
func (r *linRound) startAgain() {
	if r.isCut() {
		r.plugIn()
	} else {
		r.newProcess()
	}
	r.h.restart()
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
		case err == nil && !r.isCut():
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

// linLife is what the seed says about one life.
type linLife struct {
	end       linEnd
	last      int64 // the call at which it ends, unless a rule ends it
	lookFirst bool  // everybody reads everything before anybody writes
	keep      string
	cutSeed   uint64
	callers   [linClients]*rand.Rand
}

func (r *linRound) newLife() *linLife {
	l := &linLife{
		end:       []linEnd{linCutByRule, linCutByRule, linCutByRule, linCutUnderLoad, linCutUnderLoad, linKilled, linKilled, linClosed}[r.rng.IntN(8)],
		last:      int64(10 + r.rng.IntN(40)),
		lookFirst: r.rng.IntN(4) > 0,
		keep:      []string{"nothing", "whole", "torn", "zeros", "garbage", "any", "any"}[r.rng.IntN(7)],
		cutSeed:   r.rng.Uint64(),
	}
	for i := range l.callers {
		l.callers[i] = rand.New(rand.NewPCG(r.rng.Uint64(), r.seed))
	}
	return l
}

// live lets callers at the store until its life is over: by a rule that cuts the
// power, by one of them after some calls, or when all have made their calls.
func (r *linRound) live(db *DB) {
	l := r.newLife()
	r.injectFor(l)
	var calls atomic.Int64
	var wg sync.WaitGroup
	for client, rng := range l.callers {
		wg.Go(func() {
			if l.lookFirst && !r.look(db, client, client%linGroups) {
				return
			}
			for range 20 {
				r.pause(rng, client)
				if calls.Add(1) == l.last && l.end != linCutByRule {
					r.finish(db, l)
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
		r.finish(db, l)
	}
	r.stats[l.end.String()]++
	abandon(db)
	r.startAgain()
}

// injectFor sets the rules of a life.
func (r *linRound) injectFor(l *linLife) {
	if r.timed {
		r.inject(fmt.Sprintf("sync|syncdir * delay=%dus", 100+r.rng.IntN(1500)))
	}
	if r.rng.IntN(2) == 0 {
		r.inject(fmt.Sprintf(linFaults[r.rng.IntN(len(linFaults))], 1+r.rng.IntN(6)))
	}
	if l.end == linCutByRule {
		r.inject(r.cutRule(12))
		r.fs.OnCrash(func(vfs.Lost) { r.h.crash() })
	}
}

// finish ends the life, which is over once this has returned.
func (r *linRound) finish(db *DB, l *linLife) {
	if l.end == linCutByRule {
		l.end = linCutUnderLoad // the rule did not strike
	}
	r.note("%v, %s", l.end, l.keep)
	switch l.end {
	case linKilled:
		abandon(db)
	case linClosed:
		all := &linOp{kind: linSync, client: linClients + 1}
		r.h.call(all)
		r.h.returned(all, linOutcomeOf(db.Close()))
	default:
		_, _ = r.disk.Crash(l.cutSeed, l.keep) // whatever it could not keep is lost
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

func newLinRound(seed uint64, renew func(linDisk) linDisk, stats map[string]int) *linRound {
	r := &linRound{seed: seed, rng: rand.New(rand.NewPCG(seed, 11)), renew: renew, stats: stats}
	r.opts = Options{
		SegmentBytes: []int64{4 << 10, 16 << 10, 256 << 10}[r.rng.IntN(3)],
		BoundEvery:   []time.Duration{time.Millisecond, time.Hour}[r.rng.IntN(2)],
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
// Half of the disks are a faultfs.Disk, the others a volatile layer, some over a
// real directory. Two histories in three run in a bubble of testing/synctest,
// where pauses, syncs and the timers of the store take fake time: the seed
// decides what overlaps. The rest run as the scheduler likes.
//
//	go test -race ./kv -run TestLinearizable -linear.rounds 20000 -linear.seed 1
//	go test ./kv -run TestLinearizable -linear.rounds 1 -linear.seed N -artifacts  # keeps the picture
func TestLinearizable(t *testing.T) {
	stats := map[string]int{}
	var errs []error
	rounds := *linRounds
	switch {
	case rounds == 0 && raceEnabled:
		rounds = 80
	case rounds == 0:
		rounds = 400
	}
	for i := range rounds {
		seed := *linSeed + uint64(i)
		renew := rememberingDisk
		switch {
		case seed%16 == 0:
			renew = volatileOn(afero.NewBasePathFs(afero.NewOsFs(), t.TempDir()))
		case seed%2 == 0:
			renew = volatileOn(afero.NewMemMapFs())
		}
		r := newLinRound(seed, renew, stats)
		save := func(m porcupine.Model, info porcupine.LinearizationInfo) {
			path := filepath.Join(t.ArtifactDir(), fmt.Sprintf("linearizability-%d.html", seed))
			require.NoError(t, porcupine.VisualizePath(m, info, path))
			r.note("picture: %s", path)
		}
		var err error
		if seed%4 == 0 || seed%16 == 3 {
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
	if rounds < 80 {
		return
	}
	for _, must := range []string{"write ok", "write failed", "write unknown", "cut by a rule", "cut under load", "killed", "closed", "cut in Open"} {
		require.Positive(t, stats[must], must)
	}
}
