package server

import (
	"fmt"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// store is what the server needs of a kv.DB. It is an interface for the sake of tests that hold a
// write back, or fail it, at a moment they choose.
type store interface {
	Get(key []byte) ([]byte, error)
	ValueSize(key []byte) (int, error)
	Exists(key []byte) (bool, error)
	Set(key, value []byte) error
	Delete(key []byte) (existed bool, err error)
	Apply(b *kv.Batch) error
	Snapshot() (*kv.Snapshot, error)
}

var _ store = (*kv.DB)(nil)

// execute runs the request of cl and leaves the reply there. A panic in here is a defect that no
// input may reach. It is not recovered from: the process dies as in a crash, which every
// client and the store are made for, rather than go on with an outcome lost.
func (c *conn) execute(cl *call) {
	cl.reply = wire.Reply{ID: cl.req.ID, Op: cl.req.Op}
	if err := c.apply(cl); err != nil {
		cl.fail(err)
		c.report(cl, err)
	}
}

// report logs the failures that are nobody's input. The store itself logs failed writes, once.
func (c *conn) report(cl *call, err error) {
	switch cl.reply.Status {
	case wire.StatusDamaged, wire.StatusReadFailed, wire.StatusInternal:
		c.log.Error("a request failed", "op", cl.req.Op.String(), "status", cl.reply.Status.String(), "error", err)
	}
}

func (c *conn) apply(cl *call) (err error) {
	req, reply, db := &cl.req, &cl.reply, c.srv.db
	switch req.Op {
	case wire.OpSet:
		if err := c.checkPair(req.Key, req.Value); err != nil {
			return err
		}
		return db.Set(req.Key, req.Value)
	case wire.OpGet:
		reply.Value, err = c.get(cl)
	case wire.OpDelete:
		reply.Exists, err = db.Delete(req.Key)
	case wire.OpBulkSet:
		return c.bulkSet(req.Pairs)
	case wire.OpExists:
		reply.Exists, err = db.Exists(req.Key)
	case wire.OpKeys, wire.OpScan:
		return c.page(cl)
	}
	return err
}

// checkPair refuses what could be stored but never be returned by a Scan.
func (c *conn) checkPair(key, value []byte) error {
	if limit := c.srv.cfg.maxPairBytes(); len(key)+len(value) > limit {
		return &wire.Error{Status: wire.StatusValueTooLarge,
			Message: fmt.Sprintf("key and value of %d bytes, at most %d", len(key)+len(value), limit)}
	}
	return nil
}

func (c *conn) bulkSet(pairs []wire.Pair) error {
	var b kv.Batch
	for _, p := range pairs {
		if err := c.checkPair(p.Key, p.Value); err != nil {
			return err
		}
		b.Set(p.Key, p.Value)
	}
	return c.srv.db.Apply(&b)
}

// get reads a value. If it has grown since the reader reserved memory for it, the rest must be there
// at once.
func (c *conn) get(cl *call) ([]byte, error) {
	limit := c.srv.cfg.maxValueBytes()
	if cl.valueBytes > limit {
		return nil, tooLargeToSend(cl.valueBytes)
	}
	value, err := c.srv.db.Get(cl.req.Key)
	if err != nil {
		return nil, err
	}
	if len(value) > limit {
		return nil, tooLargeToSend(len(value))
	}
	if grown := len(value) - cl.valueBytes; grown > 0 && !c.mem.more(&cl.charge, int64(grown)) {
		return nil, noMemory(errBusy)
	}
	return value, nil
}

func tooLargeToSend(size int) error {
	return &wire.Error{Status: wire.StatusFrameTooLarge,
		Message: fmt.Sprintf("the stored value of %d bytes does not fit a frame", size)}
}

// page answers a Keys or Scan with its next page.
func (c *conn) page(cl *call) error {
	s, err := c.scanFor(&cl.req)
	if err != nil {
		return err
	}
	s.rest.Limit = pageEntries(cl.req.Scan.Limit)
	page, err := s.snap.ScanPage(s.rest)
	if err == nil {
		err = c.settlePage(cl, page)
	}
	switch {
	case err != nil && refusal(s.op, err).Status == wire.StatusBusy && s.cursor != 0:
		c.scans.put(s) // the same cursor may be sent again
		return err
	case err != nil:
		s.snap.Close()
		return err
	}
	c.finishPage(cl, s, page)
	return nil
}

// scanFor takes the scan that a request goes on with out of its table, or begins one.
func (c *conn) scanFor(req *wire.Request) (*scan, error) {
	if req.Scan.Cursor != 0 {
		if s := c.scans.take(req.Op, req.Scan.Cursor); s != nil {
			return s, nil
		}
		return nil, &wire.Error{Status: wire.StatusScanExpired, Message: "no scan waits under this cursor"}
	}
	snap, err := c.srv.db.Snapshot()
	if err != nil {
		return nil, err
	}
	return &scan{op: req.Op, snap: snap, rest: kv.ScanOptions{
		Prefix:     clone(req.Scan.Prefix),
		Start:      clone(req.Scan.Start),
		End:        clone(req.Scan.End),
		LimitBytes: c.srv.cfg.pageBytes(),
		KeysOnly:   req.Op == wire.OpKeys,
	}}, nil
}

// clone copies what must outlive the payload it lies in.
func clone(b []byte) []byte { return append([]byte(nil), b...) }

func pageEntries(limit uint32) int {
	if limit == 0 || limit > maxPageEntries {
		return maxPageEntries
	}
	return int(limit)
}

// settlePage settles a page. It exceeds what was reserved only as a single pair.
func (c *conn) settlePage(cl *call, page kv.Page) error {
	if len(page.Pairs) != 1 {
		return nil
	}
	size := len(page.Pairs[0].Key) + len(page.Pairs[0].Value)
	if size <= c.srv.cfg.pageBytes() {
		return nil
	}
	if limit := c.srv.cfg.maxPairBytes(); size > limit {
		return tooLargeToSend(size)
	}
	if !c.mem.more(&cl.charge, 2*int64(size)) {
		return noMemory(errBusy)
	}
	return nil
}

// finishPage makes page the reply, and lets the scan wait for the next request or end. The scan
// must not be touched after put: the next request may have it already.
func (c *conn) finishPage(cl *call, s *scan, page kv.Page) {
	cl.reply.Pairs = make([]wire.Pair, len(page.Pairs))
	for i, p := range page.Pairs {
		cl.reply.Pairs[i] = wire.Pair(p)
	}
	if page.Next == nil {
		s.snap.Close()
		return
	}
	s.rest.Start = page.Next
	cl.reply.Cursor = c.scans.next(s)
	c.scans.put(s)
}
