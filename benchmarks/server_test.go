package benchmarks

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/client"
	"holdfast/faultfs"
	"holdfast/server"
)

func smallServer() ServerConfig {
	return ServerConfig{
		Goroutines: []int{1, 64}, Window: 50 * time.Millisecond, Keys: 1000, BulkPairs: 10, Seed: 0xabcdef123456,
	}
}

// own is a configuration that starts this test as the server of the kind.
func own(t *testing.T, kind string) ServerConfig {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cfg := smallServer()
	cfg.Server, cfg.Env, cfg.TempDir = []string{exe}, []string{beServer + "=" + kind}, t.TempDir()
	return cfg
}

// running is a configuration for a server that runs already, and a client of it.
func running(t *testing.T, fsys afero.Fs) (ServerConfig, *client.Client) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, fsys, server.RunConfig{Addr: "127.0.0.1:0", Dir: dir, Ready: func(a net.Addr) { ready <- a }})
	}()
	addr := (<-ready).String()
	c, err := client.New(addr, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		cancel()
		<-ended
	})
	cfg := smallServer()
	cfg.Addr = addr
	return cfg, c
}

func keysOf(t *testing.T, c *client.Client) (keys []string) {
	t.Helper()
	for key, err := range c.Keys(t.Context(), client.ScanOptions{}) {
		require.NoError(t, err)
		keys = append(keys, string(key))
	}
	return keys
}

func requirePoints(t *testing.T, r *ServerReport, cfg ServerConfig) {
	t.Helper()
	at := 0
	for _, work := range []Work{Write, Read, Bulk} {
		for _, goroutines := range cfg.Goroutines {
			p := r.Points[at]
			at++
			require.Equal(t, work, p.Work)
			require.Equal(t, goroutines, p.Goroutines)
			require.Positive(t, p.Calls)
			keys := p.Calls
			if work == Bulk {
				keys *= int64(cfg.BulkPairs)
			}
			require.Equal(t, keys, p.Keys)
			require.InEpsilon(t, float64(p.Calls)/float64(p.Micros)*1e6, p.CallsPerSecond, 1e-3)
			require.InEpsilon(t, float64(keys)/float64(p.Micros)*1e6, p.KeysPerSecond, 1e-3)
			l := p.LatencyMicros
			require.Positive(t, l.P50)
			require.LessOrEqual(t, l.P50, l.P90)
			require.LessOrEqual(t, l.P90, l.P99)
			require.LessOrEqual(t, l.P99, l.P999)
			require.LessOrEqual(t, l.P999, l.Max)
		}
	}
	require.Len(t, r.Points, at)
}

func TestBenchmarkOfAServerOfItsOwn(t *testing.T) {
	cfg := own(t, "good")
	r, err := RunServer(t.Context(), cfg)
	require.NoError(t, err)
	requirePoints(t, r, cfg)
	require.True(t, r.Started)
	require.InDelta(t, r.Points[1].CallsPerSecond/r.Points[0].CallsPerSecond, r.Scaling.Write, 1e-9)
	require.InDelta(t, r.Points[3].CallsPerSecond/r.Points[2].CallsPerSecond, r.Scaling.Read, 1e-9)
	require.InDelta(t, r.Points[5].CallsPerSecond/r.Points[4].CallsPerSecond, r.Scaling.Bulk, 1e-9)

	left, err := os.ReadDir(cfg.TempDir)
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = net.Dial("tcp", r.Addr)
	require.Error(t, err, "its server is gone")
}

func TestBenchmarkOfARunningServerLeavesItAsItWas(t *testing.T) {
	cfg, c := running(t, afero.NewOsFs())
	require.NoError(t, c.Set(t.Context(), []byte("hb"), []byte("mine")))
	cfg.Goroutines = []int{1, 2}
	cfg.Conns = 2
	var progress []string
	cfg.Progress = func(what string) { progress = append(progress, what) }
	r, err := RunServer(t.Context(), cfg)
	require.NoError(t, err)
	requirePoints(t, r, cfg)
	require.False(t, r.Started)
	require.Nil(t, r.Scaling, "64 goroutines were not measured")
	require.Equal(t, []string{"hb"}, keysOf(t, c))
	require.Equal(t, []string{"loading", "write, 1 goroutines", "write, 2 goroutines", "read, 1 goroutines",
		"read, 2 goroutines", "bulk, 1 goroutines", "bulk, 2 goroutines", "deleting what was written"}, progress)
}

