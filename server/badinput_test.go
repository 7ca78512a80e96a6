package server

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

// frame puts a length before the bytes of a payload.
func frame(payload string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// header is the first ten bytes of a payload of version 1 with id 9.
func header(kind wire.Op) string {
	return "\x01" + string(rune(kind)) + "\x00\x00\x00\x00\x00\x00\x00\x09"
}

func sized(s string) string { return string(frame(s)) }

// Each case sends bytes that no client should send, and says what comes back: a reply with this status
// and id, and then either a connection that works or the goodbye. Another client must notice nothing.
func TestBadInputIsAnsweredAndHarmsNobody(t *testing.T) {
	tooLong := strings.Repeat("k", wire.MaxKeyBytes+1)
	set := header(wire.OpSet)
	tests := map[string]struct {
		send    []byte
		want    wire.Status
		id      uint64 // of the reply; 0 where there is none before the goodbye
		goodbye bool
	}{
		"empty payload":        {frame(""), wire.StatusMalformed, 0, false},
		"half a header":        {frame(set[:9]), wire.StatusMalformed, 0, false},
		"id 0":                 {frame("\x01\x02\x00\x00\x00\x00\x00\x00\x00\x00" + sized("k")), wire.StatusMalformed, 0, false},
		"unknown operation":    {frame(header(99) + sized("k")), wire.StatusUnknownOp, 9, false},
		"operation 0":          {frame(header(0)), wire.StatusUnknownOp, 9, false},
		"empty key":            {frame(set + sized("") + sized("v")), wire.StatusEmptyKey, 9, false},
		"oversized key":        {frame(set + sized(tooLong) + sized("v")), wire.StatusKeyTooLarge, 9, false},
		"oversized key of get": {frame(header(wire.OpGet) + sized(tooLong)), wire.StatusKeyTooLarge, 9, false},
		"key cut short":        {frame(set + "\x00\x00\x00\x05four"), wire.StatusMalformed, 9, false},
		"key of 4 GiB":         {frame(set + "\xff\xff\xff\xffk"), wire.StatusMalformed, 9, false},
		"trailing bytes":       {frame(set + sized("k") + sized("v") + "x"), wire.StatusMalformed, 9, false},
		"bulk of nothing":      {frame(header(wire.OpBulkSet) + "\x00\x00\x00\x00"), wire.StatusMalformed, 9, false},
		"bulk of 4 billion":    {frame(header(wire.OpBulkSet) + "\xff\xff\xff\xff" + sized("k") + sized("v")), wire.StatusMalformed, 9, false},
		"large and malformed":  {frame(set + strings.Repeat("x", 1<<20)), wire.StatusMalformed, 9, false},
		"unknown cursor":       {frame(header(wire.OpScan) + "\x00\x00\x00\x00\x00\x00\x00\x01" + sized("") + sized("") + sized("") + "\x00\x00\x00\x00"), wire.StatusScanExpired, 9, false},
		"a reply":              {wire.AppendReply(nil, &wire.Reply{ID: 9, Op: wire.OpSet}), wire.StatusUnknownOp, 9, false},
		"oversized length":     {[]byte{0xff, 0xff, 0xff, 0xff}, wire.StatusFrameTooLarge, 0, true},
		"oversized by one":     {binary.BigEndian.AppendUint32(nil, wire.DefaultMaxFrameBytes+1), wire.StatusFrameTooLarge, 0, true},
		"oversized, with id":   {[]byte("\xff\xff\xff\xff" + set), wire.StatusFrameTooLarge, 9, true},
		"another version":      {frame("\x02" + set[1:] + sized("k") + sized("v")), wire.StatusUnsupportedVersion, 9, true},
		"oversized, and sent":  {append([]byte{0x7f, 0xff, 0xff, 0xff}, make([]byte, 1<<20)...), wire.StatusFrameTooLarge, 0, true},
		"another protocol":     {[]byte("GET / HTTP/1.1\r\nHost: here\r\n\r\n"), wire.StatusFrameTooLarge, 0, true},
	}
	s := serve(t, Config{}, nil)
	other := s.dial()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := s.dial()
			p.t = t
			p.write(tt.send)
			if tt.id != 0 || !tt.goodbye {
				r := p.receive(0)
				require.Equal(t, tt.want, r.Status, "%v", r.Err())
				require.Equal(t, tt.id, r.ID)
				require.NotEmpty(t, r.Message)
				require.Equal(t, wire.OutcomeFailed, r.Status.Outcome())
			}
			if tt.goodbye {
				p.requireGoodbye(tt.want)
			} else {
				p.requireWorks()
			}
			other.requireWorks()
		})
	}
}

