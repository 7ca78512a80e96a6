package client

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

func TestNewRefusesNonsense(t *testing.T) {
	for name, o := range map[string]Options{
		"negative timeout": {Timeout: -1},
		"negative frames":  {MaxFrameBytes: -1},
		"negative conns":   {Conns: -1},
		"backoff reversed": {MinBackoff: time.Second, MaxBackoff: time.Millisecond},
	} {
		_, err := New("127.0.0.1:1", &o)
		require.ErrorContains(t, err, "option", name)
	}
	_, err := New("nowhere", nil)
	require.ErrorContains(t, err, "server address")
	c, err := New("127.0.0.1:1", nil)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// A loopback port that nobody listens on: the real refusal of a real network.
func TestNobodyListensIsFailedAndSaysSo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())

	c, err := New(addr, &Options{Timeout: 60 * time.Millisecond})
	require.NoError(t, err)
	defer c.Close()
	err = c.Set(ctx, []byte("k"), []byte("v"))
	requireOutcome(t, Failed, err)
	require.ErrorIs(t, err, ErrConnect)
	require.ErrorIs(t, err, ErrTimeout)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorContains(t, err, addr)
}

func TestConnectTimeoutEndsTheWaitEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, nil)
		s.refuse = func(int) error { return errors.New("refused") }
		c := s.client(Options{Timeout: time.Minute, ConnectTimeout: time.Second})
		begin := time.Now()
		_, err := c.Get(ctx, []byte("k"))
		require.ErrorIs(t, err, ErrConnect)
		require.ErrorContains(t, err, "refused")
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// Everybody who waits shares the attempts, which come further and further apart, and stop when
// nobody waits any longer.
func TestConnectingIsTriedAgainWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const refusals = 20
		s := newFake(t, func(fc *fakeConn, _ int) { fc.echo() })
		s.refuse = func(n int) error {
			if n <= refusals {
				return errors.New("refused")
			}
			return nil
		}
		c := s.client(Options{Timeout: time.Hour, MinBackoff: 100 * time.Millisecond, MaxBackoff: 10 * time.Second})
		impatient, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		waiting := []chan error{goSet(c, ctx, "one"), goSet(c, ctx, "two")}
		early := goSet(c, impatient, "three")
		requireOutcome(t, Failed, <-early)
		for _, done := range waiting {
			require.NoError(t, <-done)
		}
		require.Equal(t, []int{1, 1, 0}, []int{s.count("one"), s.count("two"), s.count("three")})
		require.Len(t, s.dials, refusals+1)
		requireBackoff(t, s.dials, 100*time.Millisecond, 10*time.Second)
	})
}

// requireBackoff checks that pauses double from the first to the longest, give or take half.
func requireBackoff(t *testing.T, dials []time.Time, first, longest time.Duration) {
	t.Helper()
	exact, want := 0, first
	for i := 1; i < len(dials); i++ {
		got := dials[i].Sub(dials[i-1])
		require.InDelta(t, want.Seconds(), got.Seconds(), want.Seconds()/2+0.001, "pause %d", i)
		if got == want {
			exact++
		}
		want = min(2*want, longest)
	}
	require.Less(t, exact, len(dials)/2, "pauses vary")
}

func TestConnectingStopsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(fc *fakeConn, _ int) { fc.echo() })
		s.refuse = func(int) error { return errors.New("refused") }
		c := s.client(Options{Timeout: 5 * time.Second, MinBackoff: time.Second})
		require.ErrorIs(t, c.Set(ctx, []byte("k"), []byte("v")), ErrConnect)
		dials := len(s.dials)
		time.Sleep(time.Hour) // of the bubble
		require.Len(t, s.dials, dials)
		s.refuse = nil
		require.NoError(t, c.Set(ctx, []byte("k"), []byte("v")), "the next call starts anew")
	})
}

// A dial that hangs does not outlive its time, and a call that gives up during it is not held up.
func TestHangingDialIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		c, err := New("fake:1", &Options{
			Timeout: 10 * time.Second, DialTimeout: 3 * time.Second, MinBackoff: time.Millisecond,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				dials++
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		require.NoError(t, err)
		defer c.Close()
		begin := time.Now()
		require.ErrorIs(t, c.Set(ctx, []byte("k"), []byte("v")), ErrConnect)
		require.Equal(t, 10*time.Second, time.Since(begin))
		require.Equal(t, 4, dials)
	})
}

// A server that drops every connection it has taken is not run down.
func TestConnectionsDroppedAtOnceArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(*fakeConn, int) {})
		c := s.client(Options{Timeout: 30 * time.Second, MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Second})
		_, err := c.Get(ctx, []byte("k"))
		require.ErrorIs(t, err, ErrTimeout)
		require.ErrorIs(t, err, ErrConnLost, "and why there was no connection")
		require.GreaterOrEqual(t, len(s.dials), 20, "a read goes on trying")
		require.LessOrEqual(t, len(s.dials), 70)
		requireBackoff(t, s.dials, 100*time.Millisecond, time.Second)
	})
}

