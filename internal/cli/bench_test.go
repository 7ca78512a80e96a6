package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/benchmarks"
)

func TestBenchFlagsBecomeABenchmark(t *testing.T) {
	flags := strings.Fields("--key-size 20B --value-size 1KiB --window 1s --seed 7 --dir tmp --keys 9")
	w := newWorld(append(flags, "bench", "--goroutines", "1,2", "--bulk-pairs", "3", "--conns", "4", "--sync", "100ms")...)
	w.Args = append([]string{"bench"}, append(w.Args[len(flags)+1:], flags...)...)
	g, err := parsed(w)
	require.NoError(t, err)
	cfg, err := g.Bench.Server.config(&w.Env)
	require.NoError(t, err)
	exe, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, benchmarks.ServerConfig{
		Server: []string{exe, "serve", "--sync", "100ms"}, TempDir: "tmp", Goroutines: []int{1, 2}, Window: time.Second,
		KeyBytes: 20, ValueBytes: 1024, Keys: 9, BulkPairs: 3, Conns: 4, Seed: 7,
	}, cfg)

	w = newWorld(append([]string{"bench", "engine", "--callers", "5", "--get-keys", "6", "--rounds", "8"}, flags...)...)
	g, err = parsed(w)
	require.NoError(t, err)
	require.Equal(t, benchmarks.EngineConfig{
		Callers: []int{5}, KeyBytes: 20, ValueBytes: 1024, Keys: 9, GetKeys: 6, Rounds: 8, Window: time.Second, Seed: 7,
	}, g.Bench.Engine.config(&w.Env))
	require.Equal(t, "tmp", g.Bench.Engine.Dir)
}

func TestBenchRefusesNonsense(t *testing.T) {
	for _, args := range []string{
		"server --goroutines 1,0", "server --keys=0", "server --bulk-pairs=-1", "server --conns=0", "server --window 0s",
		"server --key-size 8", "server --sync never", "engine --callers 0", "engine --keys=0", "engine --get-keys=0",
		"engine --rounds=0", "engine --window 0s", "engine --key-size 8", "engine --value-size 0",
	} {
		fields := strings.Fields(args)
		w := newWorld(append([]string{"bench"}, fields...)...)
		require.Equal(t, exitUsage, w.run(), args)
		flag, _, _ := strings.Cut(fields[1], "=")
		require.Contains(t, w.err.String(), flag, args)
	}
}

// The smallest benchmark of each kind, of a server that runs and of the engine, for real.
func TestBench(t *testing.T) {
	s := newSession(t)
	out := s.ok("bench", "--goroutines", "1", "--window", "300ms", "--keys", "50", "--bulk-pairs", "5", "--json")
	var r benchmarks.ServerReport
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, s.addr, r.Addr)
	require.False(t, r.Started)
	require.Len(t, r.Points, 3)
	require.Empty(t, s.ok("keys"), "it cleans up behind itself")

	dir := t.TempDir()
	w := newWorld("bench", "engine", "--callers", "1", "--window", "300ms", "--rounds", "1", "--keys", "50", "--get-keys", "50", "--dir", dir)
	w.FS = afero.NewOsFs()
	w.IsTerminal = func(stream any) bool { return stream == w.Stderr }
	require.Equal(t, exitOK, w.run(), &w.err)
	require.Contains(t, w.out.String(), "bare loop")
	require.NotEmpty(t, w.err.String(), "progress, for somebody who watches")
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestBenchWithoutServerExitsThree(t *testing.T) {
	w := newWorld("bench", "--addr", "127.0.0.1:1", "--window", "1ms", "--goroutines", "1")
	require.Equal(t, exitConnect, w.run(), &w.err)
}
