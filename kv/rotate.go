package kv

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// smallSegmentBytes is what a new segment asks for when there is no space for
// a full one.
const smallSegmentBytes = 64 << 10

// maxBoundWait bounds the time between two attempts to raise the bound: each one
// that fails leaves a file until one succeeds.
const maxBoundWait = time.Minute

// rotate seals the active segment and begins one with room for size bytes of
// records. Everything in the active segment is durable when it is called. When
// it fails, nothing that was acknowledged is in doubt, and a later call may
// succeed unless the store is fenced.
func (c *committer) rotate(size int64) error {
	seg, err := c.beginSegment(segmentHeaderBytes + size)
	if err != nil {
		return err
	}
	c.sealActive()
	c.manifest.entries = append(c.manifest.entries, newEntry(&seg.header))
	if err := c.writeManifest(); err != nil {
		// The manifest may be durable all the same, so its segment must stay;
		// the next attempt takes it.
		c.manifest.entries = c.manifest.entries[:len(c.manifest.entries)-1]
		c.prepared = seg
		return err
	}
	c.prepared = nil
	c.active = seg
	c.segments = append(c.segments, seg)
	c.tail = seg.start()
	c.durable = c.tail
	c.db.segmentCount.Store(int64(len(c.manifest.entries)))
	c.db.opts.Logger.Debug("began a segment", "file", seg.name, "capacity", seg.header.capacity)
	return nil
}

// rotateFailed says what a failed rotation means for the group that asked for
// room: it failed for certain.
func (c *committer) rotateFailed(err error) error {
	switch {
	case isDiskFull(err):
		return c.diskFull(err)
	case errors.Is(err, errIO):
		c.fence(err)
		return c.db.fenceError()
	}
	// Nothing was written that is in doubt: the next write may try at once.
	return fmt.Errorf("%w: beginning a segment: %w", ErrFenced, err)
}

// beginSegment returns a segment file with room for at least need bytes, of the
// usual capacity if there is space for that.
func (c *committer) beginSegment(need int64) (*segment, error) {
	if c.prepared != nil {
		if c.prepared.header.capacity >= need {
			return c.prepared, nil
		}
		_ = c.prepared.file.Close() // nothing was written to it since its sync
		c.prepared = nil
	}
	seg, err := c.createLog(max(c.db.opts.SegmentBytes, need))
	small := max(smallSegmentBytes, need)
	if err != nil && isDiskFull(err) && small < c.db.opts.SegmentBytes {
		return c.createLog(small)
	}
	return seg, err
}

func (c *committer) createLog(capacity int64) (*segment, error) {
	const page = 4 << 10
	id, err := c.db.storage.newSegmentID()
	if err != nil {
		return nil, err
	}
	h := segmentHeader{
		kind: segmentLog, store: c.db.storage.id, number: c.next, id: id,
		firstSeq: c.durable.seq, capacity: alignUp(capacity, page),
	}
	c.next++
	return c.db.storage.createSegment(h, nil)
}

// sealActive ends the active segment at the last good sync. From here on
// nothing is appended to it: a manifest that says so may be on disk even when
// writing it seems to fail.
func (c *committer) sealActive() {
	if e := c.manifest.active(); e != nil {
		c.dirty = true
		c.sealed = append(c.sealed, sealedSegment{c.active, c.durable.offset})
		if e.seal(c.durable.position()); e.lastSeq < e.firstSeq {
			c.manifest.entries = c.manifest.entries[:len(c.manifest.entries)-1]
		}
	}
	c.active = nil
}

// sealedSegment is one that the next manifest seals at size, or drops because
// it holds no record.
type sealedSegment struct {
	seg  *segment
	size int64
}

// writeManifest makes c.manifest durable and removes the ones it replaces.
func (c *committer) writeManifest() error {
	c.dirty = true // until it is written
	c.manifest.generation++
	c.manifest.nextSegment = c.next
	if e := c.manifest.active(); e != nil && c.active != nil {
		e.setDurable(c.durable.position())
	}
	replaced := c.outdated
	err := c.db.storage.writeManifest(&c.manifest)
	if !errors.Is(err, os.ErrExist) {
		// Whatever becomes of this generation, a later one replaces it. One that
		// a listing has hidden is not ours to remove.
		c.outdated = append(c.outdated, c.manifest.generation)
	}
	if err != nil {
		return err
	}
	c.db.storage.removeManifests(replaced)
	c.outdated = []uint64{c.manifest.generation}
	c.dirty = false
	for _, s := range c.sealed {
		c.giveBack(s)
	}
	c.sealed = nil
	return nil
}

// giveBack frees what a sealed segment reserved and did not use. Failing to
// costs space and nothing else.
func (c *committer) giveBack(s sealedSegment) {
	var err error
	if s.size > segmentHeaderBytes {
		err = s.seg.file.Truncate(s.size)
	} else {
		c.segments = slices.DeleteFunc(c.segments, func(seg *segment) bool { return seg == s.seg })
		_ = s.seg.file.Close() // nothing in it counts
		err = c.db.storage.fs.Remove(c.db.storage.path(s.seg.name))
	}
	if err != nil {
		c.db.opts.Logger.Warn("reserved space could not be given back", "file", s.seg.name, "error", err)
	}
}

// scheduleBound starts the timer of raiseBound if there is something to say.
func (c *committer) scheduleBound() {
	e := c.manifest.active()
	if e != nil && !c.bounding && (c.dirty || e.position() != c.durable.position()) {
		c.bounding = true
		c.bound.Reset(c.boundWait)
	}
}

// raiseBound says in a manifest how far the log is durable. Without it, only
// later records tell damage to a record from a torn write, and one bad sector
// can take many small records together with all that tell (damage.go).
func (c *committer) raiseBound() {
	if c.db.fenceError() != nil || c.active == nil {
		return
	}
	if err := c.writeManifest(); err != nil {
		// Every record up to here is durable in its segment, and the next
		// attempt writes another file: nothing is in doubt.
		c.boundWait = min(2*c.boundWait, max(maxBoundWait, c.db.opts.BoundEvery))
		c.db.opts.Logger.Warn("how far the log is durable could not be noted; trying again", "error", err)
		c.scheduleBound()
		return
	}
	c.boundWait = c.db.opts.BoundEvery
}

// finishUp is the committer's part of Close: it makes everything durable and
// says in a manifest how far the log goes, so that the next Open can tell any
// damage to it.
func (c *committer) finishUp() error {
	c.timer.Stop()
	defer c.bound.Stop()
	if c.db.closing.Load() && !c.retryAt.IsZero() {
		c.retryAt = time.Now() // what has gathered gets one more attempt, due or not
	}
	if err := c.flush(); err != nil {
		return fmt.Errorf("%d acknowledged records were not made durable: %w", c.tail.seq-c.durable.seq, err)
	}
	if c.db.fenceError() != nil {
		return nil // every write was told; the files are left as they are
	}
	e := c.manifest.active()
	if !c.dirty && (e == nil || e.position() == c.durable.position()) {
		return nil
	}
	if err := c.writeManifest(); err != nil {
		return fmt.Errorf("noting where the log ends: %w", err)
	}
	return nil
}
