package kv

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

var (
	stormRounds = flag.Int("storm.rounds", 12, "power cuts in each storm")
	stormSeed   = flag.Uint64("storm.seed", 0, "seed of the storms; 0 draws one")
)

// stormFaults come and go while everybody writes.
var stormFaults = []string{
	"sync *.seg p=0.2 EIO", "sync *.seg #1 EIO reverted", "write *.seg p=0.2 tear=100 EIO", "sync|syncdir * p=0.3 EIO",
	"create * p=0.5 EMFILE", "write * p=0.3 ENOSPC", "sync * p=0.3 ENOSPC after", "write * quota=20000",
	"syncdir * EIO", "read * p=0.1 EIO", "sync *.seg #1 EIO aborted", "write * short=30 p=0.3", "any * p=0.05 EINTR",
	"write MANIFEST-* EIO", "sync *.seg #1+ heal=3 EIO; create * #2+ heal=3 EIO",
}

// In a storm many callers write and read while faults come and go, until the
// power is cut under all of them; then the store is opened again, and so on. No
// acknowledged write may be missing then, no failed one be there, and nothing
// that was read may have gone back. Writes to a key carry a rising number, so
// that who sees what is easy to judge. How the callers interleave is up to the
// machine: -storm.seed repeats the faults, not the run.
func TestStorm(t *testing.T) {
	seed := *stormSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-storm.seed %d", seed)
	for _, o := range []Options{
		{SegmentBytes: 4 << 10, boundEvery: time.Millisecond, resumeEvery: time.Nanosecond},
		{SegmentBytes: 64 << 10, boundEvery: time.Hour, resumeEvery: time.Millisecond},
	} {
		s := newStorm(rand.New(rand.NewPCG(seed, uint64(o.SegmentBytes))), o)
		for round := range *stormRounds {
			require.NoError(t, s.round(), "round %d, -storm.seed %d", round, seed)
		}
		require.Positive(t, s.acknowledged.Load())
		t.Logf("%d writes acknowledged, %d failed, %d unknown", s.acknowledged.Load(), s.failed.Load(), s.unknown.Load())
	}
}

const (
	stormWriters = 8
	stormKeys    = 4 // of each writer
)

// storm is a disk and what its writers were told. Each writer has keys of its
// own and alone touches their history.
type storm struct {
	rng  *rand.Rand
	opts Options
	disk *sweepDisk
	keys [stormWriters][stormKeys]stormKey

	acknowledged, failed, unknown atomic.Int64
}

// stormKey is what is known of one key.
type stormKey struct {
	name    string
	issued  int          // number of the last write
	allowed map[int]bool // numbers that it may hold, 0 for none
	seen    atomic.Int64 // greatest number that anybody has read
}

func newStorm(rng *rand.Rand, o Options) *storm {
	s := &storm{rng: rng, opts: o, disk: newSweepDisk(afero.NewMemMapFs())}
	for w := range s.keys {
		for k := range s.keys[w] {
			key := &s.keys[w][k]
			key.name, key.allowed = fmt.Sprintf("writer-%d-key-%d", w, k), map[int]bool{0: true}
		}
	}
	return s
}

// round opens the store, looks at every key, and writes until the power goes.
func (s *storm) round() error {
	db, err := Open(s.disk.fs, dir, &s.opts)
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	s.disk.dbs = append(s.disk.dbs, db)
	if err := s.settle(db); err != nil {
		return errors.Join(err, s.disk.cutPower(0, faultfs.KeepNothing))
	}
	broken := make(chan error, 2*stormWriters)
	var callers sync.WaitGroup
	var stop atomic.Bool
	for w := range s.keys {
		draw := rand.New(rand.NewPCG(s.rng.Uint64(), 0))
		callers.Go(func() { s.write(db, &stop, draw, s.keys[w][:]) })
	}
	for range 2 {
		draw := rand.New(rand.NewPCG(s.rng.Uint64(), 1))
		callers.Go(func() {
			if err := s.read(db, &stop, draw); err != nil {
				broken <- err
			}
		})
	}
	s.weather(db)
	_, err = s.disk.power.Crash(s.rng.Uint64(), faultfs.KeepAny)
	stop.Store(true)
	callers.Wait()
	close(broken)
	s.disk.close()
	s.disk.plugIn()
	return errors.Join(err, <-broken)
}

