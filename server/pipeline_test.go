package server

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
	"holdfast/kv"
)

func TestRepliesOvertakeEachOther(t *testing.T) {
	s, g := serveGated(t, Config{})
	p := s.dial()
	slow := p.send(wire.Request{Op: wire.OpSet, Key: []byte("held"), Value: []byte("v")})
	g.next(t)

	require.Equal(t, wire.StatusNotFound, p.get("held").Status, "answered while the Set before it waits, and not visible")
	g.open()
	require.Equal(t, slow, p.receive(wire.OpSet).ID)
	require.Equal(t, "v", string(p.get("held").Value))
}

// All writes of one connection must be in the store at the same time, or there is no group commit.
func TestRequestsOfOneConnectionRunConcurrently(t *testing.T) {
	const n = 500
	s, g := serveGated(t, Config{})
	p := s.dial()
	for i := range n {
		p.send(wire.Request{Op: wire.OpSet, Key: fmt.Appendf(nil, "held%d", i), Value: []byte("v")})
	}
	for range n {
		g.next(t)
	}
	g.open()
	seen := map[uint64]bool{}
	for range n {
		r := p.receive(wire.OpSet)
		require.Equal(t, wire.StatusOK, r.Status)
		seen[r.ID] = true
	}
	require.Len(t, seen, n, "one reply for each request")
}

func TestNoMoreThanMaxInFlightBegin(t *testing.T) {
	const limit = 4
	s, g := serveGated(t, Config{MaxInFlight: limit})
	p, other := s.dial(), s.dial()
	for i := range limit {
		p.send(wire.Request{Op: wire.OpSet, Key: fmt.Appendf(nil, "held%d", i)})
		g.next(t)
	}
	p.send(wire.Request{Op: wire.OpSet, Key: []byte("held, one more")})
	other.requireWorks() // the bound is on one connection
	require.Empty(t, g.entered)

	g.open()
	require.Equal(t, "held, one more", g.next(t))
	for range limit + 1 {
		require.Equal(t, wire.StatusOK, p.receive(wire.OpSet).Status)
	}
}

