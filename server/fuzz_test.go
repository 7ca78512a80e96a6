package server

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// FuzzConnection sends arbitrary bytes over a live connection and hangs up. Every frame of the answer
// must be a reply as the protocol defines it, with nothing after a goodbye; the connection must end;
// nothing may stay behind, and a client that comes next is served.
func FuzzConnection(f *testing.F) {
	for _, stream := range seedStreams(f) {
		f.Add(stream)
	}
	db, err := kv.Open(afero.NewMemMapFs(), "db", &kv.Options{SegmentBytes: 1 << 20})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, db.Close()) })
	s := serveStore(f, Config{MaxFrameBytes: 256 << 10, MaxInFlightBytes: 64 << 20, FrameTimeout: patience}, db, db)
	f.Fuzz(func(t *testing.T, stream []byte) {
		nc, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		defer nc.Close()
		require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
		go func() {
			nc.Write(stream) // the server may close before it has all
			nc.(*net.TCPConn).CloseWrite()
		}()
		answer, err := io.ReadAll(nc)
		if err == nil { // else the server closed, and its last bytes met some of ours
			requireReplies(t, answer)
		}
		require.NoError(t, nc.Close())
		_, err = waitForEnd(s, 0)
		require.NoError(t, err)
		requireAllReleased(t, s)
		next, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		newPeer(t, next).requireWorks()
		require.NoError(t, next.Close())
	})
}

func requireReplies(t *testing.T, answer []byte) {
	r := bytes.NewReader(answer)
	for r.Len() > 0 {
		payload, err := wire.ReadFrame(r, 256<<10, nil)
		require.NoError(t, err)
		h, err := wire.ParseHeader(payload)
		require.NoError(t, err)
		status := wire.Status(h.Kind)
		if status == wire.StatusOK {
			require.NotZero(t, h.ID)
			continue
		}
		_, err = wire.ParseReply(0, payload)
		require.NoError(t, err)
		require.NotEqual(t, wire.StatusInternal, status)
		if h.ID == 0 && status != wire.StatusMalformed {
			require.Zero(t, r.Len(), "bytes after the goodbye %v", status)
		}
	}
}

func unhex(f *testing.F, text []byte) []byte {
	b, err := hex.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
	require.NoError(f, err)
	return b
}

// seedStreams are the golden requests, alone and all in one stream, and the beginnings of some.
func seedStreams(f *testing.F) [][]byte {
	dir := filepath.Join("..", "internal", "wire", "testdata", "requests")
	names, err := filepath.Glob(filepath.Join(dir, "*.hex"))
	require.NoError(f, err)
	require.NotEmpty(f, names)
	var streams [][]byte
	var all []byte
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		frame := unhex(f, text)
		streams = append(streams, frame, frame[:len(frame)/2])
		all = append(all, frame...)
	}
	otherVersion := make([]byte, wire.LengthBytes+wire.HeaderBytes) // and id 0
	otherVersion[3] = wire.HeaderBytes
	return append(streams, otherVersion, all, append(all[:len(all):len(all)], 0xff, 0xff, 0xff, 0xff))
}
