package client

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

func TestOperationsCarryTheirArgumentsAndReplies(t *testing.T) {
	var got []wire.Request
	s := newFake(t, func(fc *fakeConn, _ int) {
		for {
			r, ok := fc.next()
			if !ok {
				return
			}
			got = append(got, r)
			_ = fc.reply(wire.Reply{ID: r.ID, Op: r.Op, Value: []byte("value"), Exists: r.Key[0] == 'y'})
		}
	})
	c := s.client(Options{})
	require.NoError(t, c.Set(ctx, []byte("a"), []byte("1")))
	value, err := c.Get(ctx, []byte("b"))
	require.NoError(t, err)
	require.Equal(t, "value", string(value))
	for key, want := range map[string]bool{"y": true, "n": false} {
		existed, err := c.Delete(ctx, []byte(key))
		require.NoError(t, err)
		require.Equal(t, want, existed)
		exists, err := c.Exists(ctx, []byte(key))
		require.NoError(t, err)
		require.Equal(t, want, exists)
	}
	require.Equal(t, wire.Request{ID: 1, Op: wire.OpSet, Key: []byte("a"), Value: []byte("1")}, got[0])
	require.Equal(t, wire.Request{ID: 2, Op: wire.OpGet, Key: []byte("b")}, got[1])
}

func TestBulkSetIsOneRequest(t *testing.T) {
	var got []wire.Request
	s := newFake(t, func(fc *fakeConn, _ int) {
		for {
			r, ok := fc.next()
			if !ok {
				return
			}
			got = append(got, r)
			_ = fc.reply(wire.Reply{ID: r.ID, Op: r.Op})
		}
	})
	c := s.client(Options{})
	pairs := []Pair{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Value: []byte{}}}
	require.NoError(t, c.BulkSet(ctx, pairs))
	require.Equal(t, []wire.Request{{ID: 1, Op: wire.OpBulkSet, Pairs: pairs}}, got)
	require.NoError(t, c.BulkSet(ctx, nil))
	require.Len(t, got, 1, "nothing to do, nothing sent")
}

// What the server would refuse is refused before it is sent, and named the same way.
func TestInvalidRequestsAreNotSent(t *testing.T) {
	s := newFake(t, func(fc *fakeConn, _ int) { fc.echo() })
	c := s.client(Options{MaxFrameBytes: 1 << 20})
	long := bytes.Repeat([]byte("k"), wire.MaxKeyBytes+1)
	key := []byte("k")
	first := func(o ScanOptions) error {
		for _, err := range c.Scan(ctx, o) {
			return err
		}
		return nil
	}
	errOf := func(_ any, err error) error { return err }
	for name, tt := range map[string]struct{ err, want error }{
		"set without key":      {c.Set(ctx, nil, nil), ErrEmptyKey},
		"get without key":      {errOf(c.Get(ctx, nil)), ErrEmptyKey},
		"delete without key":   {errOf(c.Delete(ctx, []byte{})), ErrEmptyKey},
		"exists with long key": {errOf(c.Exists(ctx, long)), ErrKeyTooLarge},
		"set with long key":    {c.Set(ctx, long, nil), ErrKeyTooLarge},
		"bulk, second empty":   {c.BulkSet(ctx, []Pair{{Key: key}, {}}), ErrEmptyKey},
		"long prefix":          {first(ScanOptions{Prefix: long}), ErrKeyTooLarge},
		"long start":           {first(ScanOptions{Start: long}), ErrKeyTooLarge},
		"long end":             {first(ScanOptions{End: long}), ErrKeyTooLarge},
		"set over the frame":   {c.Set(ctx, key, make([]byte, 1<<20)), ErrFrameTooLarge},
		"bulk over the frame": {c.BulkSet(ctx, []Pair{{Key: key, Value: make([]byte, 1<<19)},
			{Key: key, Value: make([]byte, 1<<19)}}), ErrFrameTooLarge},
	} {
		require.ErrorIs(t, tt.err, tt.want, name)
		requireOutcome(t, Failed, tt.err)
	}
	require.Equal(t, 0, s.connCount())

	largest := make([]byte, 1<<20-wire.HeaderBytes-4-len(key)-4)
	require.NoError(t, c.Set(ctx, key, largest))
	require.NoError(t, c.Set(ctx, long[:wire.MaxKeyBytes], nil))
}

func TestRepliesMayComeInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		s := newFake(t, func(fc *fakeConn, _ int) {
			var all []wire.Request
			for len(all) < n {
				r, ok := fc.next()
				if !ok {
					return
				}
				all = append(all, r)
			}
			for i := range all {
				_ = fc.reply(answerTo(all[n-1-i]))
			}
			fc.drop()
		})
		c := s.client(Options{})
		errs := make(chan error, n)
		for i := range n {
			go func() {
				key := fmt.Sprint("key", i)
				value, err := c.Get(ctx, []byte(key))
				if err == nil && string(value) != key {
					err = fmt.Errorf("asked for %s, got %s", key, value)
				}
				errs <- err
			}()
		}
		for range n {
			require.NoError(t, <-errs)
		}
	})
}

