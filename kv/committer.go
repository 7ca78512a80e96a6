package kv

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"holdfast/internal/vfs"
)

// committer is the one goroutine that owns the tail of the log. It gathers what
// callers leave in the queue into a group, writes and syncs the group once, and
// hands it to the publisher. While it is in a sync the next group gathers.
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

	manifest manifest        // what the next manifest will say, but for the active segment's length
	dirty    bool            // the newest durable manifest does not say it yet
	next     uint64          // number of the next segment file; none is used twice
	outdated []uint64        // generations of manifests to remove after the next one
	sealed   []sealedSegment // whose space is given back after the next one
	prepared *segment        // begun, and not listed by a manifest that is known to be durable

	publisher *publisher

	timer     *time.Timer // runs while an interval's records wait
	scheduled bool
	bound     *time.Timer // runs while the manifest's bound is behind durable
	bounding  bool
	boundWait time.Duration // until the bound is raised; longer after failures
	full      bool          // the last attempt to make room or to flush found the disk full

	placedIn place     // of buf, in a segment that was given up
	retryAt  time.Time // when a fenced store may try to go on; zero: never
	failures int       // fences and failed attempts since the last good sync
}

// maxGatheredBytes is how much an interval gathers before it is written early,
// in bytes.
const maxGatheredBytes = 8 << 20

// gatherYields is how often the committer lets others run before it takes a
// group. The callers whom the group before has just woken come back with their
// next write then, instead of missing this group and sitting out a sync. Nobody
// waits on a timer.
const gatherYields = 4

func newCommitter(db *DB, r *recovery) *committer {
	c := &committer{
		db: db, segments: r.segments, active: r.active, tail: r.tail,
		manifest: r.manifest, next: r.manifest.nextSegment,
		outdated:  []uint64{r.manifest.generation},
		timer:     time.NewTimer(time.Hour),
		bound:     time.NewTimer(time.Hour),
		boundWait: db.opts.BoundEvery,
		publisher: startPublisher(db),
	}
	c.timer.Stop()
	c.bound.Stop()
	c.settleTail()
	return c
}

// run commits until the queue is closed and empty, and then leaves the store
// in order.
func (c *committer) run() {
	for {
		select {
		case <-c.timer.C:
			c.endInterval()
			continue
		case <-c.bound.C:
			c.bounding = false
			c.raiseBound()
			continue
		case <-c.db.queue.wake:
		}
		if c.commitWaiting() {
			c.db.closeErr = c.finishUp()
			c.publisher.stop()
			close(c.db.committed)
			return
		}
	}
}

// commitWaiting commits every group that waits. It reports whether the queue is
// closed and nothing more will come.
func (c *committer) commitWaiting() (closed bool) {
	for {
		for range gatherYields {
			runtime.Gosched()
		}
		g, closed := c.db.queue.take()
		if g == nil {
			return closed
		}
		c.commit(g)
		c.keepTime()
	}
}

// keepTime does what is due by the clock, which callers who never leave the
// queue empty must not put off.
func (c *committer) keepTime() {
	select {
	case <-c.timer.C:
		c.endInterval()
	case <-c.bound.C:
		c.bounding = false
		c.raiseBound()
	default:
	}
}

// endInterval makes durable what an interval has gathered.
func (c *committer) endInterval() {
	c.scheduled = false
	_ = c.flush() // logged; a fence or a full disk is remembered
	c.schedule()
}

// commit ends every write of the group, in one of the three outcomes.
func (c *committer) commit(g *group) {
	err := c.admit(g)
	if err != nil {
		g.finish(err)
		return
	}
	c.fill(g)
	if c.db.opts.Sync.Always() {
		if err = c.flush(); err != nil {
			g.finish(err)
			return
		}
		if g.seg != c.active { // it failed where fill had placed it
			g.placeAtStart(c.active)
		}
		c.deliver(g)
		return
	}
	c.db.publish(g, c.gathered())
	c.acknowledgeGathered(g)
	c.schedule()
}

// gathered is where readers find what is in buf. Its segment may have been given
// up, and the next one not begun.
func (c *committer) gathered() gathered {
	switch {
	case len(c.buf) == 0:
		return gathered{}
	case c.active == nil:
		return gathered{seg: c.placedIn.seg, base: c.placedIn.offset, records: c.buf}
	}
	return gathered{seg: c.active, base: c.durable.offset, records: c.buf}
}

