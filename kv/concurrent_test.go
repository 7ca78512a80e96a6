package kv

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/internal/vfs"
)

// syncGate is a file system whose data syncs of segments wait to be let
// through.
type syncGate struct {
	afero.Fs
	arrived chan struct{}
	proceed chan struct{}
	open    chan struct{} // closed: everything is let through
}

type gatedFile struct {
	afero.File
	gate *syncGate
}

func newSyncGate() *syncGate {
	return &syncGate{Fs: afero.NewMemMapFs(), arrived: make(chan struct{}), proceed: make(chan struct{}), open: make(chan struct{})}
}

func (g *syncGate) OpenFile(name string, flag int, perm fsMode) (afero.File, error) {
	f, err := g.Fs.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &gatedFile{f, g}, nil
}

func (f *gatedFile) SyncData() error {
	select {
	case f.gate.arrived <- struct{}{}:
	case <-f.gate.open:
	}
	select {
	case <-f.gate.proceed:
	case <-f.gate.open:
	}
	return vfs.SyncData(f.File)
}

// await waits for a sync to arrive, of a write that must not return before.
func (g *syncGate) await(t *testing.T, returned <-chan struct{}) {
	t.Helper()
	select {
	case <-g.arrived:
	case <-returned:
		require.FailNow(t, "the write returned, and was not synced")
	case <-time.After(waitLimit):
		require.FailNow(t, "no sync arrives")
	}
}

// While a sync is under way its writes are invisible, readers do not wait for
// it, and everything that arrives meanwhile shares the next one.
func TestNothingIsVisibleBeforeItIsDurable(t *testing.T) {
	gate := newSyncGate()
	db := mustOpen(t, gate, roomy)
	t.Cleanup(func() { close(gate.open) }) // before Close, also when the test fails
	var wg sync.WaitGroup
	set := func(key string, returned chan<- struct{}) {
		wg.Go(func() {
			assert.NoError(t, db.Set([]byte(key), []byte("v")))
			returned <- struct{}{}
		})
	}
	first, others := make(chan struct{}, 1), make(chan struct{}, 50)
	set("first", first)
	gate.await(t, first)
	_, err := db.Get([]byte("first"))
	require.ErrorIs(t, err, ErrNotFound)
	require.Empty(t, collect(t, db.Scan(ScanOptions{})))
	require.Zero(t, db.Stats().DurableSeq)

	for i := range 50 {
		set(fmt.Sprint(i), others)
	}
	require.Eventually(t, func() bool {
		db.queue.mu.Lock()
		defer db.queue.mu.Unlock()
		return len(db.queue.waiting) == 1 && len(db.queue.waiting[0].writes) == 50
	}, waitLimit, pollEvery)
	gate.proceed <- struct{}{}
	gate.await(t, others) // the second sync: the first group is published
	_, err = db.Get([]byte("first"))
	require.NoError(t, err)
	require.Len(t, collect(t, db.Scan(ScanOptions{})), 1)
	gate.proceed <- struct{}{}
	wg.Wait()
	require.Len(t, collect(t, db.Scan(ScanOptions{})), 51)
	require.EqualValues(t, 2, db.Stats().Groups, "fifty callers shared a sync")
}

// Close waits for the write in hand, and later calls are refused.
func TestCloseOvertakesNothing(t *testing.T) {
	gate := newSyncGate()
	db := mustOpen(t, gate, roomy)
	t.Cleanup(func() { close(gate.open) }) // before Close, also when the test fails
	var wg sync.WaitGroup
	returned := make(chan struct{})
	wg.Go(func() {
		assert.NoError(t, db.Set([]byte("k"), []byte("v")))
		close(returned)
	})
	gate.await(t, returned)
	wg.Go(func() { assert.NoError(t, db.Close()) })
	require.Eventually(t, func() bool {
		db.queue.mu.Lock()
		defer db.queue.mu.Unlock()
		return db.queue.closed
	}, waitLimit, pollEvery)
	require.ErrorIs(t, db.Set([]byte("late"), nil), ErrClosed)
	gate.proceed <- struct{}{}
	wg.Wait()
	requireContents(t, mustOpen(t, gate.Fs, roomy), contents{"k": "v"})
}