func TestManyConnectionsWithManyRequests(t *testing.T) {
	const conns, rounds, window = 16, 20, 32
	s := serve(t, Config{}, nil)
	var wg sync.WaitGroup
	for c := range conns {
		p := s.dial()
		wg.Go(func() {
			for round := range rounds {
				want := map[uint64]string{}
				for i := range window {
					key := fmt.Sprintf("%d/%d/%d", c, round, i)
					want[p.send(wire.Request{Op: wire.OpSet, Key: []byte(key), Value: []byte(key)})] = key
				}
				for range window {
					r := p.receive(wire.OpSet)
					require.Equal(t, wire.StatusOK, r.Status)
					require.Contains(t, want, r.ID)
				}
				for _, key := range want {
					require.Equal(t, key, string(p.get(key).Value))
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, conns*rounds*window, s.db.Stats().Keys)
	requireAllReleased(t, s)
}

// Somebody asks for far more than he reads. His connection ends after WriteTimeout; until then it holds
// no more memory than one connection may, and no one else is kept from working; then all of it
// comes back.
func TestAClientThatDoesNotReadIsDisconnected(t *testing.T) {
	s := serve(t, Config{WriteTimeout: 500 * time.Millisecond}, nil)
	p, other := s.dial(), s.dial()
	require.Equal(t, wire.StatusOK, other.set("large", strings.Repeat("v", 4<<20)).Status)
	before := heapBytes()
	for range 500 {
		p.send(wire.Request{Op: wire.OpGet, Key: []byte("large")})
	}
	peak := int64(0)
	for s.srv.each(func(*conn) {}) > 1 {
		peak = max(peak, heapBytes()-before)
		other.requireWorks()
	}
	// Values that went out while the collector ran count too; unbounded, it would be 2 GB.
	require.Less(t, peak, 3*s.srv.cfg.perConnBytes())
	require.Greater(t, peak, int64(8<<20), "the replies were never there")
	requireAllReleased(t, s)
	p.requireCutOff()
}

// waitForEnd waits until only n connections are left.
func waitForEnd(s *served, n int) (int, error) {
	deadline := time.Now().Add(patience)
	for {
		left := s.srv.each(func(*conn) {})
		if left <= n {
			return left, nil
		}
		if time.Now().After(deadline) {
			return left, fmt.Errorf("%d connections are left, want %d", left, n)
		}
		runtime.Gosched()
	}
}

// A value may grow between the reservation of memory for a Get and the read. The reply is then as
// large as it must be if the memory is there, and Busy if not.
func TestAValueThatGrowsBetweenReservationAndRead(t *testing.T) {
	s := serve(t, Config{}, func(db *kv.DB) store { return growing{db} })
	p := s.dial()
	require.Equal(t, 1<<20, len(p.get("any").Value))

	giveBack := takeShared(t, s, s.srv.budget.size)
	require.Equal(t, wire.StatusBusy, p.get("any").Status)
	giveBack()
	require.Equal(t, 1<<20, len(p.get("any").Value))
	requireAllReleased(t, s)
}

// growing has a value of 1 MiB under every key, and says it is small.
type growing struct{ *kv.DB }

func (growing) ValueSize([]byte) (int, error) { return 1, nil }
func (growing) Get([]byte) ([]byte, error)    { return make([]byte, 1<<20), nil }

// All shared memory is taken by others: small requests go on, out of their connection's allowance, and
// a large one is refused as Busy, without a trace, and works once there is memory.
func TestSharedMemoryIsExhausted(t *testing.T) {
	s := serve(t, Config{FrameTimeout: 400 * time.Millisecond}, nil)
	p := s.dial()
	giveBack := takeShared(t, s, s.srv.budget.size)

	p.requireWorks()
	large := strings.Repeat("v", 1<<20)
	require.Equal(t, wire.StatusBusy, p.set("large", large).Status)
	require.Equal(t, wire.StatusNotFound, p.get("large").Status)
	require.Equal(t, wire.StatusBusy, p.ask(wire.Request{Op: wire.OpScan}).Status)
	p.requireWorks()

	giveBack()
	require.Equal(t, wire.StatusOK, p.set("large", large).Status)
	require.Equal(t, large, string(p.get("large").Value))
	requireAllReleased(t, s)
}

// broken is a store with a defect.
type broken struct{ *kv.DB }

func (broken) Set(key, value []byte) error { return errors.New("a defect") }

func TestADefectIsUnknownAndLoggedWithoutTheValue(t *testing.T) {
	logs := &logLines{}
	s := serve(t, Config{Logger: logs.logger()}, func(db *kv.DB) store { return broken{db} })
	r := s.dial().set("k", "secret")
	require.Equal(t, wire.StatusInternal, r.Status)
	require.Equal(t, wire.OutcomeUnknown, r.Status.Outcome())
	require.Equal(t, "a defect", logs.with(t, "a request failed")["error"])
	require.NotContains(t, logs.String(), "secret")
}

func TestWorkersAreUsedAgainAndNotTooManyAreKept(t *testing.T) {
	const crowd = maxIdleWorkers + 100
	s, g := serveGated(t, Config{})
	p := s.dial()
	for range 2 * maxIdleWorkers {
		p.requireWorks()
	}
	idle := &s.srv.workers.idle
	require.Eventually(t, func() bool { return idle.Load() <= 8 }, patience, time.Millisecond,
		"one request at a time needs no crowd of workers")

	for range crowd {
		p.send(wire.Request{Op: wire.OpSet, Key: []byte("held")})
	}
	for range crowd {
		g.next(t)
	}
	g.open()
	for range crowd {
		p.receive(wire.OpSet)
	}
	require.Eventually(t, func() bool { return idle.Load() == maxIdleWorkers }, patience, time.Millisecond)
}

// So many pairs that they need more memory than there is for anybody. Nine bytes on the wire become
// some two hundred in the store.
func TestABulkSetOfTooManyPairsIsRefused(t *testing.T) {
	s := serve(t, Config{MaxInFlightBytes: 64 << 20}, nil)
	p := s.dial()
	var many []wire.Pair
	for range 1_000_000 {
		many = append(many, wire.Pair{Key: []byte("k")})
	}
	require.Equal(t, wire.StatusBatchTooLarge, p.ask(wire.Request{Op: wire.OpBulkSet, Pairs: many}).Status)
	require.Equal(t, wire.StatusNotFound, p.get("k").Status)
	require.Equal(t, wire.StatusOK, p.ask(wire.Request{Op: wire.OpBulkSet, Pairs: many[:10_000]}).Status)
	requireAllReleased(t, s)
}
