package client

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

func newReader(nc net.Conn) *bufio.Reader { return bufio.NewReaderSize(nc, 64<<10) }

// BenchmarkSharedClient measures the client and the loopback alone: the server on the other side
// answers at once, all that has arrived in one write.
func BenchmarkSharedClient(b *testing.B) {
	addr := startEcho(b)
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("set/callers=%d", callers), func(b *testing.B) {
			c, err := New(addr, nil)
			require.NoError(b, err)
			defer c.Close()
			key, value := make([]byte, 16), make([]byte, 128)
			b.ReportAllocs()
			b.ResetTimer()
			var group sync.WaitGroup
			for g := range callers {
				group.Go(func() {
					for range b.N/callers + min(1, max(0, b.N%callers-g)) {
						if err := c.Set(ctx, key, value); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}

func startEcho(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			work.Go(func() { echoBatches(nc) })
		}
	})
	b.Cleanup(func() {
		ln.Close()
		work.Wait()
	})
	return ln.Addr().String()
}

func echoBatches(nc net.Conn) {
	defer nc.Close()
	r := newReader(nc)
	var in, out []byte
	for {
		payload, err := wire.ReadFrame(r, wire.DefaultMaxFrameBytes, in)
		if err != nil {
			return
		}
		in = payload
		h, _ := wire.ParseHeader(payload)
		out = wire.AppendReply(out, &wire.Reply{ID: h.ID, Op: wire.Op(h.Kind)})
		if r.Buffered() > 0 {
			continue
		}
		if _, err := nc.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}