// A connection that has been of use is replaced at once when it breaks, and reads do not notice.
func TestReadIsSentAgainOnANewConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(fc *fakeConn, _ int) {
			if r, ok := fc.next(); ok {
				_ = fc.reply(answerTo(r))
			}
			_, _ = fc.next()
		})
		c := s.client(Options{})
		begin := time.Now()
		for n := range 10 {
			value, err := c.Get(ctx, []byte{byte(n)})
			require.NoError(t, err)
			require.Equal(t, []byte{byte(n)}, value)
		}
		require.Zero(t, time.Since(begin))
		require.Equal(t, 10, s.connCount())
		require.Len(t, c.slots[0].conns, 1, "those that have ended are forgotten")
	})
}

// What was still in the outbox of a connection that broke goes over the next, writes too: no byte of
// it has been near a socket.
func TestUnsentRequestsGoOverTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breakdown := make(chan struct{})
		s := newFake(t, func(fc *fakeConn, n int) {
			if n > 1 {
				fc.echo()
				return
			}
			_, _ = fc.r.Peek(1)
			<-breakdown
		})
		c := s.client(Options{})
		stuck := goSet(c, ctx, bigValue('x'))
		synctest.Wait()
		queued := goSet(c, ctx, "queued")
		synctest.Wait()
		close(breakdown)
		requireOutcome(t, Unknown, <-stuck)
		require.NoError(t, <-queued)
		require.Equal(t, 1, s.count("queued"))
		require.Equal(t, 0, s.count(bigValue('x')))
	})
}

// Once a connection has been of use, a server that goes away is looked for from the shortest pause on.
func TestBackoffStartsOverAfterAUsefulConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(fc *fakeConn, _ int) {
			r, _ := fc.next()
			_ = fc.reply(answerTo(r))
			_, _ = fc.next()
		})
		s.refuse = func(n int) error {
			if n%10 != 0 {
				return errors.New("refused")
			}
			return nil
		}
		c := s.client(Options{Timeout: time.Hour, MinBackoff: 100 * time.Millisecond, MaxBackoff: 10 * time.Second})
		for range 2 {
			_, err := c.Get(ctx, []byte("k"))
			require.NoError(t, err)
		}
		require.Len(t, s.dials, 20)
		requireBackoff(t, s.dials[:10], 100*time.Millisecond, 10*time.Second)
		requireBackoff(t, s.dials[10:], 100*time.Millisecond, 10*time.Second)
	})
}

// lateDial is a Dial that heeds no context and takes its time. It counts the connections that it
// made and that are still open.
type lateDial struct {
	takes time.Duration
	open  int
}

func (d *lateDial) dial(context.Context, string, string) (net.Conn, error) {
	time.Sleep(d.takes)
	near, far := net.Pipe()
	d.open++
	go func() {
		_, _ = far.Read(make([]byte, 1)) // until the other side is closed
		d.open--
	}()
	return near, nil
}

// A connection that arrives when nobody waits for it any more is closed, not kept.
func TestConnectionThatComesTooLateIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lateDial{takes: 10 * time.Second}
		c, err := New("fake:1", &Options{Timeout: time.Second, Dial: d.dial})
		require.NoError(t, err)
		require.ErrorIs(t, c.Set(ctx, []byte("k"), []byte("v")), ErrConnect)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Zero(t, d.open)
		require.Nil(t, c.slots[0].current.Load())
		require.NoError(t, c.Close())
	})
}

// Close waits for what it cannot hurry, so that nothing of the client is left when it returns.
func TestCloseWaitsForADialUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lateDial{takes: 10 * time.Second}
		c, err := New("fake:1", &Options{Timeout: time.Hour, Dial: d.dial})
		require.NoError(t, err)
		waiting := goSet(c, ctx, "v")
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, c.Close())
		require.Equal(t, 10*time.Second, time.Since(begin))
		require.ErrorIs(t, <-waiting, ErrClosed)
		synctest.Wait()
		require.Zero(t, d.open)
	})
}

// A client closed while it connects takes nobody's time.
func TestCloseWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, nil)
		s.refuse = func(int) error { return errors.New("refused") }
		c := s.client(Options{Timeout: time.Hour, MinBackoff: time.Minute, MaxBackoff: time.Minute})
		waiting := goSet(c, ctx, "v")
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, c.Close())
		err := <-waiting
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, ErrClosed)
		require.Zero(t, time.Since(begin))
	})
}

func TestConnsAreTakenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(fc *fakeConn, n int) {
			for {
				r, ok := fc.next()
				if !ok {
					return
				}
				_ = fc.reply(wire.Reply{ID: r.ID, Op: r.Op, Value: []byte{byte(n)}})
			}
		})
		c := s.client(Options{Conns: 3})
		uses := map[byte]int{}
		for range 30 {
			value, err := c.Get(ctx, []byte("k"))
			require.NoError(t, err)
			uses[value[0]]++
		}
		require.Equal(t, map[byte]int{1: 10, 2: 10, 3: 10}, uses)
	})
}
