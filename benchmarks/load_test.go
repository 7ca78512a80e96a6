package benchmarks

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counting returns operations that count themselves.
func counting(n *atomic.Int64) func(int) operation {
	return func(int) operation {
		return func(context.Context) error { n.Add(1); return nil }
	}
}

func TestASampleCountsWhatWasDone(t *testing.T) {
	for _, l := range []load{
		{goroutines: 1, ops: 1},
		{goroutines: 7, ops: 100},
		{goroutines: 7, ops: 3},
		{goroutines: 4, ops: 1000, latency: true},
		{goroutines: 3, window: 10 * time.Millisecond},
		{goroutines: 3, window: 10 * time.Millisecond, latency: true},
	} {
		var n atomic.Int64
		s, err := l.run(t.Context(), counting(&n))
		require.NoError(t, err)
		require.Equal(t, n.Load(), s.ops)
		if l.window == 0 {
			require.Equal(t, l.ops, s.ops)
		}
		if l.latency {
			require.Equal(t, s.ops, s.latency.TotalCount(), "every operation has a latency")
		} else {
			require.Nil(t, s.latency)
		}
	}
}

// In the bubble time stands still but for sleeps, so the figures are exact.
func TestAWindowIsAsLongAsItSaysAndCountsWhatWasUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		operations := func(g int) operation {
			return func(context.Context) error {
				time.Sleep(300 * time.Millisecond)
				return nil
			}
		}
		s, err := load{goroutines: 2, window: time.Second, latency: true}.run(t.Context(), operations)
		require.NoError(t, err)
		require.EqualValues(t, 8, s.ops, "the fourth operation of each was under way when the time was up")
		require.Equal(t, 1200*time.Millisecond, s.elapsed, "and so is its time counted")
		require.InDelta(t, 8/1.2, s.perSecond(), 1e-9)
		require.InEpsilon(t, 300_000, latencyOf(s.latency).P50, 0.001)
	})
}

func TestEachGoroutineHasItsOwnOperation(t *testing.T) {
	var mu sync.Mutex
	seen := map[int]bool{}
	_, err := load{goroutines: 5, ops: 5}.run(t.Context(), func(g int) operation {
		return func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			assert.False(t, seen[g])
			seen[g] = true
			return nil
		}
	})
	require.NoError(t, err)
	require.Len(t, seen, 5)
}

func TestOneFailureEndsTheLoadWithoutASample(t *testing.T) {
	failure := errors.New("broken")
	var n atomic.Int64
	s, err := load{goroutines: 4, window: time.Hour}.run(t.Context(), func(int) operation {
		return func(context.Context) error {
			if n.Add(1) == 100 {
				return failure
			}
			return nil
		}
	})
	require.ErrorIs(t, err, failure)
	require.Zero(t, s)
}

func TestCancellingEndsTheLoadWithoutASample(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	s, err := load{goroutines: 4, window: time.Hour}.run(ctx, func(int) operation {
		return func(ctx context.Context) error {
			if n.Add(1) == 100 {
				cancel()
				<-ctx.Done()
				return errors.New("an operation that was cut off")
			}
			return nil
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.NotContains(t, err.Error(), "cut off")
	require.Zero(t, s)
}

func TestAGoroutineThatComesTooLateDoesOneOperation(t *testing.T) {
	var n atomic.Int64
	var stop atomic.Bool
	stop.Store(true)
	s, err := load{window: 1}.repeat(t.Context(), counting(&n)(0), 10, &stop)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.ops)
	require.EqualValues(t, 1, n.Load())
}

func TestNothingDoneIsAnErrorAndNotAFigure(t *testing.T) {
	_, err := load{goroutines: 2}.run(t.Context(), counting(new(atomic.Int64)))
	require.ErrorIs(t, err, errNothingDone)
}

func TestPercentilesOfAKnownDistribution(t *testing.T) {
	h := newHistogram()
	for i := 1; i <= 1000; i++ {
		record(h, time.Duration(i)*time.Microsecond)
	}
	require.Equal(t, Latency{P50: 500, P90: 900, P99: 990, P999: 999, Max: 1000}, latencyOf(h))

	h = newHistogram()
	record(h, 0)
	require.Equal(t, Latency{1, 1, 1, 1, 1}, latencyOf(h), "nothing is faster than the clock can tell")
	record(h, 24*time.Hour)
	require.EqualValues(t, 2, h.TotalCount(), "what is out of bounds is not left out")
	require.InEpsilon(t, maxLatencyMicros, latencyOf(h).Max, 0.001)
}

func TestMedianAndRate(t *testing.T) {
	require.EqualValues(t, 3, median([]float64{9, 3, 1}))
	require.EqualValues(t, 2, median([]float64{4, 1, 3, 1}))
	values := []float64{3, 1, 2}
	median(values)
	require.Equal(t, []float64{3, 1, 2}, values, "the order of the rounds is kept")

	rate := newRate([]sample{{ops: 10, elapsed: time.Second}, {ops: 30, elapsed: 2 * time.Second}, {ops: 1, elapsed: time.Second}})
	require.Equal(t, Rate{OpsPerSecond: 10, Rounds: []Round{{10, 1e6}, {30, 2e6}, {1, 1e6}}}, rate)
}

func TestSidesTakeTurnsAndFirstGoesAlternately(t *testing.T) {
	var order string
	side := func(name string) func(int) error {
		return func(int) error { order += name; return nil }
	}
	require.NoError(t, alternate(t.Context(), 4, side("a"), side("b")))
	require.Equal(t, "abbaabba", order)

	failure := errors.New("broken")
	require.ErrorIs(t, alternate(t.Context(), 4, side("a"), func(int) error { return failure }), failure)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, alternate(ctx, 4, side("a"), side("b")), context.Canceled)
}

func TestKeysAreDistinctAndOfTheirLength(t *testing.T) {
	k := keyspace{prefix: "hb", bytes: 20, n: 50_000}
	seen := map[string]bool{}
	key := k.template()
	for i := range k.n {
		k.put(key, i)
		seen[string(key)] = true
	}
	require.Len(t, seen, 50_000)
	for bit := range 32 {
		k.put(key, 1<<bit)
		seen[string(key)] = true
	}
	require.Len(t, seen, 50_000+16, "the numbers from 2^16 on are new ones")
	require.Len(t, key, 20)
	require.Equal(t, "hb0000000000", string(key[:12]))
}

func TestPickersRepeatFromTheirSeed(t *testing.T) {
	draw := func(seed uint64, goroutine int) (keys []string) {
		p := keyspace{bytes: 16, n: 1000}.picker(seed, goroutine)
		for range 50 {
			i, key := p.next()
			require.Less(t, i, uint32(1000))
			keys = append(keys, string(key))
		}
		return keys
	}
	require.Equal(t, draw(1, 2), draw(1, 2))
	require.NotEqual(t, draw(1, 2), draw(1, 3))
	require.NotEqual(t, draw(1, 2), draw(2, 2))
}
