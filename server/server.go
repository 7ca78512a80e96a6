package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// ErrDrainTimeout is returned by Serve when requests or connections were left after
// Config.DrainTimeout and had to be cut off. The outcome of writes among them is unknown to
// their clients.
var ErrDrainTimeout = errors.New("connections were cut off")

// Server serves one store.
type Server struct {
	db      store
	cfg     Config
	log     *slog.Logger
	budget  *budget
	workers *workers

	farewells chan struct{} // a slot for each connection over the limit that is told so

	wg    sync.WaitGroup // connections, farewells
	mu    sync.Mutex
	conns map[*conn]struct{} // guarded by mu
}

const (
	maxFarewells = 64

	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// New returns a server for db, which stays the caller's and must stay open until Serve returns. The
// error is ErrInvalidConfig.
func New(db *kv.DB, cfg Config) (*Server, error) { return newServer(db, cfg) }

func newServer(db store, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Server{
		db: db, cfg: cfg, log: cfg.Logger,
		budget: newBudget(cfg), workers: newWorkers(),
		farewells: make(chan struct{}, maxFarewells),
		conns:     map[*conn]struct{}{},
	}, nil
}

// Serve serves the connections of ln, which it closes, until ctx is done; then it drains: it
// refuses further requests, finishes those in flight, has their replies written and closes the
// connections. It returns nil after that, ErrDrainTimeout if it took longer than
// Config.DrainTimeout, and an error if ln was closed by somebody else. Call it once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	defer ln.Close()
	acceptErr := s.accept(ctx, ln)
	return errors.Join(acceptErr, s.drain())
}

// accept takes connections until ctx is done. Other errors than a closed listener pass: too many
// open files, a peer gone before it was accepted.
func (s *Server) accept(ctx context.Context, ln net.Listener) error {
	pause := minAcceptPause
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = minAcceptPause
			s.admit(nc)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting connections on %v: %w", ln.Addr(), err)
		default:
			s.log.Warn("accepting a connection failed, trying again", "error", err, "pause", pause)
			if !sleep(ctx, pause) {
				return nil
			}
			pause = min(2*pause, maxAcceptPause)
		}
	}
}

// sleep waits for d and reports whether ctx is still not done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// admit serves nc, or says goodbye if there are too many.
func (s *Server) admit(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.cfg.MaxConns {
		s.turnAway(nc)
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.wg.Go(func() {
		c.run()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	})
}

// turnAway tells a peer that there are too many connections. In a flood of them it just closes.
func (s *Server) turnAway(nc net.Conn) {
	select {
	case s.farewells <- struct{}{}:
	default:
		nc.Close()
		return
	}
	s.wg.Go(func() {
		defer func() { <-s.farewells }()
		defer nc.Close()
		w := writer{nc: nc, timeout: s.cfg.linger}
		if w.goodbye(&wire.Error{Status: wire.StatusTooManyConnections,
			Message: fmt.Sprintf("at most %d connections", s.cfg.MaxConns)}) {
			linger(nc, s.cfg.linger)
		}
	})
}

// drain ends all connections gracefully, and after DrainTimeout the hard way.
func (s *Server) drain() error {
	s.log.Info("draining", "connections", s.each((*conn).drain))
	gone := make(chan struct{})
	go func() {
		s.wg.Wait()
		s.workers.close()
		close(gone)
	}()
	if waitFor(gone, s.cfg.DrainTimeout) {
		return nil
	}
	left := s.each(func(c *conn) { c.abort(ErrDrainTimeout) })
	// A request that waits for a stalled disk cannot be called off.
	stuck := !waitFor(gone, s.cfg.linger)
	s.log.Warn("connections cut off at the end of the drain", "connections", left, "stuck", stuck)
	return fmt.Errorf("draining for %v: %d %w", s.cfg.DrainTimeout, left, ErrDrainTimeout)
}

// each calls f for every connection and returns their number.
func (s *Server) each(f func(*conn)) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		f(c)
	}
	return len(s.conns)
}

func waitFor(done <-chan struct{}, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}
