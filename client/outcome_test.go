package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

var ctx = context.Background()

// What the server replied decides, for each of the 256 statuses there can be.
func TestStatusDecidesTheOutcome(t *testing.T) {
	var status wire.Status
	s := newFake(t, func(fc *fakeConn, _ int) {
		for {
			r, ok := fc.next()
			if !ok || fc.reply(wire.Reply{ID: r.ID, Op: r.Op, Status: status, Message: "why"}) != nil {
				return
			}
		}
	})
	c := s.client(Options{})
	for n := 1; n < 256; n++ {
		status = wire.Status(n)
		want := Unknown
		if status.Outcome() == wire.OutcomeFailed {
			want = Failed
		}
		err := c.Set(ctx, []byte("k"), []byte("v"))
		requireOutcome(t, want, err)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, Error{Op: "Set", Addr: "fake:1", Outcome: want, Status: status, Err: e.Err}, *e)
		require.ErrorContains(t, err, "why")

		_, err = c.Get(ctx, []byte("k"))
		requireOutcome(t, Failed, err) // a read changes nothing
	}
	require.Equal(t, 1, s.connCount(), "a refusal is no reason to connect again")
}

func TestStatusErrorsHaveNames(t *testing.T) {
	named := map[wire.Status]error{
		wire.StatusNotFound: ErrNotFound, wire.StatusEmptyKey: ErrEmptyKey, wire.StatusKeyTooLarge: ErrKeyTooLarge,
		wire.StatusValueTooLarge: ErrValueTooLarge, wire.StatusBatchTooLarge: ErrBatchTooLarge,
		wire.StatusFrameTooLarge: ErrFrameTooLarge, wire.StatusScanExpired: ErrScanExpired,
		wire.StatusTooManyConnections: ErrTooManyConnections, wire.StatusShuttingDown: ErrShuttingDown,
		wire.StatusBusy: ErrBusy, wire.StatusDiskFull: ErrDiskFull, wire.StatusFenced: ErrFenced,
		wire.StatusDamaged: ErrDamaged, wire.StatusReadFailed: ErrReadFailed,
	}
	for n := 1; n < 256; n++ {
		err := newError(wire.OpGet, "a:1", Failed, fmt.Errorf("outer: %w", &wire.Error{Status: wire.Status(n)}))
		for status, name := range named {
			require.Equal(t, status == wire.Status(n), errors.Is(err, name), "status %d, %v", n, name)
		}
	}
}

func TestErrorMessagesSayOperationAddressAndCause(t *testing.T) {
	cause := fmt.Errorf("%w: reading: %w", ErrConnLost, io.EOF)
	require.EqualError(t, newError(wire.OpSet, "h:1", Unknown, cause), "Set at h:1: outcome unknown: connection lost: reading: EOF")
	require.EqualError(t, newError(wire.OpBulkSet, "h:1", Failed, ErrClosed), "BulkSet at h:1: client is closed")
	require.ErrorIs(t, newError(wire.OpSet, "h:1", Unknown, cause), io.EOF)
	require.ErrorIs(t, ErrTimeout, context.DeadlineExceeded)
	require.NotErrorIs(t, ErrConnLost, context.DeadlineExceeded)
	require.Equal(t, OK, OutcomeOf(nil))
	require.Equal(t, Unknown, OutcomeOf(io.EOF), "nothing is known about a stranger's error")
	require.Equal(t, "ok failed unknown", fmt.Sprint(OK, Failed, Unknown))
}

