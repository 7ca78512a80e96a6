package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/internal/wire"
	"holdfast/kv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noDeadline takes a deadline back.
var noDeadline time.Time

// briefly is a linger for tests whose peers do not hang up by themselves.
const briefly = 50 * time.Millisecond

// patience is how long a test waits for what must happen; it is no part of any result.
const patience = 20 * time.Second

// served is a server that runs for the length of a test.
type served struct {
	t    testing.TB
	srv  *Server
	db   *kv.DB
	addr string

	stop  context.CancelFunc
	ended chan struct{} // closed when Serve has returned err
	err   error
}

// serve starts a server with cfg over a new store in memory. wrap, if not nil, stands between the two.
func serve(t testing.TB, cfg Config, wrap func(*kv.DB) store) *served {
	db, err := kv.Open(afero.NewMemMapFs(), "db", &kv.Options{SegmentBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	var st store = db
	if wrap != nil {
		st = wrap(db)
	}
	return serveStore(t, cfg, db, st)
}

func serveStore(t testing.TB, cfg Config, db *kv.DB, st store) *served {
	srv, err := newServer(st, cfg)
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	s := &served{t: t, srv: srv, db: db, addr: ln.Addr().String(), stop: stop, ended: make(chan struct{})}
	go func() {
		s.err = srv.Serve(ctx, ln)
		close(s.ended)
	}()
	t.Cleanup(func() { s.end() })
	return s
}

// end stops the server and returns what Serve returned.
func (s *served) end() error {
	s.stop()
	select {
	case <-s.ended:
	case <-time.After(patience):
		require.FailNow(s.t, "the server does not end")
	}
	return s.err
}

// peer is a client of one connection that speaks frames and hides nothing.
type peer struct {
	t  testing.TB
	nc net.Conn
	in *bufio.Reader
	id uint64
}

func (s *served) dial() *peer {
	nc, err := net.Dial("tcp", s.addr)
	require.NoError(s.t, err)
	return newPeer(s.t, nc)
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
	return &peer{t: t, nc: nc, in: bufio.NewReaderSize(nc, 64<<10)}
}

// send sends r under the next id, which it returns.
func (p *peer) send(r wire.Request) uint64 {
	p.id++
	r.ID = p.id
	p.write(wire.AppendRequest(nil, &r))
	return r.ID
}

func (p *peer) write(b []byte) {
	_, err := p.nc.Write(b)
	require.NoError(p.t, err)
}

// receive returns the next reply, read as one to op.
func (p *peer) receive(op wire.Op) wire.Reply {
	payload, err := wire.ReadFrame(p.in, 1<<30, nil)
	require.NoError(p.t, err)
	r, err := wire.ParseReply(op, payload)
	require.NoError(p.t, err)
	return r
}

// ask sends r and returns its reply, which must be the next one.
func (p *peer) ask(r wire.Request) wire.Reply {
	id := p.send(r)
	reply := p.receive(r.Op)
	require.Equal(p.t, id, reply.ID, "%v", reply.Err())
	return reply
}

func (p *peer) set(key, value string) wire.Reply {
	return p.ask(wire.Request{Op: wire.OpSet, Key: []byte(key), Value: []byte(value)})
}

func (p *peer) get(key string) wire.Reply {
	return p.ask(wire.Request{Op: wire.OpGet, Key: []byte(key)})
}

// requireGoodbye reads a last frame of status, and then the end.
func (p *peer) requireGoodbye(status wire.Status) {
	r := p.receive(0)
	require.Zero(p.t, r.ID, "%v", r.Err())
	require.Equal(p.t, status, r.Status, "%v", r.Err())
	p.requireEnd()
}

// requireEnd is that the server closes the connection in good order.
func (p *peer) requireEnd() {
	rest, err := io.ReadAll(p.in)
	require.NoError(p.t, err)
	require.Empty(p.t, rest)
}

// requireCutOff is that the server closes the connection, in whatever way.
func (p *peer) requireCutOff() {
	_, err := io.Copy(io.Discard, p.in)
	var late net.Error
	if err != nil {
		require.False(p.t, errors.As(err, &late) && late.Timeout(), "the connection is still open")
	}
}

// requireWorks is that the connection takes requests.
func (p *peer) requireWorks() {
	require.Equal(p.t, wire.StatusOK, p.set("works", "yes").Status)
	require.Equal(p.t, "yes", string(p.get("works").Value))
}
