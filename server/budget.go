package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Errors of account.acquire. With both the slot is taken all the same, for the reply that says so.
var (
	errBusy    = errors.New("no memory to spare") // what is shared stayed taken for too long
	errTooMuch = errors.New("more memory than any request may have")
)

// budget is the memory of all connections for requests and replies.
type budget struct {
	shared    *semaphore.Weighted
	size      int64         // of shared
	allowance int64         // what every account has beside shared; guarded by each account
	perConn   int64         // the most one account may hold of both, unless by a single call
	wait      time.Duration // how long a large request waits for shared
}

func newBudget(cfg Config) *budget {
	return &budget{
		shared:    semaphore.NewWeighted(cfg.sharedBytes()),
		size:      cfg.sharedBytes(),
		allowance: cfg.allowance(),
		perConn:   cfg.perConnBytes(),
		wait:      cfg.FrameTimeout,
	}
}

// charge is memory held for one request, to be given back once. The zero charge is nothing.
type charge struct{ own, shared int64 }

// account is what one connection holds of the budget. Only its reader acquires; anyone releases.
type account struct {
	*budget
	maxCalls int
	freed    chan struct{} // holds a token after a release, for the one reader that may wait

	mu    sync.Mutex
	calls int    // slots taken
	held  charge // the sum of all charges given out
}

func (b *budget) newAccount(maxCalls int) *account {
	return &account{budget: b, maxCalls: maxCalls, freed: make(chan struct{}, 1)}
}

// acquire takes a slot for one call and n bytes, as soon as the bounds on this connection allow.
// Small calls are served from the allowance and otherwise from what is shared; a call larger
// than the allowance waits for shared memory at most b.wait. Errors are errBusy, errTooMuch and that
// of ctx; with the last one nothing is taken.
func (a *account) acquire(ctx context.Context, n int64) (charge, error) {
	for {
		got, state := a.try(n)
		switch state {
		case granted:
			return got, nil
		case needsShared:
			return a.awaitShared(ctx, n)
		case tooMuch:
			return charge{}, errTooMuch
		}
		select {
		case <-a.freed:
		case <-ctx.Done():
			return charge{}, ctx.Err()
		}
	}
}

type tryState int

const (
	granted     tryState = iota
	needsShared          // the slot is taken and the bytes are counted, but not acquired yet
	mustWait             // for a release on this account
	tooMuch              // the slot is taken, the bytes can never be had
)

func (a *account) try(n int64) (charge, tryState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	held := a.held.own + a.held.shared
	if a.calls >= a.maxCalls || (held > 0 && held+n > a.perConn) {
		return charge{}, mustWait
	}
	if n > max(a.size, a.allowance) {
		a.calls++
		return charge{}, tooMuch
	}
	var got charge
	state := granted
	switch {
	case a.held.own+n <= a.allowance:
		got.own = n
	case a.shared.TryAcquire(n):
		got.shared = n
	case n <= a.allowance:
		return charge{}, mustWait // what fills the allowance will come back
	default:
		got.shared = n
		state = needsShared
	}
	a.calls++
	a.held.own += got.own
	a.held.shared += got.shared
	return got, state
}

func (a *account) awaitShared(ctx context.Context, n int64) (charge, error) {
	limited, cancel := context.WithTimeout(ctx, a.wait)
	defer cancel()
	if err := a.shared.Acquire(limited, n); err != nil {
		a.mu.Lock()
		a.held.shared -= n
		a.mu.Unlock()
		if ctx.Err() != nil {
			a.release(1, charge{})
			return charge{}, ctx.Err()
		}
		return charge{}, errBusy
	}
	return charge{shared: n}, nil
}

// more adds n bytes to c if they are there at once. It is for a call that turns out larger than
// expected: such a call must not wait, since it holds memory that others may wait for.
func (a *account) more(c *charge, n int64) bool {
	if !a.shared.TryAcquire(n) {
		return false
	}
	c.shared += n
	a.mu.Lock()
	a.held.shared += n
	a.mu.Unlock()
	return true
}

// release gives back the slots of calls requests and their bytes, summed up in c.
func (a *account) release(calls int, c charge) {
	a.mu.Lock()
	a.calls -= calls
	a.held.own -= c.own
	a.held.shared -= c.shared
	a.mu.Unlock()
	if c.shared > 0 {
		a.shared.Release(c.shared)
	}
	select {
	case a.freed <- struct{}{}:
	default:
	}
}
