package server

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

func TestEveryOperation(t *testing.T) {
	p := serve(t, Config{}, nil).dial()

	require.Equal(t, wire.StatusNotFound, p.get("a").Status)
	require.Equal(t, wire.StatusOK, p.set("a", "1").Status)
	require.Equal(t, "1", string(p.get("a").Value))
	require.Equal(t, wire.StatusOK, p.set("a", "").Status)
	r := p.get("a")
	require.Equal(t, wire.StatusOK, r.Status)
	require.Empty(t, r.Value)

	key := []byte("a")
	require.True(t, p.ask(wire.Request{Op: wire.OpExists, Key: key}).Exists)
	require.True(t, p.ask(wire.Request{Op: wire.OpDelete, Key: key}).Exists)
	require.False(t, p.ask(wire.Request{Op: wire.OpDelete, Key: key}).Exists)
	require.False(t, p.ask(wire.Request{Op: wire.OpExists, Key: key}).Exists)

	bulk := wire.Request{Op: wire.OpBulkSet, Pairs: pairs("a=1", "b=2", "a=3")}
	require.Equal(t, wire.StatusOK, p.ask(bulk).Status)
	require.Equal(t, "3", string(p.get("a").Value), "of two pairs with one key the later wins")
	require.Equal(t, "2", string(p.get("b").Value))
}

func TestWhatIsAcknowledgedIsInTheStore(t *testing.T) {
	s := serve(t, Config{}, nil)
	require.Equal(t, wire.StatusOK, s.dial().set("k", "v").Status)
	value, err := s.db.Get([]byte("k"))
	require.NoError(t, err)
	require.Equal(t, "v", string(value))
}

// Whatever the protocol lets in must fit every reply, so the bound on key and value is the one of a
// page of a scan with nothing else on it.
func TestTheLargestPairGoesThroughEveryOperation(t *testing.T) {
	cfg := Config{MaxFrameBytes: 256 << 10, MaxInFlightBytes: 8 << 20}
	s := serve(t, cfg, nil)
	p := s.dial()
	largest := strings.Repeat("v", cfg.MaxFrameBytes-30-len("k"))

	require.Equal(t, wire.StatusOK, p.set("k", largest).Status)
	require.Equal(t, wire.StatusOK, p.ask(wire.Request{Op: wire.OpBulkSet, Pairs: pairs("k=" + largest)}).Status)
	require.Equal(t, largest, string(p.get("k").Value))
	page := p.ask(wire.Request{Op: wire.OpScan})
	require.Equal(t, pairs("k="+largest), page.Pairs)
	require.Equal(t, cfg.MaxFrameBytes, page.PayloadBytes(), "the page fills the frame to the last byte")

	require.Equal(t, wire.StatusValueTooLarge, p.set("k", largest+"v").Status)
	require.Equal(t, wire.StatusValueTooLarge, p.ask(wire.Request{Op: wire.OpBulkSet, Pairs: pairs("k=" + largest + "v")}).Status)
	p.requireWorks()
}

func TestStoredValuesThatNoFrameCarries(t *testing.T) {
	cfg := Config{MaxFrameBytes: 256 << 10, MaxInFlightBytes: 8 << 20}
	s := serve(t, cfg, nil)
	require.NoError(t, s.db.Set([]byte("large"), make([]byte, cfg.MaxFrameBytes)))
	p := s.dial()

	require.Equal(t, wire.StatusFrameTooLarge, p.get("large").Status)
	require.Equal(t, wire.StatusFrameTooLarge, p.ask(wire.Request{Op: wire.OpScan}).Status)
	keys := p.ask(wire.Request{Op: wire.OpKeys})
	require.Equal(t, "large", string(keys.Pairs[0].Key), "its key can be listed, and deleted")
	p.requireWorks()
}

// pairs makes pairs of "key=value" strings.
func pairs(list ...string) []wire.Pair {
	var out []wire.Pair
	for _, s := range list {
		key, value, _ := strings.Cut(s, "=")
		out = append(out, wire.Pair{Key: []byte(key), Value: []byte(value)})
	}
	return out
}
