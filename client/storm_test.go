package client

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0: a new one")

// newSeed returns the seed to use, and has it printed should the test fail.
func newSeed(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with: go test ./client -run '^%s$' -seed %d", t.Name(), seed)
	return seed
}

// stormServer is a server on a real socket that does everything wrong at random: answers late, out
// of order or not at all, hangs up before, between and inside frames. It counts how often it saw
// each write.
type stormServer struct {
	t    *testing.T
	ln   net.Listener
	seen *fakeServer // for its bookkeeping

	mu  sync.Mutex
	rnd *rand.Rand
}

func newStorm(t *testing.T, seed uint64) *stormServer {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &stormServer{t: t, ln: ln, seen: newFake(t, nil), rnd: rand.New(rand.NewPCG(seed, 1))}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(&fakeConn{Conn: nc, server: s.seen, r: newReader(nc)}) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		conns.Wait()
	})
	return s
}

func (s *stormServer) dice(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rnd.IntN(n)
}

func (s *stormServer) serve(fc *fakeConn) {
	defer fc.Close()
	var held []wire.Reply
	for {
		payload, err := wire.ReadFrame(fc.r, wire.DefaultMaxFrameBytes, nil)
		if err != nil {
			return
		}
		r, err := wire.ParseRequest(payload)
		if err != nil {
			s.t.Errorf("the client sent what the protocol forbids: %v", err)
			return
		}
		s.seen.note(&r)
		switch s.dice(400) {
		case 0: // after reading, before answering
			return
		case 1: // inside a reply
			frame := wire.AppendReply(nil, ptr(answerTo(r)))
			_, _ = fc.Write(frame[:1+s.dice(len(frame)-1)])
			return
		case 2: // with requests unread, which resets the connection
			_ = fc.Conn.(*net.TCPConn).SetLinger(0)
			return
		}
		held = append(held, answerTo(r))
		if s.dice(100) == 0 {
			continue // later
		}
		s.mu.Lock()
		s.rnd.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		s.mu.Unlock()
		for _, reply := range held {
			if s.dice(200) > 0 && fc.reply(reply) != nil { // else never
				return
			}
		}
		held = held[:0]
	}
}

func ptr[T any](v T) *T { return &v }

// Whatever happens to connections and deadlines: no write is sent twice, a write that ended OK was
// seen, one that Failed was not, and every read gets the answer to its own question.
// Replay with -seed, which fixes what the server and the callers decide, though not their timing.
func TestStormOfBadConnections(t *testing.T) {
	seed := newSeed(t)
	s := newStorm(t, seed)
	c, err := New(s.ln.Addr().String(), &Options{
		Conns: 2, Timeout: 2 * time.Second, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond})
	require.NoError(t, err)
	const callers, calls = 16, 300
	var (
		group    sync.WaitGroup
		mu       sync.Mutex
		outcomes = map[string]Outcome{}
	)
	for g := range callers {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(100+g)))
			for i := range calls {
				short, cancel := context.WithTimeout(ctx, time.Duration(rnd.IntN(3000))*time.Microsecond)
				id := fmt.Sprintf("%d/%d", g, i)
				if rnd.IntN(3) == 0 {
					value, err := c.Get(short, []byte(id))
					if err == nil && string(value) != id {
						t.Errorf("asked for %s, got %q", id, value)
					}
				} else {
					err := c.Set(short, []byte("k"), []byte(id))
					mu.Lock()
					outcomes[id] = OutcomeOf(err)
					mu.Unlock()
				}
				cancel()
			}
		})
	}
	group.Wait()
	require.NoError(t, c.Close())

	count := map[Outcome]int{}
	for id, outcome := range outcomes {
		count[outcome]++
		seen := s.seen.count(id)
		require.LessOrEqual(t, seen, 1, "write %s was sent again", id)
		require.False(t, outcome == OK && seen == 0, "write %s was acknowledged by nobody", id)
		require.False(t, outcome == Failed && seen > 0, "write %s failed and yet was sent", id)
	}
	t.Logf("outcomes: %v", count)
	require.Positive(t, count[OK])
	require.Positive(t, count[Unknown])
}
