package wire

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestReadFrameOneAfterAnother(t *testing.T) {
	stream := "\x00\x00\x00\x03one\x00\x00\x00\x00\x00\x00\x00\x05three"
	r := iotest.OneByteReader(strings.NewReader(stream))
	var buf []byte
	for _, want := range []string{"one", "", "three"} {
		payload, err := ReadFrame(r, 5, buf)
		require.NoError(t, err)
		require.Equal(t, want, string(payload))
		buf = payload
	}
	_, err := ReadFrame(r, 5, buf)
	require.Equal(t, io.EOF, err)
}

func TestReadFrameUsesTheBufferGiven(t *testing.T) {
	buf := make([]byte, 0, 8)
	payload, err := ReadFrame(strings.NewReader("\x00\x00\x00\x03one"), 8, buf)
	require.NoError(t, err)
	require.Same(t, &buf[:1][0], &payload[0])
}

func TestReadFrameLimitIsExact(t *testing.T) {
	_, err := ReadFrame(strings.NewReader("\x00\x00\x00\x03one"), 3, nil)
	require.NoError(t, err)

	r := strings.NewReader("\x00\x00\x00\x04four")
	_, err = ReadFrame(r, 3, nil)
	require.ErrorIs(t, err, &Error{Status: StatusFrameTooLarge})
	require.Equal(t, 4, r.Len(), "nothing is read past the length")
}

func TestReadFrameCutShort(t *testing.T) {
	frame := "\x00\x00\x00\x03one"
	for n := 1; n < len(frame); n++ {
		_, err := ReadFrame(strings.NewReader(frame[:n]), 100, nil)
		require.Equal(t, io.ErrUnexpectedEOF, err, "%d bytes", n)
	}
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader(frame[:5]), iotest.ErrReader(broken))
	_, err := ReadFrame(r, 100, nil)
	require.Equal(t, broken, err)
}

// A peer claims the largest frame there is and sends little of it. What is allocated may follow
// what was sent, never the claim.
func TestReadFrameAllocatesForWhatArrives(t *testing.T) {
	for _, sent := range []int{0, 1, 10_000, 1 << 20} {
		stream := append([]byte{0xff, 0xff, 0xff, 0xff}, make([]byte, sent)...)
		r := bytes.NewReader(stream)
		got := allocated(func() {
			_, err := ReadFrame(r, 1<<32-1, nil)
			require.Equal(t, io.ErrUnexpectedEOF, err)
		})
		require.LessOrEqual(t, got, uint64(64<<10+8*sent), "%d bytes sent", sent)
	}
}

// allocated returns the bytes that f allocates; other goroutines of the test binary must be idle.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestParseHeader(t *testing.T) {
	h, err := ParseHeader(raw(1, 2, 3, "and more"))
	require.NoError(t, err)
	require.Equal(t, Header{Version: 1, Kind: 2, ID: 3}, h)

	h, err = ParseHeader(raw(9, 2, 3))
	require.ErrorIs(t, err, &Error{Status: StatusUnsupportedVersion})
	require.Equal(t, Header{Version: 9, Kind: 2, ID: 3}, h, "the id of a request of another version")
}
