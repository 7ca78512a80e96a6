package server

import (
	"errors"
	"io"

	"holdfast/internal/wire"
)

// smallFrameBytes is what a frame may take before its memory is charged: a Get, Delete or Exists
// of the longest key. It is part of the fixed cost of a connection.
const smallFrameBytes = wire.HeaderBytes + 4 + wire.MaxKeyBytes

// readAll reads and starts requests until the connection ends, and returns why. A *wire.Error is a
// reason that the peer is to be told; io.EOF is the peer's own doing.
func (c *conn) readAll() error {
	for {
		n, err := c.readLength()
		if err == nil {
			err = c.readCall(n)
		}
		if err != nil {
			return c.readError(err)
		}
	}
}

// readLength waits for a frame to begin and returns its length. The peer may take its time before
// the first byte, not after it.
func (c *conn) readLength() (int, error) {
	c.hurried = false
	if c.in.Buffered() == 0 {
		if err := c.relax(); err != nil {
			return 0, err
		}
		if _, err := c.in.Peek(1); err != nil {
			return 0, err
		}
	}
	if c.in.Buffered() < wire.LengthBytes {
		if err := c.hurry(); err != nil {
			return 0, err
		}
	}
	head, err := c.in.Peek(wire.LengthBytes)
	if err != nil {
		return 0, err
	}
	n, err := wire.CheckLength(head, c.srv.cfg.MaxFrameBytes)
	if err != nil {
		c.refuseTooLarge(err)
		return 0, err
	}
	_, err = c.in.Discard(wire.LengthBytes)
	return n, err
}

// refuseTooLarge answers the request that claims to be too large, if its header has come already.
func (c *conn) refuseTooLarge(err error) {
	head, _ := c.in.Peek(min(c.in.Buffered(), wire.LengthBytes+wire.HeaderBytes))
	cl := newCall(0)
	if cl.req = headOf(head[wire.LengthBytes:]); cl.req.ID != 0 {
		c.refuse(cl, err)
	}
}

// readCall reads the payload of n bytes, reserves the memory for the request and starts it.
func (c *conn) readCall(n int) error {
	if c.in.Buffered() < n {
		if err := c.hurry(); err != nil {
			return err
		}
	}
	first := min(n, smallFrameBytes)
	cl := newCall(first)
	var err error
	if cl.payload, err = wire.AppendPayload(cl.payload, c.in, first); err != nil {
		return err
	}
	var refused error
	if cl.charge, err = c.mem.acquire(c.ctx, c.need(cl, n)); err != nil {
		if refused = noMemory(err); refused == nil {
			return err
		}
	}
	if err := c.readRest(cl, n, refused != nil); err != nil {
		c.mem.release(1, cl.charge)
		return err
	}
	if refused != nil {
		cl.req = headOf(cl.payload)
		c.answer(cl, refused)
		return nil
	}
	return c.start(cl)
}

// noMemory is what the peer is told when acquire failed with err, or nil if it failed for good.
func noMemory(err error) error {
	switch err {
	case errBusy:
		return &wire.Error{Status: wire.StatusBusy, Message: "the server has no memory to spare"}
	case errTooMuch:
		return &wire.Error{Status: wire.StatusBatchTooLarge, Message: "too many pairs for the memory of the server"}
	default:
		return nil
	}
}

// headOf is as much of a request as its header tells.
func headOf(payload []byte) wire.Request {
	h, err := wire.ParseHeader(payload)
	if err != nil {
		return wire.Request{}
	}
	return wire.Request{ID: h.ID, Op: wire.Op(h.Kind)}
}

// readRest reads what a large frame has beyond its first smallFrameBytes, or skips it. Waiting for
// memory may have used up the time for the frame, and that is not the peer's fault.
func (c *conn) readRest(cl *call, n int, skip bool) error {
	rest := n - len(cl.payload)
	if rest == 0 {
		return nil
	}
	c.hurried = false
	if err := c.hurry(); err != nil {
		return err
	}
	if skip {
		_, err := io.CopyN(io.Discard, c.in, int64(rest))
		return err
	}
	var err error
	cl.payload, err = wire.AppendPayload(cl.payload, c.in, rest)
	return err
}

// need is the memory that a request and its reply will take, from the head of its payload of n
// bytes. The head of a Get is all of it.
func (c *conn) need(cl *call, n int) int64 {
	need := callBytes + 2*int64(n) // the frame, and the store's copy
	switch headOf(cl.payload).Op {
	case wire.OpGet:
		cl.valueBytes = c.valueSize(cl.payload)
		if cl.valueBytes <= c.srv.cfg.maxValueBytes() {
			need += int64(cl.valueBytes)
		}
	case wire.OpBulkSet:
		need += (wire.PairBytes + storedPairBytes) * int64(wire.PairBound(cl.payload, n))
	case wire.OpKeys, wire.OpScan:
		need += c.srv.cfg.pageCost()
	}
	return need
}

// valueSize is how large the value is that a Get asks for, 0 if there is none to be had.
func (c *conn) valueSize(payload []byte) int {
	req, err := wire.ParseRequest(payload)
	if err != nil {
		return 0
	}
	size, err := c.srv.db.ValueSize(req.Key)
	if err != nil {
		return 0 // Get will say so
	}
	return size
}

// start parses a whole payload and has the request executed. Its error ends the connection.
func (c *conn) start(cl *call) error {
	var err error
	if cl.req, err = wire.ParseRequest(cl.payload); err != nil {
		c.answer(cl, err)
		if errors.Is(err, errVersion) {
			return err
		}
		return nil
	}
	if !c.flight.begin() {
		c.answer(cl, errShuttingDown)
		return nil
	}
	c.srv.workers.start(work{c, cl})
	return nil
}

var errVersion = &wire.Error{Status: wire.StatusUnsupportedVersion}

// answer replies with err to a call that holds its slot. Without an id there is only one thing to say
// that will not be taken for the goodbye.
func (c *conn) answer(cl *call, err error) {
	cl.fail(err)
	if cl.req.ID == 0 {
		cl.reply.Status = wire.StatusMalformed
	}
	c.out.put(cl)
}

// refuse replies with err to a call that holds nothing yet.
func (c *conn) refuse(cl *call, err error) {
	charge, full := c.mem.acquire(c.ctx, callBytes)
	if full != nil {
		return
	}
	cl.charge = charge
	c.answer(cl, err)
}
