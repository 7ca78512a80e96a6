package kv

import (
	"errors"
	"fmt"
	"time"
)

// What follows a write or a sync of the log that failed.
//
//  1. The active segment is sealed where it was last known durable. Part of
//     what was being written may stand behind that, and the kernel may have
//     marked its pages clean: the file is neither written nor synced again.
//  2. A new segment is begun, and a manifest made durable that lists both.
//     From then on nothing behind the seal can ever appear.
//  3. What was being written is in memory still. It is placed in the new
//     segment, written and synced, and its callers never learn of the trouble.
//
// When 2 or 3 fails, the seal alone is tried: once a manifest has it, the
// writes in hand failed for certain; if not even that can be made durable their
// outcome is unknown. Either way the store is fenced, but for a disk that is full
// with the seal made durable, which only fails writes. A fenced store tries steps 2 and 3 again when a write
// comes, at most every Options.resumeEvery, and ever more seldom while it fails.

// maxResumeWait bounds the time between two attempts to end a fence.
const maxResumeWait = 30 * time.Second

// writeFailed does what follows a failed write or sync of buf. When it returns
// nil, buf is durable after all.
func (c *committer) writeFailed(cause error) error {
	full := isDiskFull(cause)
	if full && !c.db.opts.Sync.Always() && !errors.Is(cause, errIO) {
		// It was acknowledged and is still in memory, and no sync of the file
		// has failed: try again later, in the same place.
		return c.diskFull(cause)
	}
	c.giveUp()
	if full {
		return c.cutOff(cause)
	}
	c.db.opts.Logger.Error("a data file failed and is given up; going on in a new one", "error", cause)
	if err := c.restart(0); err != nil {
		return c.cutOff(fmt.Errorf("%w; going on in a new segment failed too: %w", cause, err))
	}
	return nil
}

// restart begins a segment, after the one before was sealed, and makes buf
// durable there. The segment has room for more bytes behind buf.
func (c *committer) restart(more int64) error {
	if err := c.rotate(int64(len(c.buf)) + more); err != nil {
		return err
	}
	if len(c.buf) == 0 {
		return nil
	}
	c.replace()
	if err := c.writeBuf(); err != nil {
		c.giveUp()
		return err
	}
	return nil
}

// giveUp seals the active segment, where writing buf failed.
func (c *committer) giveUp() {
	c.placedIn = place{c.active, c.durable.offset}
	c.sealActive()
}

// replace places the records of buf, which were placed in another segment, at
// the start of the active one.
func (c *committer) replace() {
	for at := 0; at < len(c.buf); {
		at += int(c.tail.place(c.buf[at:]))
	}
	if !c.db.opts.Sync.Always() {
		c.db.moveGathered(c.placedIn, place{c.active, c.durable.offset}, c.buf)
	}
}

// cutOff ends what buf holds, after the segment that it was written to was
// sealed before it. The records of an interval policy were acknowledged: they
// stay in memory and readable, for the next attempt.
func (c *committer) cutOff(cause error) error {
	always := c.db.opts.Sync.Always()
	if always {
		c.tail = c.durable
		c.dropBuf()
	}
	if err := c.writeManifest(); err != nil {
		return c.lost(fmt.Errorf("%w; cutting it off failed too: %w", cause, err))
	}
	switch {
	case isDiskFull(cause):
		return c.diskFull(cause)
	case !always:
		return c.lost(cause)
	}
	c.fence(cause)
	return c.db.fenceError()
}

// lost fences the store and is the outcome of writes of which nobody can know
// whether the next Open will find them.
func (c *committer) lost(cause error) error {
	c.fence(cause)
	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, cause)
}

func (c *committer) fence(cause error) {
	c.db.fence(cause)
	c.postpone()
}

// postpone sets when a fenced store may try to go on.
func (c *committer) postpone() {
	wait := c.db.opts.resumeEvery << min(c.failures, 10)
	c.failures++
	c.retryAt = time.Now().Add(min(wait, max(maxResumeWait, c.db.opts.resumeEvery)))
}

// resume ends the fence if the storage works again, with room for so many
// bytes. Otherwise it returns why the store is fenced.
func (c *committer) resume(bytes int64) error {
	fenced := c.db.fenceError()
	if c.retryAt.IsZero() {
		return fenced
	}
	if wait := time.Until(c.retryAt); wait > 0 {
		return fencedFor(wait, fenced)
	}
	if err := c.restart(bytes); err != nil {
		c.postpone()
		c.db.opts.Logger.Warn("writes stay fenced", "error", err, "nextAttempt", c.retryAt)
		return fencedFor(time.Until(c.retryAt), fenced)
	}
	c.db.fenced.Store(nil)
	c.retryAt = time.Time{}
	c.db.opts.Logger.Info("the storage works again, writes are taken")
	return nil
}

// fencedFor adds to the error of a fenced store when it is worth trying again.
func fencedFor(wait time.Duration, fenced error) error {
	return fmt.Errorf("%w; the next attempt is made by a write in %v or later", fenced, max(wait, 0).Round(time.Millisecond))
}
