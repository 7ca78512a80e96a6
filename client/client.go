package client

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"holdfast/internal/wire"
)

// Client is a set of connections to one server, shared by all who call it. Make one with [New].
// All methods may be called from any number of goroutines at once.
type Client struct {
	addr  string
	opts  Options // complete
	slots []*slot
	turn  atomic.Uint32 // counts calls, to take the slots in turn
	calls sync.Pool     // of *call

	ctx    context.Context // done once the client is closed
	cancel context.CancelFunc
	work   sync.WaitGroup // goroutines; added to under the mutex of a slot that is not closed
}

// ProtocolVersion is the version of the protocol that a Client speaks.
const ProtocolVersion = wire.Version

// Pair is a key and its value.
type Pair = wire.Pair

// New returns a client of the server at addr, "host:port". It does no I/O: the first call connects.
// nil options mean the defaults. The error is about addr or the options.
func New(addr string, opts *Options) (*Client, error) {
	full, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, _, err := net.SplitHostPort(addr); err != nil && (opts == nil || opts.Dial == nil) {
		return nil, fmt.Errorf("server address: %w", err)
	}
	c := &Client{addr: addr, opts: full}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for range full.Conns {
		c.slots = append(c.slots, newSlot(c))
	}
	return c, nil
}

// Close ends every connection and waits for the goroutines of the client. Pending calls get
// ErrClosed: their writes are Unknown where some of the request may have reached a socket, and
// Failed otherwise. Close may be called more than once; its error is always nil.
func (c *Client) Close() error {
	c.cancel()
	for _, s := range c.slots {
		s.close()
	}
	c.work.Wait()
	return nil
}

// Set stores value under key. Once it returns nil the value is durable.
func (c *Client) Set(ctx context.Context, key, value []byte) error {
	cl := c.newCall(wire.Request{Op: wire.OpSet, Key: key, Value: value})
	defer c.free(cl)
	return c.do(ctx, cl)
}

// Get returns the value of key, or ErrNotFound.
func (c *Client) Get(ctx context.Context, key []byte) ([]byte, error) {
	cl := c.newCall(wire.Request{Op: wire.OpGet, Key: key})
	defer c.free(cl)
	if err := c.do(ctx, cl); err != nil {
		return nil, err
	}
	return cl.reply.Value, nil
}

// Delete removes key and reports whether it was there. Once it returns without an error the removal
// is durable.
func (c *Client) Delete(ctx context.Context, key []byte) (existed bool, err error) {
	cl := c.newCall(wire.Request{Op: wire.OpDelete, Key: key})
	defer c.free(cl)
	err = c.do(ctx, cl)
	return err == nil && cl.reply.Exists, err
}

// Exists reports whether key is there.
func (c *Client) Exists(ctx context.Context, key []byte) (bool, error) {
	cl := c.newCall(wire.Request{Op: wire.OpExists, Key: key})
	defer c.free(cl)
	err := c.do(ctx, cl)
	return err == nil && cl.reply.Exists, err
}

// BulkSet stores all pairs as one atomic unit: whatever happens, all of them are there or none. Of
// two pairs with one key the later wins. All pairs together must fit one frame. Without pairs there
// is nothing to do, and nothing is sent.
func (c *Client) BulkSet(ctx context.Context, pairs []Pair) error {
	if len(pairs) == 0 {
		return nil
	}
	cl := c.newCall(wire.Request{Op: wire.OpBulkSet, Pairs: pairs})
	defer c.free(cl)
	return c.do(ctx, cl)
}

// do takes a call to its end. The reply is valid until the call is freed, and what it refers to
// beyond that.
func (c *Client) do(ctx context.Context, cl *call) error {
	if cl.err = c.check(ctx, &cl.req); cl.err == nil {
		cl.arm(ctx, c.opts.Timeout)
		defer cl.timer.Stop()
		c.carry(cl)
	}
	if cl.err == nil {
		return nil
	}
	return newError(cl.req.Op, c.addr, cl.outcome(), cl.err)
}

// carry sends the request, again where that is safe, until it is answered or the call is over.
// There is no pause here: how soon the next connection is tried is the slot's to say.
func (c *Client) carry(cl *call) {
	if cl.pinned != nil {
		cl.pinned.roundTrip(cl)
		return
	}
	s := c.slots[c.turn.Add(1)%uint32(len(c.slots))]
	var last error // what became of the connection before
	for {
		cn, err := s.connect(cl)
		if err != nil {
			if cl.err = err; last != nil {
				cl.err = fmt.Errorf("%w; before that: %w", err, last)
			}
			return
		}
		cn.roundTrip(cl)
		if last = cl.err; !cl.again() {
			return
		}
	}
}

// check refuses what need not be sent to know that it must fail.
func (c *Client) check(ctx context.Context, r *wire.Request) error {
	if ctx.Err() != nil {
		return ctxError(ctx)
	}
	if n := r.PayloadBytes(); n > c.opts.MaxFrameBytes {
		return &wire.Error{Status: wire.StatusFrameTooLarge,
			Message: fmt.Sprintf("request of %d bytes, at most %d", n, c.opts.MaxFrameBytes)}
	}
	switch r.Op {
	case wire.OpKeys, wire.OpScan:
		for _, bound := range [][]byte{r.Scan.Prefix, r.Scan.Start, r.Scan.End} {
			if len(bound) > 0 {
				if err := checkKey(bound); err != nil {
					return err
				}
			}
		}
	case wire.OpBulkSet:
		for _, p := range r.Pairs {
			if err := checkKey(p.Key); err != nil {
				return err
			}
		}
	default:
		return checkKey(r.Key)
	}
	return nil
}

func checkKey(key []byte) error {
	switch {
	case len(key) == 0:
		return &wire.Error{Status: wire.StatusEmptyKey, Message: "a key has at least one byte"}
	case len(key) > wire.MaxKeyBytes:
		return &wire.Error{Status: wire.StatusKeyTooLarge,
			Message: fmt.Sprintf("key of %d bytes, at most %d", len(key), wire.MaxKeyBytes)}
	}
	return nil
}
