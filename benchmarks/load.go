package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"
)

// operation does one thing once. Each goroutine has its own.
type operation func(ctx context.Context) error

// load says how to call an operation: from how many goroutines, and until when.
type load struct {
	goroutines int
	window     time.Duration // how long, but at least one operation each; zero: until ops are done
	ops        int64         // how many in all; without effect when there is a window
	latency    bool          // measure each; costs two looks at the clock
}

// sample is what one load came to.
type sample struct {
	ops     int64 // that succeeded
	elapsed time.Duration
	latency *hdrhistogram.Histogram // microseconds; nil unless asked for
}

// errNothingDone is returned for a load that asks for nothing.
var errNothingDone = errors.New("not one operation was done")

// run calls the operations that newOperation makes, one for each goroutine. It
// returns when all goroutines have, with an error when an operation failed or
// ctx is done; then there is no sample.
func (l load) run(ctx context.Context, newOperation func(goroutine int) operation) (sample, error) {
	operations := make([]operation, l.goroutines)
	for g := range operations {
		operations[g] = newOperation(g)
	}
	var stop atomic.Bool
	group, groupCtx := errgroup.WithContext(ctx)
	defer context.AfterFunc(groupCtx, func() { stop.Store(true) })()
	done := make([]sample, l.goroutines)
	start := time.Now()
	if l.window > 0 {
		defer time.AfterFunc(l.window, func() { stop.Store(true) }).Stop()
	}
	for g, op := range operations {
		group.Go(func() (err error) {
			done[g], err = l.repeat(groupCtx, op, l.share(g), &stop)
			return err
		})
	}
	err := group.Wait()
	elapsed := time.Since(start)
	if ctx.Err() != nil {
		return sample{}, fmt.Errorf("the measurement was ended early: %w", context.Cause(ctx))
	}
	if err != nil {
		return sample{}, err
	}
	return total(done, elapsed)
}

// share is how many of the ops goroutine g does; without end in a window.
func (l load) share(g int) int64 {
	if l.window > 0 {
		return 1<<63 - 1
	}
	n, rest := l.ops/int64(l.goroutines), l.ops%int64(l.goroutines)
	if int64(g) < rest {
		n++
	}
	return n
}

// repeat is one goroutine of a load. On a machine so busy that the time is up
// before the goroutine runs, it does one operation, and the sample takes longer.
func (l load) repeat(ctx context.Context, op operation, share int64, stop *atomic.Bool) (s sample, err error) {
	if l.latency {
		s.latency = newHistogram()
	}
	for s.ops < share && (s.ops == 0 || !stop.Load()) {
		var start time.Time
		if l.latency {
			start = time.Now()
		}
		if err := op(ctx); err != nil {
			return s, err
		}
		if l.latency {
			record(s.latency, time.Since(start))
		}
		s.ops++
	}
	return s, nil
}

func total(parts []sample, elapsed time.Duration) (sample, error) {
	sum := sample{elapsed: elapsed}
	for _, part := range parts {
		sum.ops += part.ops
		if part.latency == nil {
			continue
		}
		if sum.latency == nil {
			sum.latency = newHistogram()
		}
		sum.latency.Merge(part.latency) // the same bounds: nothing is dropped
	}
	if sum.ops == 0 {
		return sample{}, errNothingDone
	}
	return sum, nil
}

// perSecond is the throughput of the sample.
func (s sample) perSecond() float64 { return float64(s.ops) / s.elapsed.Seconds() }
