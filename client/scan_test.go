package client

import (
	"bytes"
	"fmt"
	"sort"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

// scanServer serves scans of its keys, pageKeys to a page, as the protocol wants it: the snapshot of
// a scan belongs to a cursor, and the cursor to a connection.
type scanServer struct {
	*fakeServer
	keys     []string
	pageKeys int
	hangUp   func(page int) bool // asked before each page; nil: never
	asked    []wire.Scan
	on       []int // the connection that each page was asked for on
}

func newScanServer(t *testing.T, n int) *scanServer {
	s := &scanServer{pageKeys: 10}
	for i := range n {
		s.keys = append(s.keys, fmt.Sprintf("key%03d", i))
	}
	s.fakeServer = newFake(t, s.serve)
	return s
}

func (s *scanServer) serve(fc *fakeConn, n int) {
	rest := map[uint64][]string{} // by cursor
	for {
		r, ok := fc.next()
		if !ok || s.hangUp != nil && s.hangUp(len(s.asked)) {
			return
		}
		s.asked = append(s.asked, r.Scan)
		s.on = append(s.on, n)
		keys, ok := rest[r.Scan.Cursor]
		if r.Scan.Cursor == 0 {
			keys, ok = s.match(r.Scan), true
		}
		if !ok {
			_ = fc.reply(refuseWith(r.ID, wire.StatusScanExpired, "no such cursor"))
			continue
		}
		reply := wire.Reply{ID: r.ID, Op: r.Op}
		size := min(s.pageKeys, len(keys))
		if r.Scan.Limit > 0 {
			size = min(size, int(r.Scan.Limit))
		}
		for _, k := range keys[:size] {
			p := wire.Pair{Key: []byte(k)}
			if r.Op == wire.OpScan {
				p.Value = []byte("value of " + k)
			}
			reply.Pairs = append(reply.Pairs, p)
		}
		if size < len(keys) {
			reply.Cursor = uint64(len(s.asked))
			rest[reply.Cursor] = keys[size:]
		}
		_ = fc.reply(reply)
	}
}

func (s *scanServer) match(o wire.Scan) (keys []string) {
	for _, k := range s.keys {
		if bytes.HasPrefix([]byte(k), o.Prefix) && k >= string(o.Start) && (len(o.End) == 0 || k < string(o.End)) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

// collect returns the keys of a scan and the error that ended it.
func collect(c *Client, o ScanOptions) (keys []string, err error) {
	for p, err := range c.Scan(ctx, o) {
		if err != nil {
			return keys, err
		}
		if want := "value of " + string(p.Key); string(p.Value) != want {
			return keys, fmt.Errorf("%s has %q", p.Key, p.Value)
		}
		keys = append(keys, string(p.Key))
	}
	return keys, nil
}

func TestScanVisitsTheRangePageByPage(t *testing.T) {
	s := newScanServer(t, 35)
	c := s.client(Options{Conns: 3})
	for name, tt := range map[string]struct {
		o           ScanOptions
		from, until int
		pages       int
	}{
		"all":            {ScanOptions{}, 0, 35, 4},
		"prefix":         {ScanOptions{Prefix: []byte("key00")}, 0, 10, 1},
		"start":          {ScanOptions{Start: []byte("key030")}, 30, 35, 1},
		"start and end":  {ScanOptions{Start: []byte("key003"), End: []byte("key014")}, 3, 14, 2},
		"limit":          {ScanOptions{Limit: 15}, 0, 15, 2},
		"limit of one":   {ScanOptions{Limit: 1}, 0, 1, 1},
		"limit unneeded": {ScanOptions{Limit: 100}, 0, 35, 4},
		"nothing":        {ScanOptions{Prefix: []byte("x")}, 0, 0, 1},
	} {
		s.asked, s.on = nil, nil
		keys, err := collect(c, tt.o)
		require.NoError(t, err, name)
		require.Equal(t, append([]string(nil), s.keys[tt.from:tt.until]...), keys, name)
		require.Len(t, s.asked, tt.pages, name)
		for _, n := range s.on {
			require.Equal(t, s.on[0], n, "%s: the snapshot is on one connection", name)
		}

		var again []string
		for k, err := range c.Keys(ctx, tt.o) {
			require.NoError(t, err, name)
			again = append(again, string(k))
		}
		require.Equal(t, keys, again, name)
	}
}

func TestScanAsksForNoMoreThanItNeeds(t *testing.T) {
	s := newScanServer(t, 35)
	c := s.client(Options{})
	_, err := collect(c, ScanOptions{Limit: 12})
	require.NoError(t, err)
	require.Equal(t, uint32(12), s.asked[0].Limit)
	require.Equal(t, uint32(2), s.asked[1].Limit)
	s.asked = nil
	_, err = collect(c, ScanOptions{})
	require.NoError(t, err)
	require.Zero(t, s.asked[0].Limit)
}

func TestScanLeftEarlyAsksForNothingMore(t *testing.T) {
	s := newScanServer(t, 35)
	c := s.client(Options{})
	for k, err := range c.Keys(ctx, ScanOptions{}) {
		require.NoError(t, err)
		require.Equal(t, "key000", string(k))
		break
	}
	require.Len(t, s.asked, 1)
}

// The first page may come over any connection; once there is a snapshot, losing its connection ends
// the scan, though a new connection would be at hand.
func TestScanEndsWithTheConnectionOfItsSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScanServer(t, 35)
		c := s.client(Options{})
		hungUp := 0
		s.hangUp = func(page int) bool {
			if hungUp == 0 && page == 0 || hungUp == 1 && page == 2 {
				hungUp++
				return true
			}
			return false
		}
		keys, err := collect(c, ScanOptions{})
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, ErrConnLost)
		require.ErrorContains(t, err, "Scan at fake:1")
		require.Equal(t, s.keys[:20], keys)
		require.Equal(t, []int{2, 2}, s.on)

		keys, err = collect(c, ScanOptions{})
		require.NoError(t, err)
		require.Equal(t, s.keys, keys)
	})
}