func TestBenchmarkDoesNotTouchKeysThatAreThere(t *testing.T) {
	cfg, c := running(t, afero.NewOsFs())
	require.NoError(t, c.Set(t.Context(), []byte("hb123456-mine"), []byte("mine")))
	_, err := RunServer(t.Context(), cfg)
	require.ErrorContains(t, err, `has the key "hb123456-mine" already`)
	require.Equal(t, []string{"hb123456-mine"}, keysOf(t, c))
}

func TestLoadingWritesEveryKey(t *testing.T) {
	cfg, c := running(t, afero.NewOsFs())
	cfg, err := cfg.withDefaults()
	require.NoError(t, err)
	b := &serverBench{ServerConfig: cfg, client: c, value: []byte("v"), keys: keyspace{prefix: "hb123456", bytes: 16, n: 12_340}}
	require.NoError(t, b.overKeys(t.Context(), b.setAll))
	require.Len(t, keysOf(t, c), 12_340)
	require.NoError(t, b.overKeys(t.Context(), b.deleteAll))
	require.Empty(t, keysOf(t, c))

	b.value = []byte("longer")
	require.NoError(t, b.overKeys(t.Context(), b.setAll))
	b.value = []byte("v")
	require.ErrorContains(t, b.read(0)(t.Context()), "has 6 bytes, want 1")
}

