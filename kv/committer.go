package kv

import (
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/internal/vfs"
)

// committer is the one goroutine that owns the tail of the log. It gathers what
// callers leave in the queue into a group, writes and syncs the group once, and
// then publishes it to readers. While it is in a sync the next group gathers.
//
// Its fields belong to that goroutine; Close reads them after it has ended.
type committer struct {
	db       *DB
	segments []*segment // every open one, the active one last
	active   *segment   // nil: the next write begins a segment
	tail     placement  // where the next record goes
	durable  placement  // where tail was after the last good sync

	// buf holds the records from durable to tail: under SyncAlways the group
	// in hand, otherwise what the interval has gathered.
	buf []byte

	manifest manifest // what the next manifest will say, but for the active segment's length
	dirty    bool     // the newest durable manifest does not say it yet
	next     uint64   // number of the next segment file; none is used twice
	outdated []uint64 // generations of manifests to remove after the next one

	timer     *time.Timer // runs while an interval's records wait
	scheduled bool
	full      bool // the last attempt to make room or to flush found the disk full
}

const (
	// maxGroupBytes bounds one group, and so the memory and the time that one
	// sync takes. A single larger write is a group of its own.
	maxGroupBytes = 4 << 20
	// maxGatheredBytes is how much an interval gathers before it is written
	// early.
	maxGatheredBytes = 8 << 20
)

func newCommitter(db *DB, r *recovery) *committer {
	c := &committer{
		db: db, segments: r.segments, active: r.active, tail: r.tail,
		manifest: r.manifest, next: r.manifest.nextSegment,
		outdated: []uint64{r.manifest.generation},
		timer:    time.NewTimer(time.Hour),
	}
	c.timer.Stop()
	c.settleTail()
	return c
}

// run commits until the queue is closed and empty, and then leaves the store
// in order.
func (c *committer) run() {
	var spare []*write
	for {
		select {
		case <-c.timer.C:
			c.scheduled = false
			_ = c.flush() // logged; a fence or a full disk is remembered
			c.schedule()
			continue
		case <-c.db.queue.wake:
		}
		waiting, closed := c.db.queue.take(spare)
		for rest := waiting; len(rest) > 0; {
			n := groupLen(rest)
			c.commit(rest[:n])
			rest = rest[n:]
		}
		clear(waiting)
		spare = waiting
		if closed {
			c.db.closeErr = c.finishUp()
			close(c.db.committed)
			return
		}
	}
}

// groupLen is how many of the waiting writes fit one group; at least one.
func groupLen(waiting []*write) int {
	size := 0
	for i, w := range waiting {
		size += len(w.records)
		if size > maxGroupBytes && i > 0 {
			return i
		}
	}
	return len(waiting)
}

// commit ends every write of the group, in one of the three outcomes.
func (c *committer) commit(group []*write) {
	err := c.admit(group)
	if err != nil {
		finishAll(group, err)
		return
	}
	c.fill(group)
	if c.db.opts.Sync.Always() {
		if err = c.flush(); err == nil {
			c.publish(group)
		}
		finishAll(group, err)
		return
	}
	c.publish(group)
	c.acknowledgeGathered(group)
	c.schedule()
}

func finishAll(group []*write, err error) {
	for _, w := range group {
		w.finish(err)
	}
}

// acknowledgeGathered ends a group under an interval policy: writes at once,
// calls of Sync once everything gathered is durable.
func (c *committer) acknowledgeGathered(group []*write) {
	mustFlush := len(c.buf) >= maxGatheredBytes
	for _, w := range group {
		mustFlush = mustFlush || w.flush
	}
	var err error
	if mustFlush {
		err = c.flush()
	}
	for _, w := range group {
		if w.flush {
			w.finish(err)
		} else {
			w.finish(nil)
		}
	}
}

// admit makes room for the records of the group. Nothing of them has been
// written when it fails, so the group failed for certain.
func (c *committer) admit(group []*write) error {
	if err := c.db.fenceError(); err != nil {
		return err
	}
	size := int64(0)
	for _, w := range group {
		size += int64(len(w.records))
	}
	if size == 0 {
		return nil
	}
	roomInSegment := c.active != nil && c.tail.offset+size <= c.active.header.capacity
	if roomInSegment && len(c.buf) < maxGatheredBytes {
		return nil
	}
	if err := c.flush(); err != nil {
		if fenced := c.db.fenceError(); fenced != nil {
			return fenced
		}
		return err
	}
	if roomInSegment {
		return nil
	}
	return c.rotate(size)
}

