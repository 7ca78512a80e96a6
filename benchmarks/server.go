package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"holdfast/client"
)

// ServerConfig says what RunServer measures. The zero value of each field but
// the first two means the default.
type ServerConfig struct {
	// Addr is a server that runs already. The benchmark writes keys of its own
	// there, under a prefix under which there are none yet, and deletes them at
	// the end.
	Addr string
	// Server is, if Addr is empty, the command line of a server to start, such
	// as ["holdfast", "serve"]; its directory, address and log format are added
	// to it. The server and its directory are gone when RunServer returns.
	Server []string
	// Env is added to the environment of that server.
	Env []string
	// TempDir is where its directory is made; default that of the system.
	TempDir string

	Goroutines []int         // that share one client; default 1, 16, 64, 256
	Window     time.Duration // length of each measurement; default 2 s
	KeyBytes   int           // default 16, at least 16
	ValueBytes int           // default 128
	Keys       int           // distinct keys, drawn uniformly; default 100,000
	BulkPairs  int           // pairs of one bulk write; default 100
	Conns      int           // connections of the client; default 1
	Seed       uint64        // of the keys; 0: one is drawn and reported

	// Progress, if not nil, is told what is measured next.
	Progress func(what string)
}

func (c ServerConfig) withDefaults() (ServerConfig, error) {
	if len(c.Goroutines) == 0 {
		c.Goroutines = []int{1, 16, 64, 256}
	}
	fill(&c.Window, 2*time.Second)
	fill(&c.KeyBytes, 16)
	fill(&c.ValueBytes, 128)
	fill(&c.Keys, 100_000)
	fill(&c.BulkPairs, 100)
	fill(&c.Conns, 1)
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c, c.check()
}

func (c ServerConfig) check() error {
	if err := checkGoroutines(c.Goroutines); err != nil {
		return err
	}
	switch {
	case c.Addr == "" && len(c.Server) == 0:
		return errors.New("neither the address of a server nor the command line of one")
	case c.Addr != "" && len(c.Server) > 0:
		return errors.New("both the address of a server and the command line of one")
	case c.KeyBytes < prefixBytes+indexDigits:
		return fmt.Errorf("keys of %d bytes: want at least %d", c.KeyBytes, prefixBytes+indexDigits)
	case c.ValueBytes < 0 || c.Window < 0:
		return fmt.Errorf("values of %d bytes, windows of %v: want no less than nothing", c.ValueBytes, c.Window)
	case c.Keys < 1 || int64(c.Keys) >= 1<<32:
		return fmt.Errorf("%d keys: want 1 to 2^32-1", c.Keys)
	case c.BulkPairs < 1 || c.Conns < 1:
		return fmt.Errorf("%d pairs of a bulk write, %d connections: want at least 1", c.BulkPairs, c.Conns)
	}
	return nil
}

// prefixBytes is the length of the prefix of a run's keys.
const prefixBytes = 8

// callTimeout bounds each call to the server, so that one that hangs is an
// error and not a low figure; connectTimeout the part of it that connects.
const (
	callTimeout    = 10 * time.Second
	connectTimeout = 3 * time.Second
)

// RunServer measures writes, reads and bulk writes of a server. When ctx is
// done it returns soon, with an error; keys on a server that it did not start
// are then left there, and the error names their prefix.
func RunServer(ctx context.Context, cfg ServerConfig) (report *ServerReport, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("benchmark of a server: %w", err)
	}
	b := &serverBench{ServerConfig: cfg, value: newValue(cfg.Seed, cfg.ValueBytes)}
	b.keys = keyspace{prefix: fmt.Sprintf("hb%06x", cfg.Seed&0xffffff), bytes: cfg.KeyBytes, n: uint32(cfg.Keys)}
	if report, err = b.run(ctx); err != nil {
		return nil, fmt.Errorf("benchmark of a server: %w", err)
	}
	return report, nil
}

type serverBench struct {
	ServerConfig
	keys   keyspace
	value  []byte
	client *client.Client
}

// run measures the server that there is, or one of its own.
func (b *serverBench) run(ctx context.Context) (*ServerReport, error) {
	if b.Addr != "" {
		return b.runAt(ctx, b.Addr)
	}
	server, err := startServer(ctx, b.ServerConfig)
	if err != nil {
		return nil, err
	}
	report, err := b.runAt(ctx, server.addr)
	if err = errors.Join(err, server.stop()); err != nil {
		return nil, err
	}
	return report, nil
}

func (b *serverBench) runAt(ctx context.Context, addr string) (*ServerReport, error) {
	var err error
	b.client, err = client.New(addr, &client.Options{Timeout: callTimeout, ConnectTimeout: connectTimeout, Conns: b.Conns})
	if err != nil {
		return nil, err
	}
	report, err := b.runWithClient(ctx, addr)
	if err = errors.Join(err, b.client.Close()); err != nil {
		return nil, err
	}
	return report, nil
}

