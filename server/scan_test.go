package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// scanAll goes through all pages of a scan; between has a word after each.
func (p *peer) scanAll(op wire.Op, sc wire.Scan, between func()) (entries []wire.Pair, pages int) {
	for {
		r := p.ask(wire.Request{Op: op, Scan: sc})
		require.Equal(p.t, wire.StatusOK, r.Status, "%v", r.Err())
		entries = append(entries, r.Pairs...)
		pages++
		if r.Cursor == 0 {
			return entries, pages
		}
		between()
		sc = wire.Scan{Cursor: r.Cursor, Limit: sc.Limit}
	}
}

func nothing() {}

func TestAScanShowsOneInstantOverAllItsPages(t *testing.T) {
	s := serve(t, Config{}, nil)
	p := s.dial()
	var want []wire.Pair
	for i := range 100 {
		want = append(want, pairs(fmt.Sprintf("k%03d=old", i))...)
	}
	require.Equal(t, wire.StatusOK, p.ask(wire.Request{Op: wire.OpBulkSet, Pairs: want}).Status)

	writer := s.dial()
	n := 0
	change := func() {
		for i := range 100 {
			writer.set(fmt.Sprintf("k%03d", i), "new")
			writer.set(fmt.Sprintf("k%03d-%d", i, n), "new")
		}
		writer.ask(wire.Request{Op: wire.OpDelete, Key: fmt.Appendf(nil, "k%03d", n)})
		n++
	}
	got, pages := p.scanAll(wire.OpScan, wire.Scan{Limit: 30}, change)
	require.Equal(t, want, got)
	require.Equal(t, 4, pages)
	keys, _ := p.scanAll(wire.OpKeys, wire.Scan{Prefix: []byte("k000")}, nothing)
	require.Equal(t, []string{"k000", "k000-0", "k000-1", "k000-2"}, keysOf(keys), "a new scan shows what came meanwhile")
}

func TestScanBounds(t *testing.T) {
	p := serve(t, Config{}, nil).dial()
	all := []string{"a", "b", "b1", "b2", "b\xff", "c", "d"}
	for _, k := range all {
		p.set(k, "value of "+k)
	}
	b := func(s string) []byte { return []byte(s) }
	tests := map[string]struct {
		scan wire.Scan
		want []string
	}{
		"all":                 {wire.Scan{}, all},
		"prefix":              {wire.Scan{Prefix: b("b")}, []string{"b", "b1", "b2", "b\xff"}},
		"start is inclusive":  {wire.Scan{Start: b("b2")}, []string{"b2", "b\xff", "c", "d"}},
		"end is exclusive":    {wire.Scan{End: b("b1")}, []string{"a", "b"}},
		"range":               {wire.Scan{Start: b("b1"), End: b("c")}, []string{"b1", "b2", "b\xff"}},
		"prefix and range":    {wire.Scan{Prefix: b("b"), Start: b("b1"), End: b("b2")}, []string{"b1"}},
		"nothing in between":  {wire.Scan{Start: b("b3"), End: b("b4")}, nil},
		"start beyond prefix": {wire.Scan{Prefix: b("b"), Start: b("c")}, nil},
	}
	for name, tt := range tests {
		for _, limit := range []uint32{0, 1, 2, 1000, 1<<32 - 1} {
			tt.scan.Limit = limit
			entries, _ := p.scanAll(wire.OpScan, tt.scan, nothing)
			keys, _ := p.scanAll(wire.OpKeys, tt.scan, nothing)
			require.Equal(t, tt.want, keysOf(keys), name)
			require.Equal(t, tt.want, keysOf(entries), name)
			for _, e := range entries {
				require.Equal(t, "value of "+string(e.Key), string(e.Value))
			}
		}
	}
}

func keysOf(entries []wire.Pair) (keys []string) {
	for _, e := range entries {
		keys = append(keys, string(e.Key))
	}
	return keys
}

