package server

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// BenchmarkPipeline keeps a window of requests in flight on one connection over loopback, with the
// store on the disk under TMPDIR.
func BenchmarkPipeline(b *testing.B) {
	for _, op := range []wire.Op{wire.OpSet, wire.OpGet, wire.OpExists} {
		for _, window := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%v/window=%d", op, window), func(b *testing.B) { benchPipeline(b, op, window) })
		}
	}
}

func benchPipeline(b *testing.B, op wire.Op, window int) {
	db, err := kv.Open(afero.NewOsFs(), b.TempDir(), nil)
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	s := serveStore(b, Config{}, db, db)
	defer s.end()
	p := s.dial()
	require.NoError(b, p.nc.SetDeadline(noDeadline))

	value := make([]byte, 256)
	key := binary.BigEndian.AppendUint64(nil, 0)
	require.NoError(b, db.Set(key, value))
	room := make(chan struct{}, window)
	go func() {
		var frame []byte
		for id := uint64(1); id <= uint64(b.N); id++ {
			room <- struct{}{}
			r := wire.Request{ID: id, Op: op, Key: key, Value: value}
			if frame = wire.AppendRequest(frame, &r); len(room) < window && len(frame) < 16<<10 && id < uint64(b.N) {
				continue
			}
			if _, err := p.nc.Write(frame); err != nil {
				return
			}
			frame = frame[:0]
		}
	}()
	b.ResetTimer()
	var payload []byte
	for range b.N {
		payload, err = wire.ReadFrame(p.in, 1<<20, payload)
		require.NoError(b, err)
		<-room
	}
	b.StopTimer()
	require.NoError(b, p.nc.Close())
}