// Many callers, all kinds of calls, rotation all the time. Each writer owns its
// keys, so each knows what it must read; batches are never seen in part.
func TestConcurrentCallersSeeTheirOwnWritesAndWholeBatches(t *testing.T) {
	for _, opts := range []*Options{small, {SegmentBytes: 4 << 10, Sync: SyncEvery(interval / 50)}} {
		t.Run(opts.Sync.String(), func(t *testing.T) {
			fsys := afero.NewBasePathFs(afero.NewOsFs(), t.TempDir())
			db := mustOpen(t, fsys, opts)
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			const writers, rounds = 8, 60
			results := make([]contents, writers)
			stop := make(chan struct{})
			var writing, scanning sync.WaitGroup
			scanning.Go(func() { scanForHalfBatches(t, db, stop) })
			for w := range writers {
				writing.Go(func() { results[w] = writeAndReadBack(t, db, w, rounds, seed) })
			}
			writing.Wait()
			close(stop)
			scanning.Wait()
			want := contents{}
			for _, r := range results {
				for key, value := range r {
					want[key] = value
				}
			}
			requireContents(t, db, want)
			require.NoError(t, db.Close())
			requireContents(t, mustOpen(t, fsys, opts), want)
		})
	}
}

func writeAndReadBack(t *testing.T, db *DB, writer, rounds int, seed uint64) contents {
	random := rand.New(rand.NewPCG(seed, uint64(writer)))
	mine := contents{}
	for i := range rounds {
		key := fmt.Sprintf("w%d-%d", writer, random.IntN(10))
		value := fmt.Sprintf("%d-%s", i, make([]byte, random.IntN(200)))
		switch random.IntN(4) {
		case 0:
			existed, err := db.Delete([]byte(key))
			_, had := mine[key]
			if err != nil || existed != had {
				t.Errorf("deleting %s: existed %v, want %v, error %v", key, existed, had, err)
			}
			delete(mine, key)
		case 1:
			stamp := binary.BigEndian.AppendUint64(nil, random.Uint64())
			left, right := fmt.Sprintf("w%d-left", writer), fmt.Sprintf("w%d-right", writer)
			if err := db.Apply(batchOf(left, string(stamp), right, string(stamp))); err != nil {
				t.Errorf("applying: %v", err)
			}
			mine[left], mine[right] = string(stamp), string(stamp)
		default:
			if err := db.Set([]byte(key), []byte(value)); err != nil {
				t.Errorf("setting %s: %v", key, err)
			}
			mine[key] = value
		}
		got, err := db.Get([]byte(key))
		if want, ok := mine[key]; ok && (err != nil || string(got) != want) || !ok && err != ErrNotFound {
			t.Errorf("reading %s back: %q, %v; want %q, %v", key, got, err, want, ok)
		}
	}
	return mine
}

func scanForHalfBatches(t *testing.T, db *DB, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		seen := contents{}
		for p, err := range db.Scan(ScanOptions{}) {
			if err != nil {
				t.Errorf("scanning: %v", err)
				return
			}
			seen[string(p.Key)] = string(p.Value)
		}
		for w := range 8 {
			left, right := seen[fmt.Sprintf("w%d-left", w)], seen[fmt.Sprintf("w%d-right", w)]
			if left != right {
				t.Errorf("writer %d: a scan saw half a batch", w)
			}
		}
	}
}

// A group is bounded; what does not fit goes into the next.
func TestGroupsAreBounded(t *testing.T) {
	groups := func(sizes ...int) (lens []int) {
		q := newQueue()
		for _, n := range sizes {
			require.NotNil(t, q.push(&write{records: make([]byte, n)}))
		}
		for g, _ := q.take(); g != nil; g, _ = q.take() {
			lens = append(lens, len(g.writes))
		}
		return lens
	}
	require.Equal(t, []int{3}, groups(1, 2, 3))
	require.Equal(t, []int{1, 1}, groups(maxGroupBytes+1, 1))
	require.Equal(t, []int{2, 1}, groups(1, maxGroupBytes-1, 1))
	require.Equal(t, []int{1}, groups(0))
}