// The connection may also break while the loop body runs, with no request under way.
func TestScanEndsWhenItsConnectionBreaksBetweenPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScanServer(t, 35)
		c := s.client(Options{})
		n := 0
		var last error
		for _, err := range c.Scan(ctx, ScanOptions{}) {
			if last = err; err != nil {
				break
			}
			if n++; n == 5 {
				s.conns[0].Close()
				synctest.Wait()
			}
		}
		require.ErrorIs(t, last, ErrConnLost)
		require.Equal(t, 10, n)
		require.Equal(t, 1, s.connCount())
	})
}

func TestScanReportsWhatTheServerSays(t *testing.T) {
	for name, tt := range map[string]struct {
		reply wire.Reply
		want  error
	}{
		"expired":        {refuseWith(0, wire.StatusScanExpired, "too slow"), ErrScanExpired},
		"busy":           {refuseWith(0, wire.StatusBusy, "too many scans"), ErrBusy},
		"damaged":        {refuseWith(0, wire.StatusDamaged, "000001.seg"), ErrDamaged},
		"empty for ever": {wire.Reply{Cursor: 7}, ErrProtocol},
	} {
		s := newFake(t, func(fc *fakeConn, _ int) {
			for {
				r, ok := fc.next()
				if !ok {
					return
				}
				tt.reply.ID, tt.reply.Op = r.ID, r.Op
				_ = fc.reply(tt.reply)
			}
		})
		_, err := collect(s.client(Options{}), ScanOptions{})
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, tt.want, name)
	}
}

// A server that ignores the limit of a page does not make the scan exceed its own.
func TestScanCutsAPageThatIsTooLong(t *testing.T) {
	s := newFake(t, func(fc *fakeConn, _ int) {
		for {
			r, ok := fc.next()
			if !ok {
				return
			}
			_ = fc.reply(wire.Reply{ID: r.ID, Op: r.Op, Pairs: []wire.Pair{{Key: []byte("a")}, {Key: []byte("b")}}})
		}
	})
	n := 0
	for _, err := range s.client(Options{}).Keys(ctx, ScanOptions{Limit: 1}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n)
}

// Only the cursor says whether there is more, never the count. Each entry is behind 60 empty pages.
func TestScanGoesOnAfterEmptyPages(t *testing.T) {
	s := newFake(t, func(fc *fakeConn, _ int) {
		for {
			r, ok := fc.next()
			if !ok {
				return
			}
			reply := wire.Reply{ID: r.ID, Op: r.Op, Cursor: r.Scan.Cursor + 1}
			if reply.Cursor%60 == 0 {
				reply.Pairs = []wire.Pair{{Key: []byte("a")}}
			}
			if reply.Cursor == 180 {
				reply.Cursor = 0
			}
			_ = fc.reply(reply)
		}
	})
	n := 0
	for _, err := range s.client(Options{}).Keys(ctx, ScanOptions{}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 3, n)
}
