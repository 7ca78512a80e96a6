package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"holdfast/internal/wire"
)

// readBufferBytes is the room for small frames that arrive together.
const readBufferBytes = 32 << 10

// longAgo is a deadline that makes a read return at once.
var longAgo = time.Unix(1, 0)

// conn is one connection. run is its reader; see the package comment for the rest.
type conn struct {
	srv    *Server
	nc     net.Conn
	log    *slog.Logger
	in     *bufio.Reader
	mem    *account
	flight flight
	out    *outbox
	scans  *scanTable

	ctx    context.Context // done once the connection is of no more use
	cancel context.CancelFunc

	timed   bool // the reader has set a deadline; its own
	hurried bool // it did so for the frame in hand; its own

	mu      sync.Mutex
	stopped bool // no read may block any more
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		srv: s, nc: nc,
		log:   s.cfg.Logger.With("peer", nc.RemoteAddr().String()),
		in:    bufio.NewReaderSize(nc, readBufferBytes),
		mem:   s.budget.newAccount(s.cfg.MaxInFlight),
		out:   newOutbox(),
		scans: newScanTable(s.cfg.MaxScans, s.cfg.ScanIdle),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// run serves the connection until there is nothing more to read, then ends it in the order that the
// goodbye promises: finish what is in flight, write the replies, say why, close.
func (c *conn) run() {
	defer c.cancel()
	defer c.nc.Close()
	defer c.scans.close()
	w := &writer{nc: c.nc, timeout: c.srv.cfg.WriteTimeout, mem: c.mem}
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.run(c.out, c.abort)
	}()

	err := c.readAll()
	c.note("connection ends", err)
	<-c.flight.land()
	c.out.close()
	<-written
	var reason *wire.Error
	if errors.As(err, &reason) && w.goodbye(reason) {
		linger(c.nc, c.srv.cfg.linger)
	}
}

// abort makes the connection useless, so that reader and writer come to their ends.
func (c *conn) abort(cause error) {
	c.note("connection cut off", cause)
	c.cancel()
	c.nc.Close()
}

// note logs why a connection ends: a peer that was too slow is worth a look, others come and go.
func (c *conn) note(msg string, reason error) {
	level := slog.LevelDebug
	if errors.Is(reason, os.ErrDeadlineExceeded) {
		level = slog.LevelWarn
	}
	c.log.Log(c.ctx, level, msg, "reason", reason)
}

// drain refuses requests from now on, and ends the connection once none is in flight.
func (c *conn) drain() {
	landed := c.flight.land()
	go func() {
		select {
		case <-landed:
			c.stopReading()
		case <-c.ctx.Done():
		}
	}()
}

func (c *conn) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	c.nc.SetReadDeadline(longAgo) // fails on a closed connection, whose reads return anyway
}

// hurry gives the reads of the frame in hand, from the first call on, FrameTimeout in all.
func (c *conn) hurry() error {
	if c.hurried {
		return nil
	}
	c.timed, c.hurried = true, true
	return c.setDeadline(time.Now().Add(c.srv.cfg.FrameTimeout))
}

// relax lets the peer take its time for the next frame.
func (c *conn) relax() error {
	if !c.timed {
		return nil
	}
	c.timed = false
	return c.setDeadline(time.Time{})
}

func (c *conn) setDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil // longAgo stays
	}
	return c.nc.SetReadDeadline(t)
}

// readError is why the reader ends after err: a *wire.Error where the peer is to be told.
func (c *conn) readError(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped && errors.Is(err, os.ErrDeadlineExceeded) {
		return errShuttingDown
	}
	return err
}

var errShuttingDown = &wire.Error{Status: wire.StatusShuttingDown, Message: "the server is shutting down"}

// linger lets the peer read what was sent last. Closing at once, with bytes of the peer still
// unread, would make the system discard what the peer has not read yet.
func linger(nc net.Conn, limit time.Duration) {
	if half, ok := nc.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	if nc.SetReadDeadline(time.Now().Add(limit)) == nil {
		io.Copy(io.Discard, nc) // its end, however it comes, is the end of our wait
	}
}
