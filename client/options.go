package client

import (
	"context"
	"fmt"
	"net"
	"time"

	"holdfast/internal/wire"
)

// Options configure a Client. The zero value, and a nil pointer to it, mean the defaults.
type Options struct {
	// Timeout bounds each call, connecting and retries included. A context with an earlier deadline
	// wins. For scans it bounds each page, not the whole. 0: 5 s.
	Timeout time.Duration

	// ConnectTimeout bounds the part of a call that waits for a connection, so that a server that
	// is not there is reported before Timeout. 0: the deadline of the call alone.
	ConnectTimeout time.Duration

	// DialTimeout bounds one attempt to connect; another follows while calls wait. 0: 2 s.
	DialTimeout time.Duration

	// MinBackoff and MaxBackoff bound the pause between two attempts to connect. It starts at the
	// first, doubles to the second, and varies by half in both directions. 0: 20 ms and 1 s.
	MinBackoff, MaxBackoff time.Duration

	// StallTimeout is how long a connection may take none of the bytes that are written to it, or
	// give no reply while replies are owed and calls run into their deadlines, before new calls go
	// elsewhere. 0: 10 s.
	StallTimeout time.Duration

	// MaxFrameBytes bounds the payload of a request and of a reply. The server has its own limit.
	// 0: 10 MiB.
	MaxFrameBytes int

	// Conns is the number of connections over which calls are spread. One shares system calls best;
	// more help where a single TCP stream is the bottleneck. 0: 1.
	Conns int

	// Dial connects to the server. nil: TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// queueBytes is how much may wait to be sent on one connection before callers have to wait.
const queueBytes = 4 << 20

// withDefaults returns the options with every zero field filled in.
func (o *Options) withDefaults() (Options, error) {
	var full Options
	if o != nil {
		full = *o
	}
	for _, d := range []struct {
		name  string
		field *time.Duration
		zero  time.Duration
	}{
		{"Timeout", &full.Timeout, 5 * time.Second},
		{"ConnectTimeout", &full.ConnectTimeout, 0},
		{"DialTimeout", &full.DialTimeout, 2 * time.Second},
		{"MinBackoff", &full.MinBackoff, 20 * time.Millisecond},
		{"MaxBackoff", &full.MaxBackoff, max(time.Second, full.MinBackoff)},
		{"StallTimeout", &full.StallTimeout, 10 * time.Second},
	} {
		if *d.field < 0 {
			return Options{}, fmt.Errorf("option %s is %v, must not be negative", d.name, *d.field)
		}
		if *d.field == 0 {
			*d.field = d.zero
		}
	}
	if full.MaxFrameBytes < 0 || full.Conns < 0 {
		return Options{}, fmt.Errorf("options MaxFrameBytes (%d) and Conns (%d) must not be negative",
			full.MaxFrameBytes, full.Conns)
	}
	if full.MaxBackoff < full.MinBackoff {
		return Options{}, fmt.Errorf("option MaxBackoff (%v) is below MinBackoff (%v)", full.MaxBackoff, full.MinBackoff)
	}
	if full.MaxFrameBytes == 0 {
		full.MaxFrameBytes = wire.DefaultMaxFrameBytes
	}
	if full.Conns == 0 {
		full.Conns = 1
	}
	if full.Dial == nil {
		full.Dial = (&net.Dialer{}).DialContext
	}
	return full, nil
}
