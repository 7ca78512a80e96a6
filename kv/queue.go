package kv

import "sync"

// write is what a caller hands to the committer: encoded records that become
// durable together. The caller owns it before push and again after done.
type write struct {
	records []byte   // whole records, not placed yet
	keys    []string // one per record
	flush   bool     // no records: make everything before it durable

	offset int64  // of records in the active segment, set by the committer
	seq    uint64 // of the first record, set by the committer

	existed bool // of the last Delete: the key was there
	err     error
	done    chan struct{} // receives once err and existed are set
}

// maxPooledRecords bounds the memory that an idle write keeps, in bytes.
const maxPooledRecords = 64 << 10

// writePool reuses writes. Each store has its own: a channel must not wander
// from one synctest bubble to another.
type writePool struct{ pool sync.Pool }

func (p *writePool) get() *write {
	if w, ok := p.pool.Get().(*write); ok {
		return w
	}
	return &write{done: make(chan struct{}, 1)}
}

// add encodes one record and keeps a copy of its key for the index.
func (w *write) add(kind, flags uint8, key, value []byte) {
	w.records = appendRecord(w.records, kind, flags, key, value)
	w.keys = append(w.keys, string(key))
}

// put takes w back. The caller must not use it again.
func (p *writePool) put(w *write) {
	if cap(w.records) > maxPooledRecords {
		w.records = nil
	}
	clear(w.keys)
	*w = write{records: w.records[:0], keys: w.keys[:0], done: w.done}
	p.pool.Put(w)
}

func (w *write) finish(err error) {
	w.err = err
	w.done <- struct{}{}
}

// queue is where callers leave their writes for the committer. Its length is
// bounded by the number of callers, each of which waits for its own write.
type queue struct {
	mu      sync.Mutex
	waiting []*write // guarded by mu
	closed  bool     // guarded by mu

	// wake has room for one: a signal that is there already will do.
	wake chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// push leaves w for the committer. It reports false after close.
func (q *queue) push(w *write) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, w)
	first := len(q.waiting) == 1
	q.mu.Unlock()
	if first {
		q.signal()
	}
	return true
}

// take returns everything that waits, in order, and reuses spare for what
// comes next.
func (q *queue) take(spare []*write) (waiting []*write, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, q.waiting = q.waiting, spare[:0]
	return waiting, q.closed
}

// close refuses further writes. What waits is still taken.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
