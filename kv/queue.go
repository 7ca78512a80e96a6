package kv

import "sync"

// write is what a caller hands to the committer: encoded records that become
// durable together. The caller owns it before push and again once its group is
// done.
type write struct {
	records []byte   // whole records, not placed yet
	keys    []string // one per record
	flush   bool     // no records: make everything before it durable

	offset int64  // of records in the active segment, set by the committer
	seq    uint64 // of the first record, set by the committer

	existed bool  // of the last Delete: the key was there
	err     error // the outcome
}

// maxPooledRecords bounds the memory that an idle write keeps, in bytes.
const maxPooledRecords = 64 << 10

var writePool = sync.Pool{New: func() any { return new(write) }}

func newWrite() *write { return writePool.Get().(*write) }

// add encodes one record and keeps a copy of its key for the index.
func (w *write) add(kind, flags uint8, key, value []byte) {
	w.records = appendRecord(w.records, kind, flags, key, value)
	w.keys = append(w.keys, string(key))
}

// release gives w back to the pool. The caller must not use it again.
func (w *write) release() {
	if cap(w.records) > maxPooledRecords {
		w.records = nil
	}
	clear(w.keys)
	*w = write{records: w.records[:0], keys: w.keys[:0]}
	writePool.Put(w)
}

// group is writes that share one sync. Closing one channel wakes all their
// callers for less than a message to each.
type group struct {
	writes []*write
	bytes  int64
	done   chan struct{} // closed once every write has its outcome

	seg     *segment // where the records stand, set by the committer
	lastSeq uint64   // of the last record, set by the committer
}

// placeAtStart notes that the records of the group, and nothing else, stand at
// the start of seg, with the sequence numbers that they had.
func (g *group) placeAtStart(seg *segment) {
	g.seg = seg
	offset := int64(segmentHeaderBytes)
	for _, w := range g.writes {
		w.offset = offset
		offset += int64(len(w.records))
	}
}

// finish gives every write of the group the same outcome and wakes the callers.
func (g *group) finish(err error) {
	for _, w := range g.writes {
		w.err = err
	}
	close(g.done)
}

// maxGroupBytes bounds one group, and so the memory and the time that one sync
// takes. A single larger write is a group of its own.
const maxGroupBytes = 4 << 20

// queue is where callers leave their writes for the committer, in groups. Its
// length is bounded by the number of callers, each of which waits for its own
// write.
type queue struct {
	mu      sync.Mutex
	waiting []*group // guarded by mu
	closed  bool     // guarded by mu

	// wake has room for one: a signal that is there already will do.
	wake chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// push leaves w for the committer and returns the group that it has joined, nil
// after close.
func (q *queue) push(w *write) *group {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	size := int64(len(w.records))
	first := len(q.waiting) == 0
	if first || q.waiting[len(q.waiting)-1].bytes+size > maxGroupBytes {
		q.waiting = append(q.waiting, &group{done: make(chan struct{})})
	}
	g := q.waiting[len(q.waiting)-1]
	g.writes = append(g.writes, w)
	g.bytes += size
	q.mu.Unlock()
	if first {
		q.signal()
	}
	return g
}

// take returns the group that has waited longest, nil when none does.
func (q *queue) take() (g *group, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil, q.closed
	}
	g, q.waiting = q.waiting[0], q.waiting[1:]
	return g, false
}

// idle reports whether nothing waits.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
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
