package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/kv"
	"holdfast/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// world is an Env that remembers what was printed.
type world struct {
	Env
	out, err bytes.Buffer
}

func newWorld(args ...string) *world {
	w := &world{Env: Env{Args: args, Stdin: strings.NewReader(""), FS: afero.NewMemMapFs()}}
	w.Stdout, w.Stderr = &w.out, &w.err
	return w
}

func (w *world) run() int { return Run(ctx, w.Env) }

// startServer serves an empty store in memory until the test ends.
func startServer(t *testing.T) (addr string) {
	t.Helper()
	serving := make(chan net.Addr, 1)
	stop, done := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- server.Run(stop, afero.NewMemMapFs(), server.RunConfig{
			Addr: "127.0.0.1:0", Dir: "data", KV: kv.Options{SegmentBytes: 1 << 20},
			Ready: func(a net.Addr) { serving <- a },
		})
	}()
	t.Cleanup(func() {
		done()
		require.NoError(t, <-ended)
	})
	select {
	case a := <-serving:
		return a.String()
	case err := <-ended:
		ended <- nil
		require.NoError(t, err)
		return ""
	}
}

// session runs commands against one server.
type session struct {
	t    *testing.T
	addr string
	fs   afero.Fs
}

func newSession(t *testing.T) *session {
	return &session{t: t, addr: startServer(t), fs: afero.NewMemMapFs()}
}

// do runs a command that must end with a code, and returns what it printed.
func (s *session) do(code int, stdin io.Reader, args ...string) (out, errOut string) {
	s.t.Helper()
	w := newWorld(append([]string{args[0], "--addr", s.addr}, args[1:]...)...)
	w.FS = s.fs
	if stdin != nil {
		w.Stdin = stdin
	}
	require.Equal(s.t, code, w.run(), "%v: %s", args, &w.err)
	return w.out.String(), w.err.String()
}

// ok runs a command that must succeed and say nothing but its result.
func (s *session) ok(args ...string) string {
	s.t.Helper()
	out, errOut := s.do(exitOK, nil, args...)
	require.Empty(s.t, errOut)
	return out
}
