package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever parses must encode to the very bytes it came from, whatever does not must be answered
// with a status, and neither may cost more memory than the payload warrants.

func FuzzParseRequest(f *testing.F) {
	for _, frame := range readGolden(f, "requests") {
		f.Add(frame[LengthBytes:])
	}
	f.Add([]byte{})
	f.Add(raw(1, byte(OpBulkSet), 7, -1, 1, "k", 1, "v"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := ParseRequest(payload)
		if err != nil {
			requireRefusal(t, err)
			return
		}
		require.Equal(t, len(payload), r.PayloadBytes())
		require.Equal(t, payload, AppendRequest(nil, &r)[LengthBytes:])
		require.LessOrEqual(t, cap(r.Pairs), PairBound(payload, len(payload)))
	})
}

func FuzzParseReply(f *testing.F) {
	for name, frame := range readGolden(f, "replies") {
		f.Add(uint8(replyVectors[name].Op), frame[LengthBytes:])
	}
	f.Add(uint8(OpScan), []byte{})
	f.Fuzz(func(t *testing.T, op uint8, payload []byte) {
		r, err := ParseReply(Op(op), payload)
		if err != nil {
			requireRefusal(t, err)
			return
		}
		require.Equal(t, len(payload), r.PayloadBytes())
		require.Equal(t, payload, AppendReply(nil, &r)[LengthBytes:])
		require.LessOrEqual(t, 5*len(r.Pairs), len(payload), "an entry for every 5 bytes at most")
	})
}

func FuzzReadFrame(f *testing.F) {
	for _, frame := range readGolden(f, "requests") {
		f.Add(frame, 1<<20)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, 1<<30)
	f.Fuzz(func(t *testing.T, stream []byte, limit int) {
		payload, err := ReadFrame(bytes.NewReader(stream), limit, nil)
		switch {
		case err == nil:
			require.Equal(t, stream[LengthBytes:LengthBytes+len(payload)], payload[:len(payload):len(payload)])
			require.LessOrEqual(t, len(payload), limit)
			require.LessOrEqual(t, cap(payload), 4*len(payload)+2*firstStepBytes)
		case len(stream) == 0:
			require.Equal(t, io.EOF, err)
		case errors.Is(err, &Error{Status: StatusFrameTooLarge}):
		default:
			require.Equal(t, io.ErrUnexpectedEOF, err)
		}
	})
}

func requireRefusal(t *testing.T, err error) {
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, OutcomeFailed, e.Status.Outcome(), "%v", e)
	require.NotEmpty(t, e.Message)
	require.LessOrEqual(t, len(e.Message), MaxMessageBytes)
}