func TestAFailingServerGivesAnErrorAndNoReport(t *testing.T) {
	for rule, message := range map[string]string{
		"sync *.seg #1 EIO":    "loading",
		"sync *.seg #200+ EIO": "write with 1 goroutines",
		"read *.seg EIO":       "read with 1 goroutines",
	} {
		t.Run(rule, func(t *testing.T) {
			fsys := faultfs.New(afero.NewOsFs())
			cfg, _ := running(t, fsys)
			cfg.Window = 200 * time.Millisecond
			if strings.HasPrefix(rule, "sync *.seg #200") {
				cfg.Window = time.Hour // until it happens
			}
			fsys.Inject(faultfs.MustParse(rule)[0])
			r, err := RunServer(t.Context(), cfg)
			require.ErrorContains(t, err, message)
			require.Nil(t, r)
			fsys.CheckFired(t)
		})
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	cfg := smallServer()
	cfg.Addr = addr
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = RunServer(ctx, cfg)
	require.ErrorContains(t, err, "looking for keys")
}

func TestAServerThatDoesNotStart(t *testing.T) {
	cfg := own(t, "refuses")
	_, err := RunServer(t.Context(), cfg)
	require.ErrorContains(t, err, "the server did not start: exit status 3: no thanks")

	cfg.Server = []string{cfg.TempDir + "/no such program"}
	_, err = RunServer(t.Context(), cfg)
	require.ErrorContains(t, err, "starting the server")
	require.ErrorIs(t, err, os.ErrNotExist)

	left, err := os.ReadDir(cfg.TempDir)
	require.NoError(t, err)
	require.Empty(t, left)

	cfg.TempDir += "/missing"
	_, err = RunServer(t.Context(), cfg)
	require.ErrorContains(t, err, "making a directory")
}

func TestCancellingWhileTheServerStartsKillsIt(t *testing.T) {
	cfg := own(t, "silent")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := RunServer(ctx, cfg)
	require.ErrorContains(t, err, "waiting for the server")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	left, err := os.ReadDir(cfg.TempDir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestCancellingTheServerBenchmarkEndsItSoon(t *testing.T) {
	for _, stage := range []string{"loading", "write, 64 goroutines", "bulk, 1 goroutines"} {
		cfg := own(t, "good")
		ctx, cancel := context.WithCancel(t.Context())
		cfg.Progress = func(what string) {
			if what == stage {
				cancel()
			}
		}
		r, err := RunServer(ctx, cfg)
		require.ErrorIs(t, err, context.Canceled)
		require.Nil(t, r)
		left, err := os.ReadDir(cfg.TempDir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func TestCancellingOnARunningServerSaysWhatIsLeftThere(t *testing.T) {
	cfg, c := running(t, afero.NewOsFs())
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = func(what string) {
		if what == "write, 1 goroutines" {
			cancel()
		}
	}
	_, err := RunServer(ctx, cfg)
	require.ErrorContains(t, err, `keys that begin with "hb123456" are left`)
	require.Len(t, keysOf(t, c), cfg.Keys)
}

func TestAServerThatEndsBadlyGivesNoReport(t *testing.T) {
	cfg := own(t, "ends badly")
	r, err := RunServer(t.Context(), cfg)
	require.ErrorContains(t, err, "the server stopped with exit status 4")
	require.Nil(t, r)
}

func TestAServerThatDiesUnderTheBenchmark(t *testing.T) {
	p, err := startServer(t.Context(), own(t, "good"))
	require.NoError(t, err)
	require.NoError(t, p.cmd.Process.Kill())
	<-p.done
	require.ErrorContains(t, p.stop(), "the server ended during the benchmark: signal: killed")
	require.NoDirExists(t, p.dir)
}

func TestServerLogIsReadInAnyPieces(t *testing.T) {
	text := "panic: what?\n{\"msg\":\"recovering\"}\n{\"msg\":\"serving\",\"addr\":\"127.0.0.1:7\"}\n{\"msg\":\"serving\",\"addr\":\"other\"}\n"
	for size := 1; size < len(text); size++ {
		l := serverLog{serving: make(chan string, 1)}
		for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
			n, err := l.Write([]byte(rest[:min(size, len(rest))]))
			require.NoError(t, err)
			require.Equal(t, min(size, len(rest)), n)
		}
		require.Equal(t, "127.0.0.1:7", <-l.serving)
	}
	l := serverLog{serving: make(chan string, 1)}
	for i := range 15 {
		fmt.Fprintf(&l, "%d\n", i)
	}
	require.Equal(t, "5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14", l.lastLines())
	for range 3 {
		_, _ = l.Write(bytes.Repeat([]byte("x"), maxLineBytes))
	}
	require.Len(t, l.partial, maxLineBytes, "a line without end takes no memory without end")
}

func TestServerConfigRefuses(t *testing.T) {
	for message, spoil := range map[string]func(*ServerConfig){
		"neither the address": func(c *ServerConfig) { c.Addr = "" },
		"both the address":    func(c *ServerConfig) { c.Server = []string{"x"} },
		"65537 concurrent":    func(c *ServerConfig) { c.Goroutines = []int{65537} },
		"keys of 15 bytes":    func(c *ServerConfig) { c.KeyBytes = 15 },
		"values of -1 bytes":  func(c *ServerConfig) { c.ValueBytes = -1 },
		"windows of -1ns":     func(c *ServerConfig) { c.Window = -1 },
		"-1 keys":             func(c *ServerConfig) { c.Keys = -1 },
		"-1 pairs":            func(c *ServerConfig) { c.BulkPairs = -1 },
		"-1 connections":      func(c *ServerConfig) { c.Conns = -1 },
	} {
		cfg := smallServer()
		cfg.Addr = "127.0.0.1:1"
		spoil(&cfg)
		_, err := RunServer(t.Context(), cfg)
		require.ErrorContains(t, err, message)
	}
}

func TestServerReportPrints(t *testing.T) {
	r := ServerReport{
		Machine: Machine{"go9", "plan9", "mips", 3}, Addr: "127.0.0.1:7", Started: true, Seed: 5, KeyBytes: 16, ValueBytes: 128,
		Keys: 9, BulkPairs: 10, Conns: 1, WindowMillis: 2000,
		Points:  []Point{{Bulk, 64, 20, 200, 2e6, 10, 100, Latency{1, 2, 3, 4, 5}}},
		Scaling: &Scaling{7.5, 6, 2},
	}
	var text bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	require.Equal(t, `Server 127.0.0.1:7, goroutines sharing one client (1 connections): keys 16 B, values 128 B,
9 keys, 10 pairs a bulk write, 2000 ms each, latency of a call in microseconds

  work  goroutines  calls/s  keys/s  p50  p90  p99  p99.9  max
  bulk          64       10     100    1    2    3      4    5

64 goroutines to 1: write 7.5, read 6.0, bulk 2.0

go9 plan9/mips, 3 CPUs, seed 5
`, text.String())

	var encoded bytes.Buffer
	require.NoError(t, r.WriteJSON(&encoded))
	require.JSONEq(t, `{"machine":{"go":"go9","os":"plan9","arch":"mips","cpus":3},"addr":"127.0.0.1:7","started":true,
		"seed":5,"keyBytes":16,"valueBytes":128,"keys":9,"bulkPairs":10,"conns":1,"windowMillis":2000,
		"points":[{"work":"bulk","goroutines":64,"calls":20,"keys":200,"micros":2000000,"callsPerSecond":10,"keysPerSecond":100,
			"latencyMicros":{"p50":1,"p90":2,"p99":3,"p999":4,"max":5}}],
		"scaling":{"write64to1":7.5,"read64to1":6,"bulk64to1":2}}`, encoded.String())
	require.ErrorIs(t, r.WriteText(brokenWriter{}), errBroken)
	require.ErrorIs(t, r.WriteJSON(brokenWriter{}), errBroken)
}
