package client

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"holdfast/internal/wire"
)

// writeStepBytes is the most that is written under one write deadline, so that a large frame on a
// slow network is not taken for a stall.
const writeStepBytes = 256 << 10

// lastWordsTimeout is how long a connection that takes no more bytes is still listened to.
const lastWordsTimeout = time.Second

// errRetired sends calls that came upon a connection on its way out to the next one.
var errRetired = fmt.Errorf("%w: it was stalled or broken, and is no longer used", ErrConnLost)

// conn is one connection: callers put frames into the outbox, one goroutine writes them, another
// reads replies and completes the calls that they answer.
type conn struct {
	slot *slot
	nc   net.Conn

	mu       sync.Mutex
	filled   sync.Cond // the outbox is no longer empty, or err is set
	outbox   outbox
	pending  map[uint64]*call // by request id; whoever takes one out completes it
	lastID   uint64
	err      error     // why the connection is over; nil: it is not
	draining bool      // takes no more calls, ends with the last one it has
	writeErr error     // why nothing can be written any more; nil: it can
	useful   bool      // a reply has come
	owed     time.Time // when a request was first queued since the last reply came; zero: none was
}

func newConn(s *slot, nc net.Conn) *conn {
	cn := &conn{slot: s, nc: nc, pending: make(map[uint64]*call)}
	cn.filled.L = &cn.mu
	return cn
}

// start runs the connection. The mutex of a slot that is not closed is held.
func (cn *conn) start() {
	cn.slot.client.work.Go(func() { cn.fail(cn.readLoop()) })
	cn.slot.client.work.Go(cn.writeLoop)
}

// roundTrip sends the request of a call and waits for the reply, the end of the connection, or that
// of the call.
func (cn *conn) roundTrip(cl *call) {
	cl.on = cn
	if err := cn.enqueue(cl); err != nil {
		cl.err = err
		return
	}
	err := cl.wait(cl.done)
	if err == nil {
		return
	}
	if !cn.callOff(cl) {
		<-cl.done // somebody else has taken it out of the table and is about to complete it
		return
	}
	cl.err = err
}

// enqueue puts the request into the outbox, once there is room. After an error it is not there.
func (cn *conn) enqueue(cl *call) error {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	for cn.usable() == nil && cn.outbox.full() {
		room := cn.outbox.waitRoom()
		cn.mu.Unlock()
		err := cl.wait(room)
		cn.mu.Lock()
		if err != nil {
			return fmt.Errorf("waiting for room to send: %w", err)
		}
	}
	if err := cn.usable(); err != nil {
		return err
	}
	cn.lastID++
	cl.req.ID = cn.lastID
	cn.pending[cl.req.ID] = cl
	cn.outbox.add(&cl.req)
	if cn.owed.IsZero() {
		cn.owed = time.Now()
	}
	cn.filled.Signal()
	return nil
}

func (cn *conn) usable() error {
	if cn.err == nil && cn.draining {
		return errRetired
	}
	return cn.err
}

// callOff takes a call whose time is up out of the table, and reports whether it was still there.
// A frame that the writer has not taken yet is never sent.
func (cn *conn) callOff(cl *call) bool {
	cn.mu.Lock()
	id := cl.req.ID
	if cn.pending[id] != cl {
		cn.mu.Unlock()
		return false
	}
	cl.sent = !cn.outbox.callOff(id)
	cn.forget(id)
	stalled := cl.sent && !cn.owed.IsZero() && time.Since(cn.owed) >= cn.slot.client.opts.StallTimeout
	cn.mu.Unlock()
	if stalled {
		cn.slot.retire(cn)
	}
	return true
}

// forget takes a call out of the table. The mutex is held.
func (cn *conn) forget(id uint64) {
	delete(cn.pending, id)
	if cn.draining && len(cn.pending) == 0 {
		cn.nc.Close() // the reader notices and ends the rest
	}
}

// drain makes the connection end with its last call. writeErr is nil if it can still be written to.
func (cn *conn) drain(writeErr error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.draining, cn.writeErr = true, writeErr
	cn.outbox.wakeWaiting()
	if len(cn.pending) == 0 {
		cn.nc.Close()
	}
}

// fail ends the connection and all calls that it carries. Only the first call has an effect.
func (cn *conn) fail(err error) {
	cn.mu.Lock()
	if cn.err != nil {
		cn.mu.Unlock()
		return
	}
	cn.err = err
	pending, takenID := cn.pending, cn.outbox.takenID
	cn.pending = nil
	cn.outbox.wakeWaiting()
	cn.filled.Broadcast()
	useful := cn.useful
	cn.mu.Unlock()

	cn.nc.Close()
	cn.slot.lost(cn, useful) // first, so that a call sent again does not come back here
	for id, cl := range pending {
		cl.lose(err, id <= takenID)
	}
}

func (cn *conn) writeLoop() {
	for b := cn.nextBlock(); b != nil; b = cn.nextBlock() {
		if err := cn.write(b.buf); err != nil {
			cn.breakOff(err)
			return
		}
		cn.mu.Lock()
		cn.outbox.recycle(b)
		cn.mu.Unlock()
	}
}

// breakOff leaves the connection to the reader for a moment when it cannot be written to any more:
// replies to what was sent before, and the server's goodbye, may be on their way or here already,
// and each of them saves a write from being Unknown.
func (cn *conn) breakOff(err error) {
	if err := cn.nc.SetReadDeadline(time.Now().Add(lastWordsTimeout)); err != nil {
		cn.nc.Close()
	}
	cn.slot.release(cn)
	cn.drain(err)
}

// nextBlock waits for something to write; nil when the connection is over.
func (cn *conn) nextBlock() *block {
	// Replies come in bursts and wake many callers, whose next requests should share a system call:
	// let them run before looking.
	runtime.Gosched()
	cn.mu.Lock()
	defer cn.mu.Unlock()
	for cn.err == nil {
		if b := cn.outbox.take(cn.pending); b != nil {
			return b
		}
		cn.filled.Wait()
	}
	return nil
}

func (cn *conn) write(p []byte) error {
	for len(p) > 0 {
		step := p[:min(len(p), writeStepBytes)]
		if err := cn.nc.SetWriteDeadline(time.Now().Add(cn.slot.client.opts.StallTimeout)); err != nil {
			return err
		}
		if _, err := cn.nc.Write(step); errors.Is(err, os.ErrDeadlineExceeded) {
			return errors.New("the server takes no more") // not a deadline of the caller's
		} else if err != nil {
			return err
		}
		p = p[len(step):]
	}
	return nil
}

// readLoop returns why nothing more can be read.
func (cn *conn) readLoop() error {
	r := bufio.NewReaderSize(cn.nc, 64<<10)
	var buf []byte
	for {
		payload, err := wire.ReadFrame(r, cn.slot.client.opts.MaxFrameBytes, buf)
		if err != nil {
			return cn.readError(err)
		}
		if buf, err = cn.dispatch(payload); err != nil {
			return err
		}
	}
}

func (cn *conn) readError(err error) error {
	var refusal *wire.Error
	if errors.As(err, &refusal) {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.writeErr != nil { // that came first
		return fmt.Errorf("%w: writing: %w", ErrConnLost, cn.writeErr)
	}
	return fmt.Errorf("%w: reading: %w", ErrConnLost, err)
}
