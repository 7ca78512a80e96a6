package cli

import (
	"errors"
	"fmt"
	"time"

	"holdfast/client"
)

// remote is how a command reaches its server.
type remote struct {
	Addr           string        `default:"127.0.0.1:65433" help:"Server to talk to."`
	Timeout        time.Duration `default:"5s" help:"Longest time for one request."`
	ConnectTimeout time.Duration `default:"1s" help:"Longest time to wait for a connection; it is tried again until then."`
	MaxFrame       byteSize      `default:"10MiB" help:"Largest request and reply."`
}

func (r *remote) options() *client.Options {
	return &client.Options{
		Timeout: r.Timeout, ConnectTimeout: r.ConnectTimeout, MaxFrameBytes: int(r.MaxFrame),
	}
}

// with calls f with a client and closes the client afterwards.
func (r *remote) with(f func(c *client.Client) error) error {
	c, err := client.New(r.Addr, r.options())
	if err != nil {
		return usageError{err}
	}
	defer c.Close()
	return f(c)
}

// notFound is the error for a key that is not there.
func notFound(key string) error { return fmt.Errorf("key %q: %w", key, errNotFound) }

var errNotFound = errors.New("not found")
