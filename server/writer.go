package server

import (
	"net"
	"time"

	"holdfast/internal/wire"
)

const (
	// flushBytes is how much the writer encodes before it hands it to the system.
	flushBytes = 64 << 10
	// tailBytes is the size from which a value goes to the system from where it lies.
	tailBytes = 16 << 10
)

// writer turns replies into bytes on the connection, many with one system call, and gives the memory
// of a call back once its bytes are out.
type writer struct {
	nc      net.Conn
	timeout time.Duration
	mem     *account

	buf     []byte // encoded and not yet written
	calls   []*call
	charges charge // of calls
	err     error  // the first failure; from then on replies are dropped
}

// run writes what the outbox gives until that is closed and empty. After a failure it calls failed
// once, and drops the rest.
func (w *writer) run(o *outbox, failed func(error)) {
	var batch []*call
	for {
		var ok bool
		if batch, ok = o.take(batch); !ok {
			return
		}
		before := w.err
		w.write(batch)
		if before == nil && w.err != nil {
			failed(w.err)
		}
		clear(batch)
	}
}

// goodbye sends a last frame about the connection and reports whether it went out. It may be called
// once run has returned.
func (w *writer) goodbye(reason *wire.Error) bool {
	if w.err == nil {
		w.buf = wire.AppendReply(w.buf, &wire.Reply{Status: reason.Status, Message: reason.Message})
		w.err = w.send(nil)
	}
	return w.err == nil
}

// write sends all replies of batch, or none of what is left once the connection has failed.
func (w *writer) write(batch []*call) {
	for _, c := range batch {
		var tail []byte
		w.buf, tail = wire.AppendReplyHead(w.buf, &c.reply)
		w.calls = append(w.calls, c)
		w.charges.own += c.charge.own
		w.charges.shared += c.charge.shared
		if len(tail) < tailBytes {
			w.buf = append(w.buf, tail...)
			tail = nil
		}
		if tail != nil || len(w.buf) >= flushBytes {
			w.flush(tail)
		}
	}
	w.flush(nil)
}

func (w *writer) flush(tail []byte) {
	if len(w.calls) == 0 {
		return
	}
	if w.err == nil {
		w.err = w.send(tail)
	}
	w.mem.release(len(w.calls), w.charges)
	for _, c := range w.calls {
		c.free()
	}
	clear(w.calls)
	w.calls, w.charges = w.calls[:0], charge{}
	if cap(w.buf) > 2*flushBytes {
		w.buf = nil // a page of a scan; its memory was that call's
	}
	w.buf = w.buf[:0]
}

func (w *writer) send(tail []byte) error {
	if err := w.nc.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return err
	}
	if tail == nil {
		_, err := w.nc.Write(w.buf)
		return err
	}
	_, err := (&net.Buffers{w.buf, tail}).WriteTo(w.nc)
	return err
}