func TestPagesEndBeforeTheFrameIsFull(t *testing.T) {
	cfg := Config{MaxFrameBytes: 256 << 10, MaxInFlightBytes: 64 << 20}
	s := serve(t, cfg, nil)
	var want []string
	var b kv.Batch
	for i := range 3 * maxPageEntries {
		want = append(want, fmt.Sprintf("%05d", i))
		b.Set([]byte(want[i]), []byte("v"))
	}
	require.NoError(t, s.db.Apply(&b))
	require.NoError(t, s.db.Set([]byte("x"), make([]byte, 200<<10)))
	require.NoError(t, s.db.Set([]byte("y"), make([]byte, 200<<10)))
	want = append(want, "x", "y")

	for _, op := range []wire.Op{wire.OpKeys, wire.OpScan} {
		p := s.dial()
		entries, pages := p.scanAll(op, wire.Scan{}, nothing)
		require.Equal(t, want, keysOf(entries))
		require.Greater(t, pages, 3)
		require.NoError(t, p.nc.Close())
	}
	requireAllReleased(t, s)
}

func TestCursorsAreGoodForOneRequestOfOneKindOnOneConnection(t *testing.T) {
	s := serve(t, Config{}, nil)
	p, other := s.dial(), s.dial()
	for _, k := range []string{"a", "b", "c"} {
		p.set(k, k)
	}
	next := func(p *peer, op wire.Op, cursor uint64) wire.Reply {
		return p.ask(wire.Request{Op: op, Scan: wire.Scan{Cursor: cursor, Limit: 1}})
	}
	first := p.ask(wire.Request{Op: wire.OpKeys, Scan: wire.Scan{Limit: 1}})
	require.NotZero(t, first.Cursor)
	require.Equal(t, wire.StatusScanExpired, next(other, wire.OpKeys, first.Cursor).Status)
	require.Equal(t, wire.StatusScanExpired, next(p, wire.OpScan, first.Cursor).Status)
	second := next(p, wire.OpKeys, first.Cursor)
	require.Equal(t, []string{"b"}, keysOf(second.Pairs))
	require.Equal(t, wire.StatusScanExpired, next(p, wire.OpKeys, first.Cursor).Status)
	last := next(p, wire.OpKeys, second.Cursor)
	require.Equal(t, []string{"c"}, keysOf(last.Pairs))
	require.Zero(t, last.Cursor, "the last page says that it is the last")
	require.Equal(t, wire.StatusScanExpired, next(p, wire.OpKeys, second.Cursor).Status)
}

// spy remembers the snapshots that the server takes.
type spy struct {
	*kv.DB
	mu    sync.Mutex
	snaps []*kv.Snapshot
}

func (s *spy) Snapshot() (*kv.Snapshot, error) {
	snap, err := s.DB.Snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snaps = append(s.snaps, snap)
	return snap, err
}

func (s *spy) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, snap := range s.snaps {
		if _, err := snap.ScanPage(kv.ScanOptions{Limit: 1}); err == nil {
			n++
		}
	}
	return n
}

func serveSpied(t *testing.T, cfg Config) (*served, *spy) {
	var sp *spy
	s := serve(t, cfg, func(db *kv.DB) store {
		sp = &spy{DB: db}
		return sp
	})
	require.NoError(t, s.db.Set([]byte("a"), nil))
	require.NoError(t, s.db.Set([]byte("b"), nil))
	return s, sp
}