// The connection dies in one way or another after the request has left: unknown, and not sent again.
func TestWriteOnADyingConnectionIsUnknownAndSentOnce(t *testing.T) {
	deaths := map[string]struct {
		script func(fc *fakeConn, r wire.Request)
		want   error
	}{
		"closed before the reply": {func(*fakeConn, wire.Request) {}, ErrConnLost},
		"closed within the reply": {func(fc *fakeConn, r wire.Request) {
			frame := wire.AppendReply(nil, &wire.Reply{ID: r.ID, Op: r.Op})
			_, _ = fc.Write(frame[:len(frame)-1])
		}, ErrConnLost},
		"garbage": {func(fc *fakeConn, _ wire.Request) {
			_, _ = io.WriteString(fc, "\x00\x00\x00\x1dHTTP/1.1 400 Bad Request\r\n\r\n\r\n")
		}, ErrProtocol},
		"garbage with a huge length": {func(fc *fakeConn, _ wire.Request) {
			_, _ = io.WriteString(fc, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}, ErrProtocol},
		"frame over the limit": {func(fc *fakeConn, _ wire.Request) {
			_, _ = fc.Write([]byte{0xff, 0xff, 0xff, 0xff})
		}, ErrFrameTooLarge},
		"frame shorter than a header": {func(fc *fakeConn, _ wire.Request) {
			_, _ = fc.Write([]byte{0, 0, 0, 1, 1})
		}, ErrProtocol},
		"another version": {func(fc *fakeConn, r wire.Request) {
			frame := wire.AppendReply(nil, &wire.Reply{ID: r.ID, Op: r.Op})
			frame[wire.LengthBytes] = 2
			_, _ = fc.Write(frame)
		}, ErrProtocol},
		"reply to what was never asked": {func(fc *fakeConn, r wire.Request) {
			_ = fc.reply(wire.Reply{ID: r.ID + 1, Op: r.Op})
		}, ErrProtocol},
		"reply with a body it must not have": {func(fc *fakeConn, r wire.Request) {
			_ = fc.reply(wire.Reply{ID: r.ID, Op: wire.OpGet, Value: []byte("x")})
		}, ErrProtocol},
		"word that the connection is at fault": {func(fc *fakeConn, _ wire.Request) {
			_ = fc.reply(refuseWith(0, wire.StatusMalformed, "what is this"))
		}, ErrProtocol},
		"garbled word about the connection": {func(fc *fakeConn, _ wire.Request) {
			_ = fc.reply(wire.Reply{ID: 0, Op: wire.OpSet})
		}, ErrProtocol},
		"goodbye for a reason that promises nothing": {func(fc *fakeConn, _ wire.Request) {
			_ = fc.reply(refuseWith(0, wire.StatusInternal, "panic"))
		}, ErrConnLost},
	}
	for name, death := range deaths {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake(t, func(fc *fakeConn, n int) {
					if n > 1 {
						fc.echo()
						return
					}
					if r, ok := fc.next(); ok {
						death.script(fc, r)
					}
				})
				c := s.client(Options{})
				err := c.Set(ctx, []byte("k"), []byte("once"))
				requireOutcome(t, Unknown, err)
				require.ErrorIs(t, err, death.want)

				require.NoError(t, c.Set(ctx, []byte("k"), []byte("next")), "the client goes on")
				require.Equal(t, 1, s.count("once"))
				require.Equal(t, 1, s.count("next"))
			})
		})
	}
}

func TestWriteOnAConnectionThatNobodyReadsIsUnknown(t *testing.T) {
	s := newFake(t, func(fc *fakeConn, n int) {
		if n > 1 {
			fc.echo()
			return
		}
		_, _ = fc.r.Peek(1) // the client is writing, and then the server is gone
	})
	c := s.client(Options{})
	requireOutcome(t, Unknown, c.Set(ctx, []byte("k"), []byte("v")))
	require.Equal(t, 0, s.count("v"), "not sent again")
}

// When the server says goodbye it has answered all that it had begun: what it has not answered is
// not applied. Reads go on over the next connection; a write that was sent is left to its caller.
func TestGoodbyeMeansNotApplied(t *testing.T) {
	for status, retried := range map[wire.Status]bool{
		wire.StatusTooManyConnections: true, wire.StatusShuttingDown: true, wire.StatusBusy: true,
		wire.StatusFrameTooLarge: true, wire.StatusUnsupportedVersion: false,
	} {
		t.Run(status.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake(t, func(fc *fakeConn, n int) {
					if n > 1 {
						fc.echo()
						return
					}
					first, _ := fc.next()
					_, _ = fc.next()
					_, _ = fc.next()
					_ = fc.reply(answerTo(first))
					_ = fc.reply(refuseWith(0, status, "goodbye"))
				})
				c := s.client(Options{})
				answered := goSet(c, ctx, "answered")
				synctest.Wait()
				unanswered := goSet(c, ctx, "unanswered")
				synctest.Wait()
				_, readErr := c.Get(ctx, []byte("k"))

				require.NoError(t, <-answered)
				err := <-unanswered
				requireOutcome(t, Failed, err)
				require.ErrorIs(t, err, &wire.Error{Status: status})
				require.ErrorContains(t, err, "goodbye")
				require.Equal(t, 1, s.count("unanswered"), "not sent again")
				require.Equal(t, retried, readErr == nil, "%v", readErr)
			})
		})
	}
}

