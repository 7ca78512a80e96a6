package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// logLines collects JSON log lines.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// with returns the first line whose message is msg.
func (l *logLines) with(t *testing.T, msg string) map[string]any {
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		if fields["msg"] == msg {
			return fields
		}
	}
	require.Failf(t, "no such line", "%q in:\n%s", msg, l)
	return nil
}

// running is a Run in the background.
type running struct {
	addr net.Addr
	stop context.CancelFunc
	err  chan error
}

func run(t *testing.T, fsys afero.Fs, cfg RunConfig) *running {
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	r := &running{stop: stop, err: make(chan error, 1)}
	ready := make(chan net.Addr, 1)
	cfg.Addr = "127.0.0.1:0"
	cfg.Ready = func(a net.Addr) { ready <- a }
	go func() { r.err <- Run(ctx, fsys, cfg) }()
	select {
	case r.addr = <-ready:
	case err := <-r.err:
		require.FailNow(t, "Run ended", "%v", err)
	case <-time.After(patience):
		require.FailNow(t, "not ready")
	}
	return r
}

func (r *running) dial(t testing.TB) *peer {
	nc, err := net.Dial("tcp", r.addr.String())
	require.NoError(t, err)
	return newPeer(t, nc)
}

// end stops Run and returns its error.
func (r *running) end(t testing.TB) error {
	r.stop()
	select {
	case err := <-r.err:
		return err
	case <-time.After(patience):
		require.FailNow(t, "Run does not end")
		return nil
	}
}

func TestRunServesAndKeepsWhatItAcknowledged(t *testing.T) {
	fsys := afero.NewMemMapFs()
	logs := &logLines{}
	cfg := RunConfig{Dir: "data", KV: kv.Options{SegmentBytes: 1 << 20}, Server: Config{Logger: logs.logger()}}
	r := run(t, fsys, cfg)
	p := r.dial(t)
	for range 10 {
		require.Equal(t, wire.StatusOK, p.set("k", "the secret value").Status)
	}
	require.NoError(t, p.nc.Close())
	require.NoError(t, r.end(t))
	require.Equal(t, "data", logs.with(t, "recovering")["dir"])
	require.EqualValues(t, 0, logs.with(t, "recovered")["records"])
	require.Equal(t, r.addr.String(), logs.with(t, "serving")["addr"])
	logs.with(t, "closed")
	require.NotContains(t, logs.String(), "secret", "values are not logged")

	logs = &logLines{}
	cfg.Server.Logger = logs.logger()
	r = run(t, fsys, cfg)
	p = r.dial(t)
	require.Equal(t, "the secret value", string(p.get("k").Value))
	require.NoError(t, p.nc.Close())
	require.NoError(t, r.end(t))
	recovered := logs.with(t, "recovered")
	require.EqualValues(t, 10, recovered["records"])
	require.EqualValues(t, 0, recovered["cutBytes"])
	require.Contains(t, recovered, "millis")
}

func TestRunSaysWhatIsTaken(t *testing.T) {
	fsys, logs := afero.NewMemMapFs(), &logLines{}
	cfg := RunConfig{Dir: "data", KV: kv.Options{SegmentBytes: 1 << 20}, Server: Config{Logger: logs.logger()}}
	r := run(t, fsys, cfg)

	cfg.Addr = r.addr.String()
	err := Run(t.Context(), fsys, cfg)
	require.ErrorIs(t, err, kv.ErrLocked, "the directory and the port are taken: the directory counts")
	require.ErrorContains(t, err, "data")

	cfg.Dir = "other"
	err = Run(t.Context(), fsys, cfg)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, "cannot listen on "+cfg.Addr)
	var opErr *net.OpError
	require.ErrorAs(t, err, &opErr)
	require.NoError(t, r.end(t))

	db, err := kv.Open(fsys, "other", nil)
	require.NoError(t, err, "the store of a Run that failed is closed")
	require.NoError(t, db.Close())
}

func TestRunRefusesABadConfiguration(t *testing.T) {
	err := Run(t.Context(), afero.NewMemMapFs(), RunConfig{Dir: "d", Server: Config{MaxConns: -1}})
	require.ErrorIs(t, err, ErrInvalidConfig)
	err = Run(t.Context(), afero.NewMemMapFs(), RunConfig{Dir: "d", KV: kv.Options{SegmentBytes: -1}})
	require.ErrorIs(t, err, kv.ErrInvalidOptions)
}

func TestRunWarnsOfAnIntervalPolicy(t *testing.T) {
	logs := &logLines{}
	cfg := RunConfig{Dir: "d", KV: kv.Options{SegmentBytes: 1 << 20, Sync: kv.SyncEvery(time.Hour)},
		Server: Config{Logger: logs.logger()}}
	require.NoError(t, run(t, afero.NewMemMapFs(), cfg).end(t))
	require.Equal(t, "1h0m0s", logs.with(t, "serving")["sync"])
	var warning string
	for line := range strings.Lines(logs.String()) {
		if strings.Contains(line, `"WARN"`) {
			warning += line
		}
	}
	require.Contains(t, warning, "a crash may lose")
	require.Contains(t, warning, "interval")
}

// A drain that cannot finish must not hide behind the store's clean end, nor the other way round.
func TestRunReportsTheEndOfServeAndOfTheStore(t *testing.T) {
	r := run(t, afero.NewMemMapFs(), RunConfig{Dir: "d", KV: kv.Options{SegmentBytes: 1 << 20},
		Server: Config{DrainTimeout: time.Nanosecond, linger: briefly}})
	p := r.dial(t)
	p.requireWorks()
	err := r.end(t)
	require.ErrorIs(t, err, ErrDrainTimeout)
	_, err = io.ReadAll(p.in)
	require.False(t, errors.Is(err, context.DeadlineExceeded))
}