func TestScansAreFreed(t *testing.T) {
	const limit = 3
	s, sp := serveSpied(t, Config{MaxScans: limit})
	p := s.dial()
	p.scanAll(wire.OpScan, wire.Scan{Limit: 1}, nothing)
	require.Zero(t, sp.open(), "a finished scan")

	var cursors []uint64
	for range limit + 1 {
		cursors = append(cursors, p.ask(wire.Request{Op: wire.OpKeys, Scan: wire.Scan{Limit: 1}}).Cursor)
	}
	require.Equal(t, limit, sp.open(), "one more than may wait")
	expired := p.ask(wire.Request{Op: wire.OpKeys, Scan: wire.Scan{Cursor: cursors[0]}})
	require.Equal(t, wire.StatusScanExpired, expired.Status, "the one that waited longest")
	fresh := p.ask(wire.Request{Op: wire.OpKeys, Scan: wire.Scan{Cursor: cursors[1]}})
	require.Equal(t, wire.StatusOK, fresh.Status)

	require.NoError(t, p.nc.Close())
	_, err := waitForEnd(s, 0)
	require.NoError(t, err)
	require.Zero(t, sp.open(), "the connection has ended")
}

func TestIdleScansExpire(t *testing.T) {
	s, sp := serveSpied(t, Config{ScanIdle: 10 * time.Millisecond})
	p := s.dial()
	first := p.ask(wire.Request{Op: wire.OpKeys, Scan: wire.Scan{Limit: 1}})
	require.NotZero(t, first.Cursor)
	require.Eventually(t, func() bool { return sp.open() == 0 }, patience, time.Millisecond)
	late := p.ask(wire.Request{Op: wire.OpKeys, Scan: wire.Scan{Cursor: first.Cursor}})
	require.Equal(t, wire.StatusScanExpired, late.Status)
}

func TestEachScanHasItsOwnIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := kv.Open(afero.NewMemMapFs(), "db", &kv.Options{SegmentBytes: 1 << 20})
		require.NoError(t, err)
		table := newScanTable(10, time.Minute)
		begin := func() uint64 {
			snap, err := db.Snapshot()
			require.NoError(t, err)
			s := &scan{op: wire.OpKeys, snap: snap}
			defer table.put(s)
			return table.next(s)
		}
		left := func(cursors ...uint64) []bool {
			return slices.Collect(func(yield func(bool) bool) {
				for _, c := range cursors {
					s := table.take(wire.OpKeys, c)
					if s != nil {
						s.snap.Close()
					}
					yield(s != nil)
				}
			})
		}
		a := begin()
		time.Sleep(40 * time.Second)
		b := begin()
		time.Sleep(21 * time.Second)
		synctest.Wait()
		require.Equal(t, []bool{false, true}, left(a, b), "after 61 s and 21 s")
		c := begin()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		require.Equal(t, []bool{false}, left(c))
		table.close()
		require.NoError(t, db.Close())
	})
}

func TestAScanPutBackAfterTheEndIsFreed(t *testing.T) {
	_, sp := serveSpied(t, Config{})
	table := newScanTable(1, time.Minute)
	snap, err := sp.Snapshot()
	require.NoError(t, err)
	table.close()
	table.put(&scan{snap: snap})
	require.Zero(t, sp.open())
}

// A page larger than was reserved is refused while there is no memory, and the cursor stays good.
func TestABusyScanGoesOnWithTheSameCursor(t *testing.T) {
	s := serve(t, Config{}, nil)
	require.NoError(t, s.db.Set([]byte("a"), nil))
	large := strings.Repeat("v", 2<<20)
	require.NoError(t, s.db.Set([]byte("b"), []byte(large)))
	p := s.dial()
	first := p.ask(wire.Request{Op: wire.OpScan, Scan: wire.Scan{Limit: 1}})
	require.NotZero(t, first.Cursor)

	// Leave enough for a page, not for that value.
	giveBack := takeShared(t, s, s.srv.budget.size-s.srv.cfg.pageCost()-64<<10)
	next := wire.Request{Op: wire.OpScan, Scan: wire.Scan{Cursor: first.Cursor}}
	require.Equal(t, wire.StatusBusy, p.ask(next).Status)
	giveBack()
	r := p.ask(next)
	require.Equal(t, wire.StatusOK, r.Status)
	require.Equal(t, pairs("b="+large), r.Pairs)
	requireAllReleased(t, s)
}
