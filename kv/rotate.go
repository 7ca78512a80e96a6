package kv

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// smallSegmentBytes is what a new segment asks for when there is no space for
// a full one.
const smallSegmentBytes = 64 << 10

// newSegmentID draws the id that tells a segment file from every other that
// ever has its number.
func newSegmentID() uint64 { return rand.Uint64() }

// rotate seals the active segment and begins one with room for size bytes of
// records. Everything in the active segment is durable when it is called. When
// it fails, nothing that was acknowledged is in doubt, and a later call may
// succeed unless the store is fenced.
func (c *committer) rotate(size int64) error {
	seg, err := c.beginSegment(segmentHeaderBytes + size)
	if err != nil {
		return c.rotateFailed(err)
	}
	old := c.active
	c.sealActive()
	c.manifest.entries = append(c.manifest.entries, newEntry(&seg.header))
	if err := c.writeManifest(); err != nil {
		// The manifest may be durable all the same, so its segment must stay.
		// It is not used: the next attempt begins another.
		c.manifest.entries = c.manifest.entries[:len(c.manifest.entries)-1]
		_ = seg.file.Close() // nothing was written to it since its sync
		return c.rotateFailed(err)
	}
	if old != nil {
		c.giveBack(old, c.durable.offset)
	}
	c.active = seg
	c.segments = append(c.segments, seg)
	c.tail = seg.start()
	c.durable = c.tail
	c.db.segmentCount.Store(int64(len(c.manifest.entries)))
	c.db.opts.Logger.Debug("began a segment", "file", seg.name, "capacity", seg.header.capacity)
	return nil
}

func (c *committer) rotateFailed(err error) error {
	switch {
	case isDiskFull(err):
		return c.diskFull(err)
	case errors.Is(err, errIO):
		c.db.fence(err)
		return c.db.fenceError()
	}
	return fmt.Errorf("beginning a segment: %w", err)
}

// beginSegment makes a segment file with room for at least need bytes, of the
// usual capacity if there is space for that.
func (c *committer) beginSegment(need int64) (*segment, error) {
	seg, err := c.createLog(max(c.db.opts.SegmentBytes, need))
	small := max(smallSegmentBytes, need)
	if err != nil && isDiskFull(err) && small < c.db.opts.SegmentBytes {
		return c.createLog(small)
	}
	return seg, err
}

func (c *committer) createLog(capacity int64) (*segment, error) {
	const page = 4 << 10
	h := segmentHeader{
		kind: segmentLog, store: c.db.storage.id, number: c.next, id: newSegmentID(),
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
		e.seal(c.durable.position())
		c.dirty = true
	}
	c.active = nil
}

// writeManifest makes c.manifest durable and removes the ones it replaces.
func (c *committer) writeManifest() error {
	c.manifest.generation++
	c.manifest.nextSegment = c.next
	if e := c.manifest.active(); e != nil && c.active != nil {
		e.setDurable(c.durable.position())
	}
	// Whatever becomes of this generation, a later one replaces it.
	replaced := c.outdated
	c.outdated = append(c.outdated, c.manifest.generation)
	if err := c.db.storage.writeManifest(&c.manifest); err != nil {
		return err
	}
	c.db.storage.removeManifests(replaced)
	c.outdated = []uint64{c.manifest.generation}
	c.dirty = false
	return nil
}

// giveBack frees what a sealed segment reserved and did not use. Failing to
// costs space and nothing else.
func (c *committer) giveBack(seg *segment, size int64) {
	if err := seg.file.Truncate(size); err != nil {
		c.db.opts.Logger.Warn("reserved space could not be given back", "file", seg.name, "error", err)
	}
}

// finishUp is the committer's part of Close: it makes everything durable and
// says in a manifest how far the log goes, so that the next Open can tell any
// damage to it.
func (c *committer) finishUp() error {
	c.timer.Stop()
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