// Requests that gather while a write is under way leave together in the next.
func TestWaitingRequestsShareAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := make(chan struct{})
		chunks := make(chan int, 100)
		s := newFake(t, func(fc *fakeConn, _ int) {
			<-begin
			buf := make([]byte, 1<<20) // net.Pipe hands over one Write per Read, if it fits
			for {
				n, err := fc.Read(buf)
				if err != nil {
					return
				}
				chunks <- n
			}
		})
		c := s.client(Options{Timeout: time.Second})
		var calls []chan error
		for i := range 64 {
			calls = append(calls, goSet(c, ctx, "v"))
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		close(begin)
		for _, done := range calls {
			require.ErrorIs(t, <-done, ErrTimeout)
		}
		one := wire.LengthBytes + wire.HeaderBytes + 4 + len("k") + 4 + len("v")
		require.Equal(t, one, <-chunks)
		require.Equal(t, 63*one, <-chunks)
		require.Empty(t, chunks)
	})
}

// A server that takes nothing: the calls end in time, the memory for what waits is bounded, and the
// connection is given up.
func TestServerThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := make(chan struct{})
		defer close(stalled)
		s := newFake(t, func(fc *fakeConn, n int) {
			if n == 1 {
				_, _ = fc.r.Peek(1)
				<-stalled
				return
			}
			fc.echo()
		})
		c := s.client(Options{Timeout: 4 * time.Second, StallTimeout: 10 * time.Second})
		const frameBytes = 1 << 20
		value := strings.Repeat("v", frameBytes)
		begin := time.Now()
		var calls []chan error
		for range 16 {
			calls = append(calls, goSet(c, ctx, value))
		}
		synctest.Wait()
		cn := c.slots[0].current.Load()
		require.LessOrEqual(t, cn.outbox.bytes, queueBytes+frameBytes+100)
		require.GreaterOrEqual(t, cn.outbox.bytes, queueBytes)
		outcomes := map[Outcome]int{}
		for _, done := range calls {
			err := <-done
			require.ErrorIs(t, err, ErrTimeout)
			outcomes[OutcomeOf(err)]++
		}
		require.Equal(t, map[Outcome]int{Unknown: 1, Failed: 15}, outcomes)
		require.Equal(t, 4*time.Second, time.Since(begin))

		patient, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		c.opts.Timeout = time.Hour
		require.NoError(t, c.Set(patient, []byte("k"), []byte("after")), "over a second connection")
		require.Equal(t, 10*time.Second, time.Since(begin))
		require.Equal(t, 2, s.connCount())
		require.Zero(t, s.count(value))
	})
}

func TestCallersWaitForRoomAndGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resume := make(chan struct{})
		s := newFake(t, func(fc *fakeConn, _ int) {
			<-resume
			fc.echo()
		})
		c := s.client(Options{})
		var calls []chan error
		for range 32 {
			calls = append(calls, goSet(c, ctx, strings.Repeat("v", 1<<20)))
		}
		synctest.Wait()
		close(resume)
		for _, done := range calls {
			require.NoError(t, <-done)
		}
	})
}

func TestJSONHelpers(t *testing.T) {
	type thing struct {
		Name string
		Tags []string
		Size map[string]int
	}
	stored := map[string][]byte{}
	s := newFake(t, func(fc *fakeConn, _ int) {
		for {
			r, ok := fc.next()
			if !ok {
				return
			}
			if r.Op == wire.OpSet {
				stored[string(r.Key)] = r.Value
			}
			value, ok := stored[string(r.Key)]
			reply := wire.Reply{ID: r.ID, Op: r.Op, Value: value}
			if !ok {
				reply = refuseWith(r.ID, wire.StatusNotFound, "no such key")
			}
			_ = fc.reply(reply)
		}
	})
	c := s.client(Options{})
	in := thing{Name: "a", Tags: []string{"x", "y"}, Size: map[string]int{"m": 3}}
	require.NoError(t, c.SetJSON(ctx, []byte("thing"), in))
	out, err := GetAs[thing](ctx, c, []byte("thing"))
	require.NoError(t, err)
	require.Equal(t, in, out)

	number, err := GetAs[int](ctx, c, []byte("thing"))
	requireOutcome(t, Failed, err)
	require.ErrorContains(t, err, "decoding the value into *int")
	require.Zero(t, number)

	_, err = GetAs[thing](ctx, c, []byte("none"))
	require.ErrorIs(t, err, ErrNotFound)
	err = c.SetJSON(ctx, []byte("f"), func() {})
	requireOutcome(t, Failed, err)
	require.ErrorContains(t, err, "encoding the value")
}

// Values belong to the caller whatever their size: neither the next reply nor an append to one may
// change another.
func TestValuesBelongToTheCaller(t *testing.T) {
	s := newFake(t, func(fc *fakeConn, _ int) {
		for {
			r, ok := fc.next()
			if !ok {
				return
			}
			size := 10
			if r.Key[0] == 'L' {
				size = 3 * largeBytes
			}
			_ = fc.reply(wire.Reply{ID: r.ID, Op: r.Op, Value: bytes.Repeat(r.Key[1:], size)})
		}
	})
	c := s.client(Options{})
	var values [][]byte
	for _, key := range []string{"sa", "Lb", "sc", "Ld", "se"} {
		value, err := c.Get(ctx, []byte(key))
		require.NoError(t, err)
		values = append(values, value)
	}
	for i, want := range "abcde" {
		require.Equal(t, strings.Repeat(string(want), len(values[i])), string(values[i]))
	}
}
