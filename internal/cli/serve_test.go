package cli

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/kv"
	"holdfast/server"
)

// serving runs "serve" until the returned function is called, which returns its exit code and the
// rest of its log.
func serving(t *testing.T, terminal bool, args ...string) (addr string, first string, stop func() (int, string)) {
	t.Helper()
	log, w := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	code := make(chan int, 1)
	world := newWorld(append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	world.FS = afero.NewOsFs()
	world.Stderr = w
	world.IsTerminal = func(any) bool { return terminal }
	go func() {
		code <- Run(ctx, world.Env)
		w.Close()
	}()
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "serving") {
			break
		}
	}
	first = lines.Text()
	rest := make(chan string, 1)
	go func() {
		var b strings.Builder
		for lines.Scan() {
			b.WriteString(lines.Text() + "\n")
		}
		rest <- b.String()
	}()
	stop = func() (int, string) {
		cancel()
		return <-code, <-rest
	}
	_, addr, _ = strings.Cut(first, "addr=")
	if !terminal {
		var line struct{ Msg, Addr string }
		require.NoError(t, json.Unmarshal([]byte(first), &line), first)
		require.Equal(t, "serving", line.Msg)
		addr = line.Addr
	}
	return addr, first, stop
}

func TestServeFlagsBecomeAServer(t *testing.T) {
	g, err := parsed(newWorld("serve", "--data", "dir", "--addr", "127.0.0.1:7", "--sync", "200ms", "--max-frame", "1MiB",
		"--max-conns", "3", "--max-memory", "64MiB", "--segment-size", "2MiB", "--drain-timeout", "4s"))
	require.NoError(t, err)
	logger := slog.New(slog.DiscardHandler)
	require.Equal(t, server.RunConfig{
		Addr: "127.0.0.1:7", Dir: "dir",
		KV: kv.Options{Sync: kv.SyncEvery(200 * time.Millisecond), SegmentBytes: 2 << 20},
		Server: server.Config{MaxFrameBytes: 1 << 20, MaxConns: 3, MaxInFlightBytes: 64 << 20,
			DrainTimeout: 4 * time.Second, Logger: logger},
	}, g.Serve.config(logger))
}

func TestServeUntilToldToStop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	addr, _, stop := serving(t, false, "--data", dir)
	w := newWorld("set", "k", "v", "--addr", addr)
	require.Equal(t, exitOK, w.run(), &w.err)
	code, _ := stop()
	require.Equal(t, exitOK, code)

	addr, _, stop = serving(t, false, "--data", dir)
	w = newWorld("get", "k", "--addr", addr)
	require.Equal(t, exitOK, w.run(), &w.err)
	require.Equal(t, "v", w.out.String())
	code, _ = stop()
	require.Equal(t, exitOK, code)
}

func TestLogIsTextOnATerminal(t *testing.T) {
	_, first, stop := serving(t, true, "--data", t.TempDir())
	require.Contains(t, first, "msg=serving addr=127.0.0.1:")
	code, _ := stop()
	require.Equal(t, exitOK, code)
}

func TestLogFormatAndLevel(t *testing.T) {
	log := func(format, level string, terminal bool) string {
		cmd := serveCmd{LogFormat: format}
		require.NoError(t, cmd.LogLevel.UnmarshalText([]byte(level)))
		var b strings.Builder
		h := cmd.handler(&b, terminal, cmd.LogLevel)
		if h.Enabled(ctx, 0) {
			b.WriteString("info ")
		}
		b.WriteString(strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", h), "*slog.")))
		return b.String()
	}
	require.Equal(t, "info jsonhandler", log("auto", "info", false))
	require.Equal(t, "info texthandler", log("auto", "debug", true))
	require.Equal(t, "info texthandler", log("text", "info", false))
	require.Equal(t, "jsonhandler", log("json", "warn", true))
}

func TestServeLockedDirectoryExitsSeven(t *testing.T) {
	dir := t.TempDir()
	_, _, stop := serving(t, false, "--data", dir)
	w := newWorld("serve", "--addr", "127.0.0.1:0", "--data", dir)
	w.FS = afero.NewOsFs()
	require.Equal(t, exitLocked, w.run())
	require.Contains(t, w.err.String(), dir)
	code, _ := stop()
	require.Equal(t, exitOK, code)
}

func TestServeTakenPortSaysSo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	w := newWorld("serve", "--addr", ln.Addr().String(), "--data", t.TempDir())
	w.FS = afero.NewOsFs()
	require.Equal(t, exitFailure, w.run())
	require.Contains(t, w.err.String(), "address "+ln.Addr().String()+" is taken")
}

func TestServeFromALaterFormatExitsNine(t *testing.T) {
	fsys := afero.NewMemMapFs()
	w := newWorld("serve", "--addr", "127.0.0.1:0", "--data", "data")
	w.FS = fsys
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	require.Equal(t, exitOK, Run(stopped, w.Env), &w.err) // makes an empty store
	raiseFormat(t, fsys, "data")

	w = newWorld("serve", "--addr", "127.0.0.1:0", "--data", "data")
	w.FS = fsys
	require.Equal(t, exitFormat, w.run(), &w.err)
	require.Contains(t, w.err.String(), "too new")
}

// raiseFormat makes the manifests in dir say that a later version wrote them. A manifest is two copies
// of the same body, which has the version at 8, a number of entries of 56 bytes at 12, and the CRC-32C
// of all before behind the entries.
func raiseFormat(t *testing.T, fsys afero.Fs, dir string) {
	names, err := afero.Glob(fsys, filepath.Join(dir, "MANIFEST-*"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		data, err := afero.ReadFile(fsys, name)
		require.NoError(t, err)
		for _, body := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
			end := 48 + 56*binary.LittleEndian.Uint32(body[12:])
			body[8] = 99
			sum := crc32.Checksum(body[:end], crc32.MakeTable(crc32.Castagnoli))
			binary.LittleEndian.PutUint32(body[end:], sum)
		}
		require.NoError(t, afero.WriteFile(fsys, name, data, 0o600))
	}
}