func TestDeadlineBeforeSendingIsFailedAndNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resume := make(chan struct{})
		s := newFake(t, func(fc *fakeConn, _ int) {
			_, _ = fc.r.Peek(1) // the writer is in the middle of the first frame
			<-resume
			fc.echo()
		})
		c := s.client(Options{Timeout: time.Hour, StallTimeout: time.Hour})
		first := goSet(c, ctx, bigValue('a'))
		synctest.Wait()

		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		queued := goSet(c, short, "late")
		canceled, stop := context.WithCancelCause(ctx)
		unwanted := goSet(c, canceled, "unwanted")
		synctest.Wait()
		kept := goSet(c, ctx, "kept")
		synctest.Wait()
		stop(errors.New("changed my mind"))

		err := <-queued
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, ErrTimeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		err = <-unwanted
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "changed my mind")

		close(resume)
		require.NoError(t, <-first)
		require.NoError(t, <-kept)
		require.Equal(t, []int{1, 0, 0, 1}, []int{
			s.count(bigValue('a')), s.count("late"), s.count("unwanted"), s.count("kept")})
	})
}

func TestDeadlineAfterSendingIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t, func(fc *fakeConn, _ int) { fc.drop() })
		c := s.client(Options{Timeout: 3 * time.Second})

		begin := time.Now()
		err := c.Set(ctx, []byte("k"), []byte("v"))
		requireOutcome(t, Unknown, err)
		require.ErrorIs(t, err, ErrTimeout)
		require.Equal(t, 3*time.Second, time.Since(begin), "Options.Timeout")

		begin = time.Now()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = c.Delete(short, []byte("k"))
		requireOutcome(t, Unknown, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin), "the context's deadline is earlier")

		_, err = c.Get(ctx, []byte("k"))
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, ErrTimeout)
	})
}

func TestContextDoneAtTheStartSendsNothing(t *testing.T) {
	s := newFake(t, func(fc *fakeConn, _ int) { fc.echo() })
	c := s.client(Options{})
	done, cancel := context.WithCancel(ctx)
	cancel()
	check := func() {
		err := c.Set(done, []byte("k"), []byte("v"))
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, context.Canceled)
	}
	check()
	require.Equal(t, 0, s.connCount())
	require.NoError(t, c.Set(ctx, []byte("k"), []byte("connected")))
	for range 1000 {
		check()
	}
	require.Equal(t, 0, s.count("v"))
}

// Late replies come while other calls wait: each of those must get its own.
func TestLateReplyIsNobodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var held []wire.Request
		s := newFake(t, func(fc *fakeConn, _ int) {
			for {
				r, ok := fc.next()
				if !ok {
					return
				}
				if string(r.Key) == "slow" {
					held = append(held, r)
					continue
				}
				for _, h := range held {
					_ = fc.reply(answerTo(h))
				}
				_ = fc.reply(answerTo(r))
			}
		})
		c := s.client(Options{Timeout: time.Second})
		for range 3 {
			_, err := c.Get(ctx, []byte("slow"))
			require.ErrorIs(t, err, ErrTimeout)
		}
		value, err := c.Get(ctx, []byte("quick"))
		require.NoError(t, err)
		require.Equal(t, "quick", string(value))
		require.Len(t, held, 3)
		require.Equal(t, 1, s.connCount())
	})
}

func TestCloseTellsPendingCallsTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		s := newFake(t, func(fc *fakeConn, _ int) {
			_, _ = fc.next()
			_, _ = fc.r.Peek(1)
			<-over
		})
		c := s.client(Options{Timeout: time.Hour, StallTimeout: time.Hour})
		sent := goSet(c, ctx, "sent")
		synctest.Wait()
		stuck := goSet(c, ctx, bigValue('b'))
		synctest.Wait()
		queued := goSet(c, ctx, "queued")
		read := make(chan error, 1)
		go func() { _, err := c.Get(ctx, []byte("k")); read <- err }()
		synctest.Wait()

		require.NoError(t, c.Close())
		for want, ch := range map[Outcome][]chan error{Unknown: {sent, stuck}, Failed: {queued, read}} {
			for _, done := range ch {
				err := <-done
				requireOutcome(t, want, err)
				require.ErrorIs(t, err, ErrClosed)
			}
		}
		err := c.Set(ctx, []byte("k"), []byte("v"))
		requireOutcome(t, Failed, err)
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, c.Close(), "again")
		close(over)
	})
}

// goSet sets a key in the background.
func goSet(c *Client, ctx context.Context, value string) chan error {
	done := make(chan error, 1)
	go func() { done <- c.Set(ctx, []byte("k"), []byte(value)) }()
	return done
}

// bigValue does not fit any buffer between the client's writer and a server that reads the first
// byte only.
func bigValue(fill byte) string {
	value := make([]byte, 2*blockBytes)
	for i := range value {
		value[i] = fill
	}
	return string(value)
}
