package client

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// slot is the place of one connection. While it is empty, the calls that need it share one attempt
// to fill it, which goes on for as long as any of them waits.
//
// The mutex of a slot and that of a connection are never held together.
type slot struct {
	client  *Client
	current atomic.Pointer[conn] // nil while there is none; changed under mu

	mu      sync.Mutex
	closed  bool
	attempt *attempt           // to connect, under way; nil: none
	conns   map[*conn]struct{} // those that have not ended: the current one, and others on their way out
	retired *conn              // a stalled one that waits for its last calls; at most one, so that they cannot pile up
	next    time.Time          // when to dial at the earliest
	pace    *backoff.ExponentialBackOff
}

// attempt is the work of connecting, shared by the calls that wait for it.
type attempt struct {
	done   chan struct{} // closed at the end, unless everybody has left
	conn   *conn         // what became of it, or
	err    error         // why nothing did; valid once done is closed
	cancel context.CancelFunc

	// The rest is guarded by the slot's mutex.
	waiting int
	dials   int
	lastErr error
}

func newSlot(c *Client) *slot {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval = c.opts.MinBackoff
	pace.MaxInterval = c.opts.MaxBackoff
	pace.Multiplier = 2
	pace.Reset()
	return &slot{client: c, pace: pace, conns: make(map[*conn]struct{})}
}

// connect returns the connection of the slot, and makes one if there is none.
func (s *slot) connect(cl *call) (*conn, error) {
	if cn := s.current.Load(); cn != nil {
		return cn, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cn := s.current.Load(); cn != nil {
		return cn, nil
	}
	if s.closed {
		return nil, ErrClosed
	}
	if s.attempt == nil {
		s.attempt = s.begin()
	}
	return s.await(s.attempt, cl)
}

// await waits for an attempt for as long as the call may. It is called with the mutex held, and
// gives it up meanwhile.
func (s *slot) await(a *attempt, cl *call) (*conn, error) {
	a.waiting++
	s.mu.Unlock()
	err := s.awaitDone(a, cl)
	s.mu.Lock()
	a.waiting--
	if err == nil {
		return a.conn, a.err
	}
	if a.waiting == 0 && s.attempt == a {
		s.attempt = nil // nobody may join what is being ended
		a.cancel()
	}
	if a.lastErr != nil {
		return nil, fmt.Errorf("%w: %w; %d attempts, the last: %w", ErrConnect, err, a.dials, a.lastErr)
	}
	return nil, fmt.Errorf("%w: %w", ErrConnect, err)
}

func (s *slot) awaitDone(a *attempt, cl *call) error {
	var enough <-chan time.Time
	if limit := s.client.opts.ConnectTimeout; limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		enough = timer.C
	}
	return cl.waitUntil(a.done, enough)
}

// begin starts to connect. The mutex is held.
func (s *slot) begin() *attempt {
	ctx, cancel := context.WithCancel(s.client.ctx)
	a := &attempt{done: make(chan struct{}), cancel: cancel}
	s.client.work.Go(func() {
		defer cancel()
		for !s.try(ctx, a) {
		}
	})
	return a
}

// try dials once, when it is time to, and reports whether the attempt is over.
func (s *slot) try(ctx context.Context, a *attempt) bool {
	s.mu.Lock()
	pause := time.Until(s.next)
	s.mu.Unlock()
	if !sleep(ctx, pause) {
		s.abort(a)
		return true
	}
	dialCtx, cancel := context.WithTimeout(ctx, s.client.opts.DialTimeout)
	defer cancel()
	nc, err := s.client.opts.Dial(dialCtx, "tcp", s.client.addr)

	s.mu.Lock()
	defer s.mu.Unlock()
	// Also after a success: a server that takes connections only to drop them is not worth hurrying
	// for. lost undoes this for a connection that was of use.
	s.next = time.Now().Add(s.pace.NextBackOff())
	a.dials++
	if err != nil {
		a.lastErr = err
		return false
	}
	if s.closed || s.attempt != a { // everybody has left
		nc.Close()
		a.finish(nil, ErrClosed)
		return true
	}
	cn := newConn(s, nc)
	s.attempt = nil
	s.conns[cn] = struct{}{}
	s.current.Store(cn)
	cn.start()
	a.finish(cn, nil)
	return true
}

// abort ends an attempt whose context is done: the client is closed, or nobody waits.
func (s *slot) abort(a *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempt == a {
		s.attempt = nil
	}
	a.finish(nil, ErrClosed)
}

func (a *attempt) finish(cn *conn, err error) {
	a.conn, a.err = cn, err
	close(a.done)
}

// sleep returns false if ctx ended it.
func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lost is told of a connection that has ended. useful: it delivered at least one reply.
func (s *slot) lost(cn *conn, useful bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if useful {
		s.pace.Reset()
		s.next = time.Time{}
	}
	if s.retired == cn {
		s.retired = nil
	}
	delete(s.conns, cn)
	s.current.CompareAndSwap(cn, nil)
}

// release makes new calls go elsewhere.
func (s *slot) release(cn *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.CompareAndSwap(cn, nil)
}

// retire takes a stalled connection out of use. Its pending calls keep it until they end, since a
// server may yet answer those that have the patience; new calls connect anew.
func (s *slot) retire(cn *conn) {
	s.mu.Lock()
	ok := s.retired == nil && s.current.CompareAndSwap(cn, nil)
	if ok {
		s.retired = cn
	}
	s.mu.Unlock()
	if ok {
		cn.drain(nil)
	}
}

// close ends what the slot has and keeps it from having more.
func (s *slot) close() {
	s.mu.Lock()
	s.closed = true
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, cn := range conns {
		cn.fail(ErrClosed)
	}
}
