package chaos

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"holdfast/client"
	"holdfast/internal/wire"
)

// memStore is an honest store in memory that can be killed. After atMost writes, further ones hang
// until the kill, and then their outcome is unknown: every kill is mid-write.
type memStore struct {
	dead   chan struct{}
	atMost int
	full   chan struct{} // closed when the first write hangs
	reads  error         // what reads return, if not nil
	onGet  func()        // called by every Get after it took its value; may be nil

	mu      sync.Mutex // guards what follows
	values  map[string][]byte
	history []string // of the requests that were carried out or hang
	hanging int
}

func newMemStore(atMost int) *memStore {
	return &memStore{
		dead: make(chan struct{}), full: make(chan struct{}), atMost: atMost, values: map[string][]byte{},
	}
}

func refusal(o client.Outcome, status wire.Status) error {
	return &client.Error{Op: "Test", Outcome: o, Status: status, Err: errors.New("refused")}
}

// write carries out do, unless the store is at its limit: then it hangs, and returns Unknown. Once
// the store is dead it returns Failed, since nothing can have been sent.
func (m *memStore) write(what string, keys int, do func()) error {
	m.mu.Lock()
	select {
	case <-m.dead:
		m.mu.Unlock()
		return refusal(client.Failed, 0)
	default:
	}
	m.history = append(m.history, what)
	if len(m.history) <= m.atMost {
		defer m.mu.Unlock()
		do()
		return nil
	}
	m.hanging += keys
	if len(m.history) == m.atMost+1 {
		close(m.full)
	}
	m.mu.Unlock()
	<-m.dead
	return refusal(client.Unknown, 0)
}

func (m *memStore) Set(_ context.Context, key, value []byte) error {
	return m.write("set "+string(key), 1, func() { m.values[string(key)] = value })
}

func (m *memStore) Delete(_ context.Context, key []byte) (existed bool, err error) {
	err = m.write("delete "+string(key), 1, func() {
		_, existed = m.values[string(key)]
		delete(m.values, string(key))
	})
	return existed, err
}

func (m *memStore) BulkSet(_ context.Context, pairs []client.Pair) error {
	what := "batch"
	for _, p := range pairs {
		what += " " + string(p.Key)
	}
	return m.write(what, len(pairs), func() {
		for _, p := range pairs {
			m.values[string(p.Key)] = p.Value
		}
	})
}

func (m *memStore) Get(ctx context.Context, key []byte) ([]byte, error) {
	if m.onGet != nil {
		defer m.onGet()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reads != nil {
		return nil, m.reads
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	value, found := m.values[string(key)]
	if !found {
		return nil, refusal(client.Failed, wire.StatusNotFound)
	}
	return value, nil
}

func (m *memStore) Keys(context.Context, client.ScanOptions) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for key := range m.values {
			if !yield([]byte(key), nil) {
				return
			}
		}
		if m.reads != nil {
			yield(nil, m.reads)
		}
	}
}

// steps returns what was carried out so far.
func (m *memStore) steps() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.history)
}
