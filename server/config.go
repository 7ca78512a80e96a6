package server

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"holdfast/internal/wire"
)

// ErrInvalidConfig is returned by New and Run when a field of Config is out of range.
var ErrInvalidConfig = errors.New("invalid server configuration")

// Config tunes a Server. The zero value of every field means the default.
type Config struct {
	// MaxFrameBytes is the largest payload of a frame, received or sent; default 10 MiB, at least
	// 256 KiB so that any request of keys alone fits.
	MaxFrameBytes int
	// MaxConns is the most connections at a time, default 1024. One more is told so and closed.
	MaxConns int
	// MaxInFlight is the most requests of one connection between arrival and written reply,
	// default 1024. At the bound the server reads no further from that connection.
	MaxInFlight int
	// MaxInFlightBytes bounds the memory of requests and replies of all connections, default
	// 512 MiB, at least about 6 times MaxFrameBytes. Beside it every connection costs up to
	// about 200 KiB of buffers.
	MaxInFlightBytes int64

	// FrameTimeout is how long a peer may take for a frame it has begun, and how long a large
	// request waits for memory before it is refused as Busy; default 30 s.
	FrameTimeout time.Duration
	// WriteTimeout is how long a peer may take to accept a batch of replies; default 30 s.
	WriteTimeout time.Duration
	// DrainTimeout is how long Serve waits at the end for requests in flight and for peers to
	// read their replies; default 10 s.
	DrainTimeout time.Duration

	// MaxScans is the most unfinished scans that one connection may leave waiting, default 64;
	// one more ends the one that waited longest. Each holds a snapshot of the store.
	MaxScans int
	// ScanIdle is how long an unfinished scan waits for its next request; default 60 s.
	ScanIdle time.Duration

	// Logger receives what happens to the server, never a value. Nil discards.
	Logger *slog.Logger

	// linger is how long a peer that was told goodbye gets to read it; default 1 s.
	linger time.Duration
}

const (
	minFrameBytes = 256 << 10

	// callBytes is what a request costs besides its bytes: the stack of its goroutine and its
	// bookkeeping here and in the store.
	callBytes = 8 << 10

	// maxAllowance is the most that is set aside for each connection.
	maxAllowance = 128 << 10

	// storedPairBytes is what a pair of a BulkSet costs the store while it is applied, besides
	// its bytes: a place in the batch, a record header, a key for the index.
	storedPairBytes = 200

	// A page of a scan ends at whichever of the two comes first.
	maxPageBytes   = 1 << 20 // of keys and values, unless one pair alone has more
	maxPageEntries = 8 << 10

	// pageEntryBytes is what an entry of a page costs besides its bytes.
	pageEntryBytes = 256
)

// withDefaults fills in the zero fields and checks the others.
func (c Config) withDefaults() (Config, error) {
	fill(&c.MaxFrameBytes, wire.DefaultMaxFrameBytes)
	fill(&c.MaxConns, 1024)
	fill(&c.MaxInFlight, 1024)
	fill(&c.MaxInFlightBytes, 512<<20)
	fill(&c.FrameTimeout, 30*time.Second)
	fill(&c.WriteTimeout, 30*time.Second)
	fill(&c.DrainTimeout, 10*time.Second)
	fill(&c.MaxScans, 128)
	fill(&c.ScanIdle, time.Minute)
	fill(&c.linger, time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) check() error {
	switch {
	case c.MaxFrameBytes < minFrameBytes || int64(c.MaxFrameBytes) > 1<<30:
		return fmt.Errorf("%w: MaxFrameBytes is %d, want %d to %d", ErrInvalidConfig, c.MaxFrameBytes, minFrameBytes, 1<<30)
	case c.MaxConns < 0 || c.MaxInFlight < 0 || c.MaxScans < 0:
		return fmt.Errorf("%w: MaxConns, MaxInFlight and MaxScans must be positive", ErrInvalidConfig)
	case c.FrameTimeout < 0 || c.WriteTimeout < 0 || c.DrainTimeout < 0 || c.ScanIdle < 0:
		return fmt.Errorf("%w: a timeout must be positive", ErrInvalidConfig)
	case c.sharedBytes() < c.perConnBytes():
		return fmt.Errorf("%w: MaxInFlightBytes is %d, too little for one request with MaxFrameBytes %d",
			ErrInvalidConfig, c.MaxInFlightBytes, c.MaxFrameBytes)
	}
	return nil
}

// allowance is what each connection has of MaxInFlightBytes for itself: together at most a quarter.
func (c Config) allowance() int64 {
	return min(maxAllowance, c.MaxInFlightBytes/4/int64(c.MaxConns))
}

// sharedBytes is what remains of MaxInFlightBytes for whoever needs more than his allowance.
func (c Config) sharedBytes() int64 {
	return c.MaxInFlightBytes - c.allowance()*int64(c.MaxConns)
}

// perConnBytes is what one connection may hold at a time, unless a single request needs more. It
// must be there in full for a frame and the reply to it.
func (c Config) perConnBytes() int64 {
	return max(callBytes+4*int64(c.MaxFrameBytes), c.sharedBytes()/8)
}

// pageBytes is how many bytes of keys and values go on one page of a scan. The other half of the
// smallest frame has room for the lengths of maxPageEntries.
func (c Config) pageBytes() int { return min(maxPageBytes, c.MaxFrameBytes/2) }

// pageCost is the memory for a page and its encoding.
func (c Config) pageCost() int64 { return 2*int64(c.pageBytes()) + maxPageEntries*pageEntryBytes }

// maxValueBytes is the largest value that the reply to a Get can carry.
func (c Config) maxValueBytes() int {
	empty := wire.Reply{Op: wire.OpGet}
	return c.MaxFrameBytes - empty.PayloadBytes()
}

// maxPairBytes is the most that key and value of one pair may take together, so that a page with
// that pair alone still fits a frame.
func (c Config) maxPairBytes() int {
	alone := wire.Reply{Op: wire.OpScan, Pairs: make([]wire.Pair, 1)}
	return c.MaxFrameBytes - alone.PayloadBytes()
}
