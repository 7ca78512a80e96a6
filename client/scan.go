package client

import (
	"context"
	"fmt"
	"iter"
	"math"

	"holdfast/internal/wire"
)

// ScanOptions say which keys a scan visits. The zero value means all of them.
type ScanOptions struct {
	Prefix []byte // only keys that begin with it
	Start  []byte // only keys from it on
	End    []byte // only keys before it; empty: to the last
	Limit  int    // at most so many; 0: no limit
}

// Keys visits keys in order. All that [Client.Scan] says about scans goes for it too.
func (c *Client) Keys(ctx context.Context, o ScanOptions) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for p, err := range c.scan(ctx, wire.OpKeys, o) {
			if !yield(p.Key, err) {
				return
			}
		}
	}
}

// Scan visits keys and their values in order, as they were at one moment: the moment the server
// begins to answer the first page. Later pages are fetched as the loop gets to them, each within
// Options.Timeout and the deadline of ctx.
//
// The server keeps the snapshot for the connection that the scan began on. If that connection is
// lost between two pages, or the loop body takes so long that the server lets the snapshot go
// (ErrScanExpired), the scan ends with an error; it is never continued over another snapshot. An
// error is the last thing a scan yields, with a zero Pair.
//
// Pairs belong to the caller. Those of one page share memory, so a long-lived copy of a few of them
// is better cloned. Leaving the loop early leaves the snapshot to the server, until it expires.
func (c *Client) Scan(ctx context.Context, o ScanOptions) iter.Seq2[Pair, error] {
	return c.scan(ctx, wire.OpScan, o)
}

func (c *Client) scan(ctx context.Context, op wire.Op, o ScanOptions) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		s := scan{client: c, op: op, ask: wire.Scan{Prefix: o.Prefix, Start: o.Start, End: o.End}, left: math.MaxInt}
		if o.Limit > 0 {
			s.left = o.Limit
		}
		for s.left > 0 && !s.finished {
			pairs, err := s.page(ctx)
			if err != nil {
				yield(Pair{}, err)
				return
			}
			for _, p := range pairs {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// scan is how far a scan has come.
type scan struct {
	client   *Client
	op       wire.Op
	ask      wire.Scan
	left     int   // how many the caller still wants
	conn     *conn // has the snapshot; nil before the first page
	empty    int   // pages without entries since the last with one
	finished bool
}

// maxEmptyPages bounds how long a server may string a scan along. The protocol lets it end a page
// wherever it likes, so one without entries is no error yet.
const maxEmptyPages = 100

// page fetches the next page. The first may come over any connection, the others only over the same.
func (s *scan) page(ctx context.Context) ([]Pair, error) {
	if uint64(s.left) <= math.MaxUint32 { // else 0, as many as fit a page
		s.ask.Limit = uint32(s.left)
	}
	cl := s.client.newCall(wire.Request{Op: s.op, Scan: s.ask})
	defer s.client.free(cl)
	cl.pinned = s.conn
	if err := s.client.do(ctx, cl); err != nil {
		return nil, err
	}
	pairs := cl.reply.Pairs
	if s.empty++; len(pairs) > 0 {
		s.empty = 0
	}
	if s.empty > maxEmptyPages {
		err := fmt.Errorf("%w: %d pages in a row with nothing on them", ErrProtocol, s.empty)
		return nil, newError(s.op, s.client.addr, Failed, err)
	}
	pairs = pairs[:min(len(pairs), s.left)]
	s.left -= len(pairs)
	s.finished = cl.reply.Cursor == 0
	s.ask = wire.Scan{Cursor: cl.reply.Cursor}
	s.conn = cl.on
	return pairs, nil
}
