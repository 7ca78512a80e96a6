package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/wire"
)

// call is one request and its way to a reply. It is pooled, so who may touch it matters: the
// goroutine that called the Client owns it, except while it stands in a connection's table of
// pending calls. Whoever takes it out of that table completes it, exactly once; the owner who takes
// it out itself has it back at once.
type call struct {
	ctx    context.Context
	timer  *time.Timer // the deadline that Options.Timeout sets
	req    wire.Request
	pinned *conn // the only connection to use; nil: any
	on     *conn // the connection last used

	// How it ended; valid once done has its token.
	done     chan struct{} // capacity 1
	reply    wire.Reply    // when err is nil; its memory is the caller's
	err      error
	answered bool // err is what the server replied to this very request
	sent     bool // some of the request may have reached a socket
}

func (c *Client) newCall(req wire.Request) *call {
	cl, ok := c.calls.Get().(*call)
	if !ok {
		cl = &call{done: make(chan struct{}, 1)}
	}
	cl.req = req
	return cl
}

// free gives the call back. Its owner must have it, which it does whenever do has returned.
func (c *Client) free(cl *call) {
	*cl = call{timer: cl.timer, done: cl.done}
	c.calls.Put(cl)
}

// arm starts the clock of the call.
func (cl *call) arm(ctx context.Context, timeout time.Duration) {
	cl.ctx = ctx
	if cl.timer == nil {
		cl.timer = time.NewTimer(timeout)
		return
	}
	cl.timer.Reset(timeout)
}

// wait returns nil once ready can be received from, and otherwise why there is no more waiting:
// then the call is over, and wait must not be called for it again.
func (cl *call) wait(ready <-chan struct{}) error { return cl.waitUntil(ready, nil) }

// waitUntil is wait with one more reason to give up.
func (cl *call) waitUntil(ready <-chan struct{}, enough <-chan time.Time) error {
	select {
	case <-ready:
		return nil
	case <-enough:
		return ErrTimeout
	case <-cl.timer.C:
		return ErrTimeout
	case <-cl.ctx.Done():
		return ctxError(cl.ctx)
	}
}

// ctxError says why ctx is done in the words of this package.
func ctxError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	known := errors.Is(cause, err)
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrTimeout
	}
	if known {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// answer completes the call with a reply, whose memory is given away.
func (cl *call) answer(reply wire.Reply) {
	cl.reply, cl.err, cl.answered = reply, reply.Err(), true
	cl.done <- struct{}{}
}

// lose completes the call without a reply.
func (cl *call) lose(err error, sent bool) {
	cl.err, cl.sent = err, sent
	cl.done <- struct{}{}
}

// again reports whether the request may go out once more, and readies it for that.
func (cl *call) again() bool {
	safe := !cl.sent || !cl.req.Op.IsWrite()
	if cl.answered || !safe || !errors.Is(cl.err, ErrConnLost) {
		return false
	}
	cl.err, cl.sent = nil, false
	return true
}

// outcome is what cl.err means for the store.
func (cl *call) outcome() Outcome {
	switch {
	case !cl.req.Op.IsWrite():
		return Failed
	case cl.answered && cl.reply.Status.Outcome() == wire.OutcomeFailed:
		return Failed
	case errors.Is(cl.err, errNeverBegun): // though sent
		return Failed
	case cl.answered || cl.sent:
		return Unknown
	default:
		return Failed
	}
}
