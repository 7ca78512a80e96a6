package server

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kv"
)

// gate is a store that holds back every write to a key that begins with "held" until it is opened.
type gate struct {
	*kv.DB
	entered chan string // receives the key of each write that is held back
	opened  chan struct{}
	once    sync.Once
}

func newGate(db *kv.DB) *gate {
	return &gate{DB: db, entered: make(chan string, 1<<16), opened: make(chan struct{})}
}

// open lets the writes go, now and later. It may be called again.
func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) Set(key, value []byte) error {
	if bytes.HasPrefix(key, []byte("held")) {
		g.entered <- string(key)
		<-g.opened
	}
	return g.DB.Set(key, value)
}

// serveGated is serve with a gate, which opens at the end of the test at the latest.
func serveGated(t testing.TB, cfg Config) (*served, *gate) {
	var g *gate
	s := serve(t, cfg, func(db *kv.DB) store {
		g = newGate(db)
		return g
	})
	t.Cleanup(g.open) // before the server is ended
	return s, g
}

// next returns the next write that is held back.
func (g *gate) next(t testing.TB) string {
	select {
	case key := <-g.entered:
		return key
	case <-time.After(patience):
		require.FailNow(t, "no write arrives at the store")
		return ""
	}
}
