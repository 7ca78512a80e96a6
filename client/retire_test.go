package client

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

// A server that reads and never answers: whoever gives up makes room for a new connection, and
// whoever is patient still gets the answer over the old one.
func TestSilentConnectionIsRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		var first *fakeConn
		s := newFake(t, func(fc *fakeConn, n int) {
			if n > 1 {
				fc.echo()
				return
			}
			first = fc
			r, _ := fc.next()
			go func() {
				<-answer
				_ = fc.reply(answerTo(r))
			}()
			fc.drop()
		})
		c := s.client(Options{Timeout: time.Hour, StallTimeout: 10 * time.Second})
		patient := goSet(c, ctx, "patient")
		synctest.Wait()
		for range 3 { // 4, 8 and 12 seconds of silence: only the last is too long
			hurried, cancel := context.WithTimeout(ctx, 4*time.Second)
			requireOutcome(t, Unknown, c.Set(hurried, []byte("k"), []byte("hurried")))
			cancel()
		}
		require.NoError(t, c.Set(ctx, []byte("k"), []byte("new")))
		require.Equal(t, 2, s.connCount())

		close(answer)
		require.NoError(t, <-patient)
		synctest.Wait()
		_, err := first.Write([]byte{0})
		require.Error(t, err, "the old connection ends with its last call")
		require.NoError(t, c.Set(ctx, []byte("k"), []byte("newer")))
		require.Equal(t, 2, s.connCount())
	})
}

// Silence counts from the first request since the last reply, not from the beginning of the world.
func TestConnectionThatAnswersNowAndThenIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(fc *fakeConn, _ int) {
			for {
				r, ok := fc.next()
				if !ok {
					return
				}
				if string(r.Value) != "ignored" {
					_ = fc.reply(answerTo(r))
				}
			}
		})
		c := s.client(Options{Timeout: time.Second, StallTimeout: 10 * time.Second})
		for range 5 {
			require.NoError(t, c.Set(ctx, []byte("k"), []byte("v")))
			time.Sleep(time.Minute)
			require.ErrorIs(t, c.Set(ctx, []byte("k"), []byte("ignored")), ErrTimeout)
		}
		require.Equal(t, 1, s.connCount())
	})
}

// deafConn refuses to be written to after the first time, while it can still be read, as a socket
// does whose other side is closed.
type deafConn struct {
	net.Conn
	writes int
}

var errDeaf = errors.New("broken pipe")

func (c *deafConn) Write(p []byte) (int, error) {
	if c.writes++; c.writes > 1 {
		return 0, errDeaf
	}
	return c.Conn.Write(p)
}

// The server answers what it has and says goodbye, and closes; the client finds out by a write that
// fails. What the server said still counts.
func TestLastWordsAreHeardAfterAFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		speak := make(chan struct{})
		s := newFake(t, func(fc *fakeConn, n int) {
			if n > 1 {
				fc.echo()
				return
			}
			r, _ := fc.next()
			<-speak
			_ = fc.reply(answerTo(r))
			_ = fc.reply(refuseWith(0, wire.StatusShuttingDown, ""))
		})
		s.wrap = func(nc net.Conn) net.Conn { return &deafConn{Conn: nc} }
		c := s.client(Options{})
		first := goSet(c, ctx, "first")
		synctest.Wait()
		second := goSet(c, ctx, "second")
		synctest.Wait()
		require.NoError(t, c.Set(ctx, []byte("k"), []byte("third")), "new calls go elsewhere at once")

		close(speak)
		require.NoError(t, <-first)
		err := <-second
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, ErrShuttingDown)
	})
}

// If the server says nothing more, the wait for its last words is short.
func TestFailedWriteWithoutLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(fc *fakeConn, _ int) { fc.drop() })
		s.wrap = func(nc net.Conn) net.Conn { return &deafConn{Conn: nc} }
		c := s.client(Options{Timeout: time.Hour})
		for range 2 {
			begin := time.Now()
			first := goSet(c, ctx, "first")
			synctest.Wait()
			for _, done := range []chan error{goSet(c, ctx, "second"), first} {
				err := <-done
				requireOutcome(t, Unknown, err)
				require.ErrorIs(t, err, errDeaf)
			}
			require.Equal(t, lastWordsTimeout, time.Since(begin))
		}

		first := goSet(c, ctx, "first")
		synctest.Wait()
		second := goSet(c, ctx, "second")
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, c.Close())
		require.ErrorIs(t, <-first, ErrClosed)
		require.ErrorIs(t, <-second, ErrClosed)
		require.Zero(t, time.Since(begin), "a client that is closed does not wait for them")
	})
}

// However silent the server: beside the connection in use there is at most one that still waits for
// its last calls. It keeps scans from going on, and ends with the client.
func TestRetiredConnectionsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(fc *fakeConn, n int) {
			if n == 1 { // one page of a scan, then silence
				r, _ := fc.next()
				_ = fc.reply(wire.Reply{ID: r.ID, Op: r.Op, Cursor: 1, Pairs: []wire.Pair{{Key: []byte("a")}}})
			}
			fc.drop()
		})
		c := s.client(Options{Timeout: time.Hour, StallTimeout: time.Second})
		timeOut := func() {
			short, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			require.ErrorIs(t, c.Set(short, []byte("k"), []byte("v")), ErrTimeout)
		}
		var patient []chan error
		var scanErr error
		for _, err := range c.Keys(ctx, ScanOptions{}) {
			if scanErr = err; err != nil {
				break
			}
			for range 5 {
				patient = append(patient, goSet(c, ctx, "patient"))
				synctest.Wait()
				timeOut()
			}
		}
		require.ErrorIs(t, scanErr, ErrConnLost)
		require.ErrorContains(t, scanErr, "stalled")
		require.Equal(t, 2, s.connCount())

		s.conns[0].Close() // the retired one; now the other may be retired in its turn
		requireOutcome(t, Unknown, <-patient[0])
		timeOut()
		timeOut()
		require.Equal(t, 3, s.connCount())

		require.NoError(t, c.Close())
		for _, done := range patient[1:] {
			err := <-done
			requireOutcome(t, Unknown, err)
			require.ErrorIs(t, err, ErrClosed)
		}
	})
}
