package kv

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"
)

const (
	// MaxKeyBytes is the largest key, in bytes. The smallest is one byte.
	MaxKeyBytes = 64 << 10
	// MaxBatchBytes is the most that the encoded records of one batch may
	// take, in bytes.
	MaxBatchBytes = 1 << 30

	defaultSegmentBytes  = 64 << 20
	defaultMaxValueBytes = 64 << 20
	defaultBoundEvery    = time.Second
	defaultResumeEvery   = time.Second

	minSegmentBytes = 4 << 10
	maxSegmentBytes = 16 << 30
	maxMaxValue     = MaxBatchBytes / 2
)

// Options tunes a store. The zero value of every field, and a nil *Options,
// mean the default.
type Options struct {
	// Sync says when a write is acknowledged. Zero is SyncAlways.
	Sync SyncPolicy
	// SegmentBytes is the size that a segment file is preallocated to, and at
	// which the next one is begun: 4 KiB to 16 GiB, default 64 MiB. A batch or
	// value that does not fit gets a larger segment of its own.
	SegmentBytes int64
	// MaxValueBytes is the largest value a write may have, up to 512 MiB;
	// default 64 MiB. Larger values that are already stored stay readable.
	MaxValueBytes int
	// Logger receives what happens to the store, never keys' values. Nil
	// discards.
	Logger *slog.Logger

	// BoundEvery is how long a durable record may wait, while the store is
	// open, until a manifest says that it is durable. Damage to a record that
	// a manifest vouches for is always recognised; damage to a younger one that
	// takes all that follows along looks like a torn write, and is cut and
	// reported. Each time costs one small file and two syncs, and only when
	// there was a write. More than zero, default a second. Nothing that was
	// acknowledged depends on it.
	BoundEvery time.Duration
	// Rand is where the ids of new stores and segments come from. They tell
	// files apart, also from what other files left in recycled space: if ids
	// repeat, a stale block can pass for a good one. Nil, the default, is
	// crypto/rand, as it must be in production; a test whose bytes must repeat
	// hands in its own. It is read by one goroutine at a time, and by none
	// after Close. An error of it fails what needed the id.
	Rand io.Reader

	// resumeEvery is how long a fenced store waits before it first tries to go
	// on. Zero is defaultResumeEvery.
	resumeEvery time.Duration
}

// withDefaults returns the options with defaults filled in, or an error that
// is ErrInvalidOptions.
func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = defaultSegmentBytes
	}
	if opts.MaxValueBytes == 0 {
		opts.MaxValueBytes = defaultMaxValueBytes
	}
	if opts.BoundEvery == 0 {
		opts.BoundEvery = defaultBoundEvery
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.resumeEvery == 0 {
		opts.resumeEvery = defaultResumeEvery
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.SegmentBytes < minSegmentBytes || opts.SegmentBytes > maxSegmentBytes {
		return opts, fmt.Errorf("%w: SegmentBytes is %d, want %d to %d",
			ErrInvalidOptions, opts.SegmentBytes, minSegmentBytes, int64(maxSegmentBytes))
	}
	if opts.MaxValueBytes < 0 || opts.MaxValueBytes > maxMaxValue {
		return opts, fmt.Errorf("%w: MaxValueBytes is %d, want 1 to %d",
			ErrInvalidOptions, opts.MaxValueBytes, maxMaxValue)
	}
	if opts.BoundEvery < 0 {
		return opts, fmt.Errorf("%w: BoundEvery is %v, want more than zero", ErrInvalidOptions, opts.BoundEvery)
	}
	if opts.Sync.interval < 0 {
		return opts, fmt.Errorf("%w: the sync interval is %v, want more than zero",
			ErrInvalidOptions, opts.Sync.interval)
	}
	return opts, nil
}

// SyncPolicy says when a write is acknowledged. The zero value is SyncAlways.
type SyncPolicy struct {
	interval time.Duration // zero: always
}

// SyncAlways acknowledges a write once it is durable.
var SyncAlways SyncPolicy

// SyncEvery acknowledges a write at once, gathers writes in memory, and writes
// and syncs them once per interval. A crash may lose what the last interval
// acknowledged. The interval must be more than zero.
func SyncEvery(interval time.Duration) SyncPolicy {
	if interval <= 0 {
		interval = -1 // refused by Open: an interval of zero would read as always
	}
	return SyncPolicy{interval}
}

// ParseSyncPolicy reads what String prints: "always", or a duration above
// zero such as "100ms".
func ParseSyncPolicy(s string) (SyncPolicy, error) {
	if s == "always" {
		return SyncAlways, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return SyncPolicy{}, fmt.Errorf("sync policy %q: want \"always\" or a duration above zero such as 100ms", s)
	}
	return SyncEvery(d), nil
}

// Always reports whether writes are acknowledged only once durable.
func (p SyncPolicy) Always() bool { return p.interval == 0 }

// Interval is the time between syncs, zero when every write is synced.
func (p SyncPolicy) Interval() time.Duration { return p.interval }

// String returns "always" or the interval.
func (p SyncPolicy) String() string {
	if p.Always() {
		return "always"
	}
	return p.interval.String()
}

// MarshalText is String.
func (p SyncPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParseSyncPolicy.
func (p *SyncPolicy) UnmarshalText(text []byte) (err error) {
	*p, err = ParseSyncPolicy(string(text))
	return err
}
