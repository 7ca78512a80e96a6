package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer plays the other side as a test wants it: script runs once for every connection, with
// the number of the connection from 1 up, and the connection is closed when it returns. Everything
// goes over net.Pipe, which has no buffers, so that a test knows what has left the client; and which
// works in a synctest bubble, where time stands still while anybody has something to do.
type fakeServer struct {
	t      *testing.T
	script func(fc *fakeConn, n int)
	refuse func(n int) error          // asked before each connection; nil: accept
	wrap   func(nc net.Conn) net.Conn // around the client's side of each connection; nil: nothing

	mu    sync.Mutex
	dials []time.Time
	conns []*fakeConn
	seen  map[string]int // writes by value (deletes by key), however often they came
	work  sync.WaitGroup
}

func newFake(t *testing.T, script func(fc *fakeConn, n int)) *fakeServer {
	return &fakeServer{t: t, script: script, seen: make(map[string]int)}
}

// client returns a client of the server; the test closes both.
func (s *fakeServer) client(opts Options) *Client {
	opts.Dial = s.dial
	c, err := New("fake:1", &opts)
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		require.NoError(s.t, c.Close())
		s.close()
	})
	return c
}

func (s *fakeServer) close() {
	s.mu.Lock()
	conns := s.conns
	s.mu.Unlock()
	for _, fc := range conns {
		fc.Close()
	}
	s.work.Wait()
}

func (s *fakeServer) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Now())
	if s.refuse != nil {
		if err := s.refuse(len(s.dials)); err != nil {
			return nil, err
		}
	}
	near, far := net.Pipe()
	fc := &fakeConn{Conn: far, server: s, r: bufio.NewReader(far)}
	s.conns = append(s.conns, fc)
	n := len(s.conns)
	s.work.Go(func() {
		defer far.Close()
		s.script(fc, n)
	})
	if s.wrap != nil {
		return s.wrap(near), nil
	}
	return near, nil
}

func (s *fakeServer) count(write string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[write]
}

func (s *fakeServer) connCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

type fakeConn struct {
	net.Conn
	server *fakeServer
	r      *bufio.Reader
}

// next reads one request; false once the connection is over.
func (fc *fakeConn) next() (wire.Request, bool) {
	payload, err := wire.ReadFrame(fc.r, wire.DefaultMaxFrameBytes, nil)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, os.ErrDeadlineExceeded) {
		return wire.Request{}, false
	}
	if err != nil {
		fc.server.t.Errorf("reading a request: %v", err)
		return wire.Request{}, false
	}
	r, err := wire.ParseRequest(payload)
	if err != nil {
		fc.server.t.Errorf("the client sent what the protocol forbids: %v", err)
		return wire.Request{}, false
	}
	fc.server.note(&r)
	return r, true
}

func (s *fakeServer) note(r *wire.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Op {
	case wire.OpSet:
		s.seen[string(r.Value)]++
	case wire.OpDelete:
		s.seen[string(r.Key)]++
	case wire.OpBulkSet:
		for _, p := range r.Pairs {
			s.seen[string(p.Value)]++
		}
	}
}

// drop reads requests and answers none, until the connection is over.
func (fc *fakeConn) drop() {
	for {
		if _, ok := fc.next(); !ok {
			return
		}
	}
}

// echo answers every request: Get with the key as value, Delete and Exists with true.
func (fc *fakeConn) echo() {
	for {
		r, ok := fc.next()
		if !ok || fc.reply(answerTo(r)) != nil {
			return
		}
	}
}

func answerTo(r wire.Request) wire.Reply {
	return wire.Reply{ID: r.ID, Op: r.Op, Value: r.Key, Exists: true}
}

func (fc *fakeConn) reply(r wire.Reply) error {
	_, err := fc.Write(wire.AppendReply(nil, &r))
	return err
}

func refuseWith(id uint64, s wire.Status, message string) wire.Reply {
	return wire.Reply{ID: id, Status: s, Message: message}
}

// requireOutcome checks everything that an error says about an outcome.
func requireOutcome(t *testing.T, want Outcome, err error) {
	t.Helper()
	require.Equal(t, want, OutcomeOf(err), "%v", err)
	require.Equal(t, want == Failed, errors.Is(err, ErrFailed), "%v", err)
	require.Equal(t, want == Unknown, errors.Is(err, ErrOutcomeUnknown), "%v", err)
	if err != nil {
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, want, e.Outcome)
	}
}
