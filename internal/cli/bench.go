package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"holdfast/benchmarks"
	"holdfast/kv"
)

type benchCmd struct {
	Server benchServerCmd `cmd:"" default:"withargs" help:"Measure a server through the client (this is what bench means alone)."`
	Engine benchEngineCmd `cmd:"" help:"Hold the storage engine against what the disk can do."`
}

// load are the flags that both benchmarks have.
type load struct {
	KeySize   byteSize      `default:"16B" help:"Size of each key, 16 bytes or more."`
	ValueSize byteSize      `default:"128B" help:"Size of each value."`
	Window    time.Duration `default:"2s" help:"Length of each measurement."`
	Seed      uint64        `help:"Where keys are drawn from; 0: a new one, which is printed."`
	Dir       string        `default:"." help:"Directory for temporary data; it should be on the disk that matters, not in memory."`
	JSON      bool          `help:"Print the report as JSON."`
}

type benchServerCmd struct {
	load
	Addr       string        `placeholder:"HOST:PORT" help:"Server to measure; without it, one is started and stopped."`
	Sync       kv.SyncPolicy `default:"always" flagonly:"" help:"Sync policy of the server that is started."`
	Goroutines []int         `default:"1,16,64,256" help:"Numbers of goroutines that share one client."`
	Keys       int           `default:"100000" help:"Distinct keys."`
	BulkPairs  int           `default:"100" help:"Pairs of one bulk write."`
	Conns      int           `default:"1" help:"Connections of the client."`
}

// Run measures writes, reads and bulk writes over the network.
func (cmd *benchServerCmd) Run(ctx context.Context, env *Env) error {
	cfg, err := cmd.config(env)
	if err != nil {
		return err
	}
	r, err := benchmarks.RunServer(ctx, cfg)
	if err != nil {
		return err
	}
	return printReport(env.Stdout, r, cmd.JSON)
}

func (cmd *benchServerCmd) config(env *Env) (cfg benchmarks.ServerConfig, err error) {
	if err := cmd.check(cmd.Goroutines, "--goroutines", map[string]int{
		"--keys": cmd.Keys, "--bulk-pairs": cmd.BulkPairs, "--conns": cmd.Conns,
	}); err != nil {
		return cfg, err
	}
	cfg = benchmarks.ServerConfig{
		Addr: cmd.Addr, TempDir: cmd.Dir, Goroutines: cmd.Goroutines, Window: cmd.Window,
		KeyBytes: int(cmd.KeySize), ValueBytes: int(cmd.ValueSize), Keys: cmd.Keys,
		BulkPairs: cmd.BulkPairs, Conns: cmd.Conns, Seed: cmd.Seed, Progress: progress(env),
	}
	if cmd.Addr == "" {
		exe, err := os.Executable()
		if err != nil {
			return cfg, fmt.Errorf("finding this program, to start it as the server: %w", err)
		}
		cfg.Server = []string{exe, "serve", "--sync", cmd.Sync.String()}
	}
	return cfg, nil
}

type benchEngineCmd struct {
	load
	Callers []int `default:"1,16,64,256" help:"Numbers of callers that write at once."`
	Keys    int   `default:"1000000" help:"Distinct keys that are written."`
	GetKeys int   `default:"100000" help:"Keys in the store that is read."`
	Rounds  int   `default:"5" help:"Rounds of each comparison."`
}

// Run compares the engine with the disk.
func (cmd *benchEngineCmd) Run(ctx context.Context, env *Env) error {
	if err := cmd.check(cmd.Callers, "--callers", map[string]int{
		"--keys": cmd.Keys, "--get-keys": cmd.GetKeys, "--rounds": cmd.Rounds,
	}); err != nil {
		return err
	}
	r, err := benchmarks.RunEngine(ctx, env.FS, cmd.Dir, cmd.config(env))
	if err != nil {
		return err
	}
	return printReport(env.Stdout, r, cmd.JSON)
}

func (cmd *benchEngineCmd) config(env *Env) benchmarks.EngineConfig {
	return benchmarks.EngineConfig{
		Callers: cmd.Callers, KeyBytes: int(cmd.KeySize), ValueBytes: int(cmd.ValueSize), Keys: cmd.Keys,
		GetKeys: cmd.GetKeys, Rounds: cmd.Rounds, Window: cmd.Window, Seed: cmd.Seed, Progress: progress(env),
	}
}

// check refuses what a benchmark cannot do. Zero, which means the default there, is no value here.
func (l *load) check(counts []int, flag string, positive map[string]int) error {
	for _, n := range counts {
		if n < 1 {
			return usageError{fmt.Errorf("%s has %d, each must be at least 1", flag, n)}
		}
	}
	for name, n := range positive {
		if n < 1 {
			return usageError{fmt.Errorf("%s is %d, must be at least 1", name, n)}
		}
	}
	if l.KeySize < 16 {
		return usageError{fmt.Errorf("--key-size is %d, must be at least 16", l.KeySize)}
	}
	if l.Window <= 0 {
		return usageError{fmt.Errorf("--window is %v, must be above zero", l.Window)}
	}
	return nil
}

// progress tells somebody who watches what is being measured; nil when nobody does.
func progress(env *Env) func(what string) {
	if !env.IsTerminal(env.Stderr) {
		return nil
	}
	return func(what string) { fmt.Fprintln(env.Stderr, what) }
}
