package server

import (
	"slices"
	"sync"
	"time"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// scan is an unfinished Keys or Scan. Whoever took it out of its table owns it.
type scan struct {
	op     wire.Op
	snap   *kv.Snapshot
	rest   kv.ScanOptions // what is still to come; Limit is set for each page
	cursor uint64         // under which it waits; 0 before the first page
	since  time.Time      // when it began to wait
}

// scanTable holds the scans of a connection that wait for the request for their next page.
type scanTable struct {
	max  int
	idle time.Duration

	mu      sync.Mutex
	waiting []*scan // at most max, the one that has waited longest first
	last    uint64  // cursor given out last
	timer   *time.Timer
	closed  bool
}

func newScanTable(limit int, idle time.Duration) *scanTable {
	return &scanTable{max: limit, idle: idle}
}

// take removes and returns the scan that waits under cursor for op, or nil.
func (t *scanTable) take(op wire.Op, cursor uint64) *scan {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.waiting, func(s *scan) bool { return s.cursor == cursor && s.op == op })
	if i < 0 {
		return nil
	}
	s := t.waiting[i]
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return s
}

// next gives s the cursor under which its next page will be asked for. It does not wait there yet.
func (t *scanTable) next(s *scan) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	s.cursor = t.last
	return s.cursor
}

// put lets s wait for its next request. If the table is full, the scan that waited longest ends.
func (t *scanTable) put(s *scan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		s.snap.Close()
		return
	}
	if len(t.waiting) == t.max {
		t.dropOldest()
	}
	s.since = time.Now()
	t.waiting = append(t.waiting, s)
	if t.timer == nil {
		t.timer = time.AfterFunc(t.idle, t.expire)
	}
}

// expire ends the scans that have waited for too long. It runs while any scan waits.
func (t *scanTable) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = nil
	for len(t.waiting) > 0 {
		left := t.idle - time.Since(t.waiting[0].since)
		if left > 0 {
			t.timer = time.AfterFunc(left, t.expire)
			return
		}
		t.dropOldest()
	}
}

// dropOldest ends the scan that has waited longest. The caller holds mu.
func (t *scanTable) dropOldest() {
	t.waiting[0].snap.Close()
	t.waiting = slices.Delete(t.waiting, 0, 1)
}

// close ends all scans, those too that are put later.
func (t *scanTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for len(t.waiting) > 0 {
		t.dropOldest()
	}
	if t.timer != nil {
		t.timer.Stop()
	}
}