// acknowledgeGathered ends a group under an interval policy: writes with
// success, unless a flush that they brought about has just fenced the store;
// calls of Sync with what became of everything gathered.
func (c *committer) acknowledgeGathered(g *group) {
	mustFlush := len(c.buf) >= maxGatheredBytes
	for _, w := range g.writes {
		mustFlush = mustFlush || w.flush
	}
	var err error
	if mustFlush {
		err = c.flush()
	}
	for _, w := range g.writes {
		if w.flush || errors.Is(err, ErrOutcomeUnknown) {
			w.err = err
		}
	}
	close(g.done)
}

// admit makes room for the records of the group. Nothing of them has been
// written when it fails, so the group failed for certain.
func (c *committer) admit(g *group) error {
	if c.db.fenceError() != nil {
		return c.resume(g.bytes)
	}
	if g.bytes == 0 {
		return nil
	}
	if c.hasRoom(g.bytes) && len(c.buf) < maxGatheredBytes && !c.full {
		return nil
	}
	if err := c.flush(); err != nil {
		if fenced := c.db.fenceError(); fenced != nil {
			return fenced
		}
		return err
	}
	if c.hasRoom(g.bytes) {
		return nil
	}
	if err := c.rotate(g.bytes); err != nil {
		return c.rotateFailed(err)
	}
	return nil
}

func (c *committer) hasRoom(bytes int64) bool {
	return c.active != nil && c.tail.offset+bytes <= c.active.header.capacity
}

// fill places the group's records behind the tail, in buf.
func (c *committer) fill(g *group) {
	g.seg = c.active
	for _, w := range g.writes {
		w.offset, w.seq = c.tail.offset, c.tail.seq
		at := len(c.buf)
		c.buf = append(c.buf, w.records...)
		for at < len(c.buf) {
			at += int(c.tail.place(c.buf[at:]))
		}
	}
	g.lastSeq = c.tail.seq - 1
}

// flush makes buf durable. When it returns nil, everything up to tail is.
func (c *committer) flush() error {
	switch {
	case len(c.buf) == 0:
		return nil
	case c.db.fenceError() != nil:
		return c.resume(0)
	case c.active == nil:
		if err := c.restart(0); err != nil {
			return c.cutOff(err)
		}
		return nil
	}
	if err := c.writeBuf(); err != nil {
		return c.writeFailed(err)
	}
	return nil
}

// writeBuf writes buf to the active segment and syncs it.
func (c *committer) writeBuf() error {
	seg := c.active
	if err := writeAt(seg.file, c.buf, c.durable.offset); err != nil {
		return fmt.Errorf("writing %d bytes to %s at offset %d: %w",
			len(c.buf), seg.name, c.durable.offset, err)
	}
	if err := vfs.SyncData(seg.file); err != nil {
		return fmt.Errorf("syncing %s: %w: %w", seg.name, errIO, err)
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
	c.failures = 0
	c.db.durableSeq.Store(c.tail.seq - 1)
	if !c.db.opts.Sync.Always() {
		c.db.setGathered(gathered{})
	}
	c.dropBuf()
	c.scheduleBound()
}

func (c *committer) dropBuf() {
	if cap(c.buf) > 2*maxGatheredBytes {
		c.buf = nil // one huge write must not be paid for forever
	}
	c.buf = c.buf[:0]
}

func (c *committer) diskFull(cause error) error {
	if !c.full {
		c.full = true
		c.db.opts.Logger.Warn("no space left, writes fail until there is", "error", cause)
	}
	return fmt.Errorf("%w: %w", ErrDiskFull, cause)
}

// schedule starts the interval's timer while records wait for it; with the
// store fenced, for the next attempt to go on.
func (c *committer) schedule() {
	if len(c.buf) == 0 || c.scheduled {
		return
	}
	wait := c.db.opts.Sync.Interval()
	if c.db.fenceError() != nil {
		if c.retryAt.IsZero() {
			return
		}
		wait = max(wait, time.Until(c.retryAt))
	}
	c.scheduled = true
	c.timer.Reset(wait)
}
