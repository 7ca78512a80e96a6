package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"
)

// smallBudget has 100 bytes for all, 10 for each, and lets one hold 60.
func smallBudget() *budget {
	return &budget{shared: semaphore.NewWeighted(100), size: 100, allowance: 10, perConn: 60, wait: time.Minute}
}

func mustAcquire(t *testing.T, a *account, n int64) charge {
	c, err := a.acquire(context.Background(), n)
	require.NoError(t, err)
	return c
}

func TestSmallCallsUseTheAllowanceFirst(t *testing.T) {
	a := smallBudget().newAccount(100)
	require.Equal(t, charge{own: 6}, mustAcquire(t, a, 6))
	require.Equal(t, charge{shared: 6}, mustAcquire(t, a, 6), "does not fit the rest of the allowance")
	require.Equal(t, charge{own: 4}, mustAcquire(t, a, 4))
	a.release(3, charge{own: 10, shared: 6})
	require.Equal(t, charge{own: 10}, mustAcquire(t, a, 10))
}

// blocks starts f and returns a channel with its result; it must not have one yet.
func blocks(t *testing.T, f func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	synctest.Wait()
	require.Empty(t, result, "did not wait")
	return result
}

func acquiring(a *account, n int64) func() error {
	return func() error {
		_, err := a.acquire(context.Background(), n)
		return err
	}
}

func TestAcquireWaitsForItsOwnConnection(t *testing.T) {
	tests := map[string]struct {
		maxCalls    int
		first, more int64
	}{
		"no slot":                         {1, 1, 1},
		"no room within the connection":   {9, 40, 40},
		"more than a connection may hold": {9, 1, 80},
	}
	for name, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			a := smallBudget().newAccount(tt.maxCalls)
			first := mustAcquire(t, a, tt.first)
			waiting := blocks(t, acquiring(a, tt.more))
			a.release(1, first)
			require.NoError(t, <-waiting, name)
		})
	}
}

func TestASmallCallWaitsForItsAllowanceNotForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := smallBudget()
		require.True(t, b.shared.TryAcquire(100), "others have everything")
		a := b.newAccount(9)
		first := mustAcquire(t, a, 10)
		waiting := blocks(t, acquiring(a, 10))
		a.release(1, first)
		require.NoError(t, <-waiting)
	})
}

func TestALargeCallWaitsForOthersAndThenIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := smallBudget()
		a, other := b.newAccount(1), b.newAccount(9)
		held := mustAcquire(t, other, 90)
		waiting := blocks(t, acquiring(a, 50))
		other.release(1, held)
		require.NoError(t, <-waiting)
		a.release(1, charge{shared: 50})

		held = mustAcquire(t, other, 90)
		start := time.Now()
		require.Equal(t, errBusy, acquiring(a, 50)())
		require.Equal(t, b.wait, time.Since(start))
		slot := blocks(t, acquiring(a, 1)) // errBusy keeps the slot, for the reply
		a.release(1, charge{})
		require.NoError(t, <-slot)
		other.release(1, held)
	})
}

func TestAcquireGivesUpWithItsConnection(t *testing.T) {
	for name, take := range map[string]int64{"waiting for itself": 60, "waiting for others": 0} {
		synctest.Test(t, func(t *testing.T) {
			b := smallBudget()
			a, other := b.newAccount(9), b.newAccount(9)
			if take > 0 {
				mustAcquire(t, a, take)
			} else {
				mustAcquire(t, other, 90)
			}
			ctx, cancel := context.WithCancel(context.Background())
			waiting := blocks(t, func() error {
				_, err := a.acquire(ctx, 50)
				return err
			})
			cancel()
			require.Equal(t, context.Canceled, <-waiting, name)
			require.Equal(t, charge{shared: take}, a.held, name)
		})
	}
}

func TestMoreThanThereEverIs(t *testing.T) {
	a := smallBudget().newAccount(9)
	_, err := a.acquire(context.Background(), 101)
	require.Equal(t, errTooMuch, err)
	require.Equal(t, 1, a.calls)
	require.Zero(t, a.held)
}

func TestMoreDoesNotWait(t *testing.T) {
	a := smallBudget().newAccount(9)
	c := mustAcquire(t, a, 50)
	require.True(t, a.more(&c, 50))
	require.Equal(t, charge{shared: 100}, c)
	require.False(t, a.more(&c, 1))
	a.release(1, c)
	require.Zero(t, a.held)
}

func TestConfig(t *testing.T) {
	cfg, err := Config{}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, int64(512<<20), cfg.sharedBytes()+cfg.allowance()*int64(cfg.MaxConns), "no byte is promised twice")
	require.Equal(t, 10<<20-30, cfg.maxPairBytes())

	for _, bad := range []Config{
		{MaxFrameBytes: 100}, {MaxFrameBytes: 2 << 30}, {MaxConns: -1}, {MaxInFlight: -1}, {MaxScans: -1},
		{FrameTimeout: -1}, {WriteTimeout: -1}, {DrainTimeout: -1}, {ScanIdle: -1},
		{MaxInFlightBytes: 1 << 20}, {MaxInFlightBytes: -1},
	} {
		_, err := New(nil, bad)
		require.True(t, errors.Is(err, ErrInvalidConfig), "%+v: %v", bad, err)
	}
}