// fill places the group's records behind the tail, in buf.
func (c *committer) fill(group []*write) {
	for _, w := range group {
		w.offset, w.seq = c.tail.offset, c.tail.seq
		at := len(c.buf)
		c.buf = append(c.buf, w.records...)
		for at < len(c.buf) {
			at += int(c.tail.place(c.buf[at:]))
		}
	}
}

// flush writes buf and syncs it. When it returns nil, everything up to tail is
// durable.
func (c *committer) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	if err := c.db.fenceError(); err != nil {
		return err
	}
	seg := c.active
	if err := writeAt(seg.file, c.buf, c.durable.offset); err != nil {
		return c.writeFailed(fmt.Errorf("writing %d bytes to %s at offset %d: %w",
			len(c.buf), seg.name, c.durable.offset, err))
	}
	if err := vfs.SyncData(seg.file); err != nil {
		// The kernel may have marked the pages clean: this file is never
		// synced again in the hope of better news.
		return c.lost(fmt.Errorf("syncing %s: %w", seg.name, err))
	}
	c.db.counters.syncs.Add(1)
	c.db.counters.bytes.Add(uint64(len(c.buf)))
	c.settleTail()
	return nil
}

// settleTail notes that everything up to tail is durable, and forgets buf.
func (c *committer) settleTail() {
	c.tail.durable = c.tail.offset
	c.durable = c.tail
	c.full = false
	c.db.durableSeq.Store(c.tail.seq - 1)
	if !c.db.opts.Sync.Always() {
		c.db.setGathered(gathered{})
	}
	c.dropBuf()
}

func (c *committer) dropBuf() {
	if cap(c.buf) > 2*maxGatheredBytes {
		c.buf = nil // one huge write must not be paid for forever
	}
	c.buf = c.buf[:0]
}

// writeFailed decides what a failed write of buf means. Part of buf may be in
// the file, so as things stand its outcome is unknown.
func (c *committer) writeFailed(cause error) error {
	if !isDiskFull(cause) {
		return c.lost(cause)
	}
	if !c.db.opts.Sync.Always() {
		// It was acknowledged and is still in memory: try again later.
		return c.diskFull(cause)
	}
	// Once a manifest seals the segment before it, the group can never
	// appear, and has failed for certain.
	c.sealActive()
	c.tail = c.durable
	c.dropBuf()
	if err := c.writeManifest(); err != nil {
		return c.lost(fmt.Errorf("%w; cutting it off failed too: %w", cause, err))
	}
	return c.diskFull(cause)
}

// lost ends a group whose outcome nobody can know, and fences the store.
func (c *committer) lost(cause error) error {
	c.db.fence(cause)
	if c.db.opts.Sync.Always() {
		c.dropBuf() // never visible; an interval's records stay readable
	}
	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, cause)
}

func (c *committer) diskFull(cause error) error {
	if !c.full {
		c.full = true
		c.db.opts.Logger.Warn("no space left, writes fail until there is", "error", cause)
	}
	return fmt.Errorf("%w: %w", ErrDiskFull, cause)
}

// publish makes a group visible to readers.
func (c *committer) publish(group []*write) {
	db, records := c.db, 0
	db.mu.Lock()
	for _, w := range group {
		c.publishWrite(w)
		records += len(w.keys)
	}
	if len(c.buf) > 0 {
		db.gathered = gathered{seg: c.active, base: c.durable.offset, records: c.buf}
	}
	db.mu.Unlock()
	db.lastSeq.Store(c.tail.seq - 1)
	db.counters.groups.Add(1)
	db.counters.records.Add(uint64(records))
}

// publishWrite puts the records of w into the index. The caller holds db.mu.
func (c *committer) publishWrite(w *write) {
	rec, offset := w.records, w.offset
	for i, key := range w.keys {
		keyLen, valueLen := le.Uint32(rec[8:]), le.Uint32(rec[12:])
		if rec[4] == kindDelete {
			_, w.existed = c.db.index.Delete(key)
		} else {
			c.db.index.Set(key, location{
				seg: c.active, seq: w.seq + uint64(i),
				slot: uint32(offset / recordAlign), valueLen: valueLen,
			})
		}
		size := recordSize(int(keyLen), int(valueLen))
		rec, offset = rec[size:], offset+size
	}
}

// schedule starts the interval's timer while records wait for it.
func (c *committer) schedule() {
	if len(c.buf) > 0 && !c.scheduled && c.db.fenceError() == nil {
		c.scheduled = true
		c.timer.Reset(c.db.opts.Sync.Interval())
	}
}

// counters are what Stats reports of a store's life since it was opened.
type counters struct {
	groups, records, syncs, bytes atomic.Uint64
}