// The goodbye promises that it comes last: what was sent before the bad frame is answered first.
func TestRequestsBeforeABadFrameAreFinishedAndAnswered(t *testing.T) {
	s, g := serveGated(t, Config{})
	p := s.dial()
	id := p.send(wire.Request{Op: wire.OpSet, Key: []byte("held"), Value: []byte("v")})
	g.next(t)
	p.write([]byte{0xff, 0xff, 0xff, 0xff})
	g.open()
	require.Equal(t, id, p.receive(wire.OpSet).ID)
	p.requireGoodbye(wire.StatusFrameTooLarge)
}

func TestAClientMayShutDownItsSendingSide(t *testing.T) {
	p := serve(t, Config{}, nil).dial()
	id := p.send(wire.Request{Op: wire.OpSet, Key: []byte("k"), Value: []byte("v")})
	require.NoError(t, p.nc.(interface{ CloseWrite() error }).CloseWrite())
	require.Equal(t, id, p.receive(wire.OpSet).ID)
	p.requireEnd()
}

func TestAFrameThatIsNotFinishedInTimeEndsTheConnection(t *testing.T) {
	logs := &logLines{}
	s := serve(t, Config{FrameTimeout: 500 * time.Millisecond, Logger: logs.logger()}, nil)
	whole := frame(header(wire.OpSet) + sized("k") + sized(strings.Repeat("v", 200<<10)))
	idle := s.dial()
	idle.write(whole) // too large to arrive at once, so it was timed
	require.Equal(t, wire.StatusOK, idle.receive(wire.OpSet).Status)
	var slow []*peer
	for _, n := range []int{1, 3, 4, 13, len(whole) - 1} {
		p := s.dial()
		p.write(whole[:n])
		slow = append(slow, p)
	}
	for _, p := range slow {
		p.requireCutOff()
	}
	require.Equal(t, "WARN", logs.with(t, "connection ends")["level"])
	idle.requireWorks() // has been idle for longer than FrameTimeout, between two frames
}

// Fewer connections than the limit, each with a frame that it never finishes: the claim of the
// largest frame there is, with nothing, a little or much of it sent. They may cost memory in
// proportion to what they sent and nothing of what they claim, and a client beside them works.
func TestAFloodOfHalfOpenGarbage(t *testing.T) {
	const (
		flood = 200
		sent  = 100 << 10 // bytes of each third connection, more than a small frame
	)
	s := serve(t, Config{FrameTimeout: time.Second}, nil)
	other := s.dial()
	other.requireWorks()
	before := heapBytes()

	claim := binary.BigEndian.AppendUint32(nil, wire.DefaultMaxFrameBytes)
	many := header(wire.OpBulkSet) + "\x00\xff\xff\xff" + sized("k")
	starts := [][]byte{
		claim,
		append(claim, many...),
		append(claim, many+strings.Repeat("x", sent)...),
		claim[:2],
	}
	var garbage []*peer
	for i := range flood {
		p := s.dial()
		p.write(starts[i%len(starts)])
		garbage = append(garbage, p)
		if i%10 == 0 {
			other.requireWorks()
		}
	}
	other.requireWorks()
	grown := heapBytes() - before
	perConn := int64(readBufferBytes + smallFrameBytes + 64<<10) // ours, and the peer's own buffer
	require.Less(t, grown, flood*perConn+flood/4*4*sent, "heap growth")
	t.Logf("%d half-open connections, heap grown by %d KiB", flood, grown>>10)

	for _, p := range garbage {
		p.requireCutOff()
	}
	other.requireWorks()
	requireAllReleased(t, s)
}

// heapBytes is the memory in live objects.
func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// takeShared takes n bytes of the shared memory, as others would, once calls that are answered have
// given theirs back. It returns the way to give them back.
func takeShared(t *testing.T, s *served, n int64) (giveBack func()) {
	shared := s.srv.budget.shared
	require.Eventually(t, func() bool { return shared.TryAcquire(n) }, patience, time.Millisecond, "shared memory is not free")
	return func() { shared.Release(n) }
}

// requireAllReleased is that no connection has kept anything of the shared memory.
func requireAllReleased(t *testing.T, s *served) { takeShared(t, s, s.srv.budget.size)() }
