package client

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/wire"
)

// largeBytes is the size from which a payload is handed to the caller as it is, instead of being
// copied out of the buffer that the next reply will overwrite.
const largeBytes = 16 << 10

// errNeverBegun marks the end of a connection on which the server said goodbye: it had answered by
// then every request that it had begun.
var errNeverBegun = errors.New("the server said goodbye")

// dispatch gives a reply to the call that waits for it, and returns a buffer for the next payload.
// An error ends the connection.
func (cn *conn) dispatch(payload []byte) (buf []byte, err error) {
	h, err := wire.ParseHeader(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if h.ID == 0 {
		return nil, cn.notice(payload)
	}
	cl, err := cn.claim(h.ID)
	if cl == nil {
		return payload, err // nobody waits for it any more
	}
	reply, err := wire.ParseReply(cl.req.Op, payload)
	if err != nil {
		err = fmt.Errorf("%w: reply to %v: %w", ErrProtocol, cl.req.Op, err)
		cn.fail(err) // first, so that the caller's next call does not come back here
		cl.lose(err, true)
		return nil, err
	}
	kept := reply.Pairs != nil || len(payload) >= largeBytes
	if !kept {
		reply.Value = bytes.Clone(reply.Value)
		buf = payload
	}
	cl.answer(reply)
	return buf, nil
}

// claim takes the call of a reply out of the table. No call and no error mean that its caller is
// gone; the id of a request that was not sent is an error.
func (cn *conn) claim(id uint64) (*call, error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if id > cn.outbox.takenID {
		return nil, fmt.Errorf("%w: reply to request %d, which was never sent", ErrProtocol, id)
	}
	cn.useful, cn.owed = true, time.Time{}
	cl := cn.pending[id]
	cn.forget(id)
	return cl, nil
}

// notice is the error for a reply with id 0, which is about the connection.
func (cn *conn) notice(payload []byte) error {
	reply, err := wire.ParseReply(0, payload)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	switch {
	case reply.Status == wire.StatusMalformed: // not a goodbye; which request it means, nobody knows
		return fmt.Errorf("%w: the server could not read a request: %w", ErrProtocol, reply.Err())
	case reply.Status.Outcome() != wire.OutcomeFailed:
		return fmt.Errorf("%w: %w", ErrConnLost, reply.Err())
	case reply.Status == wire.StatusUnsupportedVersion: // and the next connection would be no better
		return fmt.Errorf("%w: %w: %w", ErrProtocol, errNeverBegun, reply.Err())
	default:
		return fmt.Errorf("%w: %w: %w", ErrConnLost, errNeverBegun, reply.Err())
	}
}
