package server

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

func TestDrainFinishesWhatIsInFlightAndRefusesTheRest(t *testing.T) {
	s, g := serveGated(t, Config{linger: briefly})
	p, idle := s.dial(), s.dial()
	idle.requireWorks()
	held := p.send(wire.Request{Op: wire.OpSet, Key: []byte("held"), Value: []byte("v")})
	g.next(t)

	s.stop()
	requireDraining(t, s)
	idle.requireGoodbye(wire.StatusShuttingDown)
	late := p.send(wire.Request{Op: wire.OpSet, Key: []byte("late"), Value: []byte("v")})
	r := p.receive(wire.OpSet)
	require.Equal(t, late, r.ID)
	require.Equal(t, wire.StatusShuttingDown, r.Status)

	g.open()
	r = p.receive(wire.OpSet)
	require.Equal(t, held, r.ID)
	require.Equal(t, wire.StatusOK, r.Status)
	p.requireGoodbye(wire.StatusShuttingDown)
	require.NoError(t, s.end())

	_, err := s.db.Get([]byte("held"))
	require.NoError(t, err)
	_, err = net.Dial("tcp", s.addr)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// requireDraining waits until every connection refuses further requests.
func requireDraining(t *testing.T, s *served) {
	require.Eventually(t, func() bool {
		all := true
		s.srv.each(func(c *conn) {
			c.flight.mu.Lock()
			defer c.flight.mu.Unlock()
			all = all && c.flight.draining
		})
		return all
	}, patience, time.Millisecond)
}

// A request half of which has arrived when the server goes was never begun, and the goodbye says so.
func TestDrainEndsAConnectionInTheMiddleOfAFrame(t *testing.T) {
	s := serve(t, Config{linger: briefly}, nil)
	p := s.dial()
	p.requireWorks()
	p.write(frame(header(wire.OpSet) + sized("k") + sized("v"))[:20])
	s.stop()
	p.requireGoodbye(wire.StatusShuttingDown)
	require.NoError(t, s.end())
}

func TestDrainGivesUpAfterItsTimeout(t *testing.T) {
	s, g := serveGated(t, Config{DrainTimeout: 50 * time.Millisecond, linger: briefly})
	p := s.dial()
	p.send(wire.Request{Op: wire.OpSet, Key: []byte("held"), Value: []byte("v")})
	g.next(t)

	require.ErrorIs(t, s.end(), ErrDrainTimeout)
	p.requireCutOff() // no goodbye: the outcome of that Set is unknown
	g.open()
}

func TestOneConnectionTooMany(t *testing.T) {
	s := serve(t, Config{MaxConns: 2}, nil)
	first, second := s.dial(), s.dial()
	first.requireWorks()
	second.requireWorks()

	third := s.dial()
	third.write(wire.AppendRequest(nil, &wire.Request{ID: 1, Op: wire.OpGet, Key: []byte("k")}))
	third.requireGoodbye(wire.StatusTooManyConnections)
	first.requireWorks()

	require.NoError(t, second.nc.Close())
	_, err := waitForEnd(s, 1)
	require.NoError(t, err)
	s.dial().requireWorks()
}

// In a flood of connections over the limit the polite ones are bounded too; the rest is just closed.
func TestAFloodOfConnectionsTooMany(t *testing.T) {
	s := serve(t, Config{MaxConns: 1, linger: briefly}, nil)
	first := s.dial()
	first.requireWorks()
	var extra []*peer
	for range 2 * maxFarewells {
		extra = append(extra, s.dial())
	}
	for _, p := range extra {
		p.requireCutOff()
	}
	first.requireWorks()
}

// failingListener fails to accept as often as there are errors, then does it.
type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	return l.Listener.Accept()
}

func TestAcceptErrorsPass(t *testing.T) {
	s := serve(t, Config{}, nil) // for its store
	srv, err := newServer(s.db, Config{})
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- srv.Serve(ctx, &failingListener{ln, []error{syscall.EMFILE, syscall.ECONNABORTED, syscall.ENFILE}})
	}()
	nc, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	p := newPeer(t, nc)
	p.requireWorks()
	require.NoError(t, nc.Close())
	stop()
	require.NoError(t, <-ended)
}

func TestServeReportsAListenerClosedByOthers(t *testing.T) {
	s := serve(t, Config{}, nil)
	srv, err := newServer(s.db, Config{})
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	err = srv.Serve(t.Context(), ln)
	require.True(t, errors.Is(err, net.ErrClosed), "%v", err)
}

func TestStoppingWhileAcceptFails(t *testing.T) {
	s := serve(t, Config{}, nil)
	srv, err := newServer(s.db, Config{})
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	many := make([]error, 1000)
	for i := range many {
		many[i] = syscall.EMFILE
	}
	require.NoError(t, srv.Serve(ctx, &failingListener{ln, many}))
}