// weather injects and heals faults, each for as long as it takes for some writes
// to end.
func (s *storm) weather(db *DB) {
	for range 1 + s.rng.IntN(4) {
		s.await(50)
		fault := stormFaults[s.rng.IntN(len(stormFaults))]
		if strings.Contains(fault, "p=") {
			fault = strings.ReplaceAll(fault, "p=", fmt.Sprintf("seed=%d p=", 1+s.rng.Uint32()))
		}
		s.disk.inject(fault)
		s.await(50)
		if s.rng.IntN(3) > 0 {
			s.disk.fs.Heal()
		}
	}
	s.await(s.rng.IntN(30))
}

// await waits until so many more writes have ended.
func (s *storm) await(n int) {
	ended := func() int64 { return s.acknowledged.Load() + s.failed.Load() + s.unknown.Load() }
	for until := ended() + int64(n); ended() < until; {
		time.Sleep(50 * time.Microsecond)
	}
}

// settle holds what the store shows against what each key may hold.
func (s *storm) settle(db *DB) error {
	for w := range s.keys {
		for k := range s.keys[w] {
			key := &s.keys[w][k]
			got, err := key.get(db)
			switch {
			case err != nil:
				return fmt.Errorf("reading after a power cut: %w", err)
			case !key.allowed[got]:
				return fmt.Errorf("%s is %d after a power cut, allowed are %v", key.name, got, key.allowed)
			case int64(got) < key.seen.Load():
				return fmt.Errorf("%s is %d after a power cut, and %d was read before", key.name, got, key.seen.Load())
			}
			key.allowed = map[int]bool{got: true}
		}
	}
	return nil
}

// get returns the number that the key holds, 0 for none.
func (k *stormKey) get(db *DB) (int, error) {
	value, err := db.Get([]byte(k.name))
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimLeft(string(value), "."))
}

// write writes to the keys of one writer, alone and in batches.
func (s *storm) write(db *DB, stop *atomic.Bool, draw *rand.Rand, keys []stormKey) {
	for !stop.Load() {
		var b Batch
		chosen := keys[draw.IntN(len(keys)):]
		chosen = chosen[:1+draw.IntN(len(chosen))]
		for i := range chosen {
			chosen[i].issued++
			b.Set([]byte(chosen[i].name), fmt.Appendf(nil, "%s%d", strings.Repeat(".", draw.IntN(200)), chosen[i].issued))
		}
		err := db.Apply(&b)
		unknown := errors.Is(err, ErrOutcomeUnknown)
		for i := range chosen {
			switch {
			case err == nil:
				chosen[i].allowed = map[int]bool{chosen[i].issued: true}
			case unknown:
				chosen[i].allowed[chosen[i].issued] = true
			}
		}
		switch {
		case err == nil:
			s.acknowledged.Add(1)
		case unknown:
			s.unknown.Add(1)
		default:
			s.failed.Add(1)
		}
	}
}

// read reads keys of all writers. The numbers of a key only ever rise.
func (s *storm) read(db *DB, stop *atomic.Bool, draw *rand.Rand) error {
	for !stop.Load() {
		key := &s.keys[draw.IntN(stormWriters)][draw.IntN(stormKeys)]
		before := key.seen.Load()
		got, err := key.get(db)
		switch {
		case errors.Is(err, ErrDamaged):
			return fmt.Errorf("under load: %w", err)
		case err != nil:
			continue // a fault
		case int64(got) < before:
			return fmt.Errorf("%s went back from %d to %d under load", key.name, before, got)
		}
		for seen := key.seen.Load(); int64(got) > seen && !key.seen.CompareAndSwap(seen, int64(got)); {
			seen = key.seen.Load()
		}
	}
	return nil
}