func (b *serverBench) runWithClient(ctx context.Context, addr string) (*ServerReport, error) {
	if err := b.checkUnused(ctx); err != nil {
		return nil, err
	}
	report, err := b.measure(ctx, addr)
	if b.Addr != "" {
		err = errors.Join(err, b.cleanUp(ctx))
	}
	return report, err
}

// checkUnused makes sure that no key of somebody else can be overwritten.
func (b *serverBench) checkUnused(ctx context.Context) error {
	for key, err := range b.client.Keys(ctx, client.ScanOptions{Prefix: []byte(b.keys.prefix), Limit: 1}) {
		if err != nil {
			return fmt.Errorf("looking for keys under %q: %w", b.keys.prefix, err)
		}
		return fmt.Errorf("the server has the key %q already; choose another seed than %d", key, b.Seed)
	}
	return nil
}

func (b *serverBench) measure(ctx context.Context, addr string) (*ServerReport, error) {
	r := &ServerReport{
		Machine: thisMachine(), Addr: addr, Started: b.Addr == "", Seed: b.Seed, KeyBytes: b.KeyBytes,
		ValueBytes: b.ValueBytes, Keys: b.Keys, BulkPairs: b.BulkPairs, Conns: b.Conns,
		WindowMillis: b.Window.Milliseconds(),
	}
	b.Progress("loading")
	if err := b.overKeys(ctx, b.setAll); err != nil {
		return nil, fmt.Errorf("loading %d keys: %w", b.Keys, err)
	}
	for _, w := range []struct {
		work Work
		op   func(goroutine int) operation
		keys int // of one operation
	}{{Write, b.write, 1}, {Read, b.read, 1}, {Bulk, b.bulk, b.BulkPairs}} {
		for _, goroutines := range b.Goroutines {
			b.Progress(fmt.Sprintf("%s, %d goroutines", w.work, goroutines))
			s, err := load{goroutines: goroutines, window: b.Window, latency: true}.run(ctx, w.op)
			if err != nil {
				return nil, fmt.Errorf("%s with %d goroutines: %w", w.work, goroutines, err)
			}
			r.Points = append(r.Points, newPoint(w.work, goroutines, w.keys, s))
		}
	}
	r.Scaling = scaling(r.Points)
	return r, nil
}

func (b *serverBench) write(goroutine int) operation {
	p := b.keys.picker(b.Seed, goroutine)
	return func(ctx context.Context) error {
		_, key := p.next()
		return b.client.Set(ctx, key, b.value)
	}
}

func (b *serverBench) read(goroutine int) operation {
	p := b.keys.picker(b.Seed, goroutine)
	return func(ctx context.Context) error {
		_, key := p.next()
		value, err := b.client.Get(ctx, key)
		if err == nil && len(value) != len(b.value) {
			err = fmt.Errorf("the value of %s has %d bytes, want %d", key, len(value), len(b.value))
		}
		return err
	}
}

func (b *serverBench) bulk(goroutine int) operation {
	p := b.keys.picker(b.Seed, goroutine)
	pairs := make([]client.Pair, b.BulkPairs)
	for i := range pairs {
		pairs[i] = client.Pair{Key: b.keys.template(), Value: b.value}
	}
	return func(ctx context.Context) error {
		for i := range pairs {
			_, key := p.next()
			copy(pairs[i].Key, key)
		}
		return b.client.BulkSet(ctx, pairs)
	}
}

// cleanUp deletes the keys of the run.
func (b *serverBench) cleanUp(ctx context.Context) error {
	b.Progress("deleting what was written")
	if err := b.overKeys(ctx, b.deleteAll); err != nil {
		return fmt.Errorf("keys that begin with %q are left on the server: %w", b.keys.prefix, err)
	}
	return nil
}

const (
	sweepers   = 64  // goroutines that load and delete
	sweepChunk = 100 // keys that one takes at a time
)

// overKeys calls do with all keys of the run, some at a time.
func (b *serverBench) overKeys(ctx context.Context, do func(ctx context.Context, keys [][]byte) error) error {
	numbers := make([]uint32, b.keys.n)
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	chunks := slices.Collect(slices.Chunk(numbers, sweepChunk))
	_, err := load{goroutines: min(sweepers, len(chunks)), ops: int64(len(chunks))}.run(ctx, func(g int) operation {
		next := g
		return func(ctx context.Context) error {
			keys := make([][]byte, len(chunks[next]))
			for i, number := range chunks[next] {
				keys[i] = b.keys.template()
				b.keys.put(keys[i], number)
			}
			next += min(sweepers, len(chunks))
			return do(ctx, keys)
		}
	})
	return err
}

func (b *serverBench) setAll(ctx context.Context, keys [][]byte) error {
	pairs := make([]client.Pair, len(keys))
	for i, key := range keys {
		pairs[i] = client.Pair{Key: key, Value: b.value}
	}
	return b.client.BulkSet(ctx, pairs)
}

func (b *serverBench) deleteAll(ctx context.Context, keys [][]byte) error {
	for _, key := range keys {
		if _, err := b.client.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
