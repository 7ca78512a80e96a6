package mutants

// order are bugs in what comes before what: acknowledged, visible, durable.
var order = []Mutant{
	{
		Name: "acknowledged-before-the-flush", File: "committer.go",
		Old: `		if err = c.flush(); err != nil {
			g.finish(err)
			return
		}
		if g.seg != c.active { // it failed where fill had placed it
			g.placeAtStart(c.active)
		}
		c.deliver(g)
		return`,
		New: `		c.deliver(g)
		_ = c.flush()
		return`,
		Rule: "OK means on disk",
	},
	{
		Name: "visible-before-the-flush", File: "committer.go",
		Old: `		if err = c.flush(); err != nil {
			g.finish(err)`,
		New: `		c.db.publish(g, c.gathered())
		if err = c.flush(); err != nil {
			g.finish(err)`,
		Rule: "a write becomes visible once it is durable",
	},
	{
		Name: "visible-although-it-failed", File: "committer.go",
		Old: `			g.finish(err)
			return
		}
		if g.seg`,
		New: `			c.db.publish(g, gathered{})
			g.finish(err)
			return
		}
		if g.seg`,
		Rule: "no reader sees a write that failed",
	},
	{
		Name: "acknowledged-before-it-is-visible", File: "publisher.go",
		Old: `		p.db.publish(g, gathered{})
		p.behind.Add(-1)
		g.finish(nil)`,
		New: `		g.finish(nil)
		p.db.publish(g, gathered{})
		p.behind.Add(-1)`,
		Rule: "a caller sees its own write",
	},
	{
		Name: "published-out-of-order", File: "publisher.go",
		Old:  `	if c.publisher.behind.Load() == 0 && c.db.queue.idle() {`,
		New:  `	if c.db.queue.idle() {`,
		Rule: "an older write is not published over a newer one",
	},
	{
		Name: "first-caller-alone-is-told", File: "queue.go",
		Old: `	for _, w := range g.writes {
		w.err = err
	}`,
		New: `	for _, w := range g.writes[:1] {
		w.err = err
	}`,
		Rule: "every caller of a group is told that it failed",
	},
	{
		Name: "batch-becomes-visible-in-parts", File: "publisher.go",
		Old: `		rec, offset = rec[size:], offset+size`,
		New: `		rec, offset = rec[size:], offset+size
		db.mu.Unlock()
		db.mu.Lock()`,
		Rule: "no reader sees part of a batch",
	},
	{
		Name: "records-of-a-batch-share-a-number", File: "publisher.go",
		Old:  `seq: w.seq + uint64(i),`,
		New:  `seq: w.seq + uint64(i&0),`,
		Rule: "the index knows the sequence number of each record",
	},
	{
		Name: "batch-has-no-marks", File: "db.go",
		Old:  `		flags := uint8(flagMore)`,
		New:  `		flags := uint8(0)`,
		Rule: "each record of a batch but the last says that more follows",
	},
	{
		Name: "batch-never-ends", File: "db.go",
		Old: `			flags = 0
`,
		New: `			flags = flagMore
`,
		Rule: "the last record of a batch says so",
	},
	{
		Name: "batch-is-many-writes", File: "db.go",
		Old: `		w.add(op.kind, flags, op.key, op.value)`,
		New: `		one := newWrite()
		one.add(op.kind, 0, op.key, op.value)
		if i < len(b.ops)-1 {
			if _, err := db.commit(one); err != nil {
				return err
			}
			continue
		}
		_ = flags
		w.add(op.kind, 0, op.key, op.value)`,
		Rule: "a batch is one atomic unit",
	},
	{
		Name: "durable-is-claimed-too-early", File: "committer.go",
		Old: `		w.offset, w.seq = c.tail.offset, c.tail.seq`,
		New: `		w.offset, w.seq = c.tail.offset, c.tail.seq
		c.tail.durable = c.tail.offset`,
		Rule: "a record does not say that others of its own group are durable",
	},
	{
		Name: "durable-is-never-claimed", File: "committer.go",
		Old: `	c.tail.durable = c.tail.offset
`,
		New:  ``,
		Rule: "a record says how far the log was durable",
	},
	{
		Name: "lock-is-not-taken", File: "db.go",
		Old:  `	unlock, err := vfs.TryLock(fsys, file, name)`,
		New:  `	unlock, err := func() {}, error(nil)`,
		Rule: "a store has one owner",
	},
	{
		Name: "lock-is-given-back-at-once", File: "db.go",
		Old:  `	r.report.log(o.Logger)`,
		New:  `	lock.release()`,
		Rule: "the lock is held until Close",
	},
	{
		Name: "close-does-not-wait", File: "db.go",
		Old: `	db.queue.close()
	<-db.committed`,
		New:  `	db.queue.close()`,
		Rule: "Close waits for the writes in hand",
	},
	{
		Name: "closed-queue-takes-writes", File: "queue.go",
		Old:  `	if q.closed {`,
		New:  `	if q.closed && w.flush {`,
		Rule: "a write after Close is refused",
	},
	{
		Name: "fence-does-not-refuse", File: "committer.go",
		Old: `	if c.db.fenceError() != nil {
		return c.resume(g.bytes)
	}
	if g.bytes`,
		New:  `	if g.bytes`,
		Rule: "a fenced store refuses writes until it may try again",
	},
	{
		Name: "records-beyond-the-segment", File: "committer.go",
		Old:  `c.tail.offset+bytes <= c.active.header.capacity`,
		New:  `c.tail.offset <= c.active.header.capacity`,
		Rule: "records stay within what their segment has reserved",
	},
	{
		Name: "record-just-beyond-the-segment", File: "committer.go",
		Old:  `c.tail.offset+bytes <= c.active.header.capacity`,
		New:  `c.tail.offset+bytes <= c.active.header.capacity+recordAlign`,
		Rule: "the last record ends within its segment",
	},
	{
		Name: "large-write-gets-no-room-for-the-header", File: "rotate.go",
		Old:  `	seg, err := c.beginSegment(segmentHeaderBytes + size)`,
		New:  `	seg, err := c.beginSegment(size)`,
		Rule: "a new segment has room for its header and the group",
	},
	{
		Name: "write-goes-on-in-the-wrong-place", File: "storage.go",
		Old:  `		b, offset = b[n:], offset+int64(n)`,
		New:  `		b = b[n:]`,
		Rule: "a short write is gone on from where it ended",
	},
	{
		Name: "short-write-is-enough", File: "storage.go",
		Old: `		b, offset = b[n:], offset+int64(n)`,
		New: `		if err == nil {
			return nil
		}
		b, offset = b[n:], offset+int64(n)`,
		Rule: "all of a record is written",
	},
	{
		Name: "interrupts-without-end", File: "storage.go",
		Old:  `	return errors.Is(err, syscall.EINTR) && *i <= maxInterrupts`,
		New:  `	return errors.Is(err, syscall.EINTR)`,
		Rule: "a storage that is always interrupted has failed",
	},
	{
		Name: "interrupt-is-a-failure", File: "storage.go",
		Old:  `	return errors.Is(err, syscall.EINTR) && *i <= maxInterrupts`,
		New:  `	return false`,
		Rule: "an interrupted call is gone on with",
	},
}

// fences are bugs in what follows a failed write or sync.
var fences = []Mutant{
	{
		Name: "sync-is-tried-again", File: "committer.go",
		Old: `	if err := vfs.SyncData(seg.file); err != nil {`,
		New: `	err := vfs.SyncData(seg.file)
	if err != nil {
		err = vfs.SyncData(seg.file)
	}
	if err != nil {`,
		Rule: "a failed sync is never tried again on the same file",
	},
	{
		Name: "group-is-tried-again-in-place", File: "resume.go",
		Old: `	c.giveUp()
	if full {`,
		New: `	if c.writeBuf() == nil {
		return nil
	}
	c.giveUp()
	if full {`,
		Rule: "a file whose sync failed is neither written nor synced again",
	},
	{
		Name: "failed-segment-is-gone-on-with", File: "resume.go",
		Old: `	c.giveUp()
	if full {
		return c.cutOff(cause)
	}`,
		New: `	if full {
		return c.cutOff(cause)
	}
	c.giveUp()`,
		Rule: "what a failed write left is sealed off before the write has failed",
	},
	{
		Name: "new-file-sync-is-tried-again", File: "storage.go",
		Old: `	if err := file.Sync(); err != nil {`,
		New: `	err := file.Sync()
	if err != nil {
		err = file.Sync()
	}
	if err != nil {`,
		Rule: "a failed sync of a new file is never tried again",
	},
	{
		Name: "second-file-that-fails-is-kept", File: "resume.go",
		Old: `	if err := c.writeBuf(); err != nil {
		c.giveUp()
		return err
	}`,
		New: `	if err := c.writeBuf(); err != nil {
		return err
	}`,
		Rule: "each file that fails is given up, also the one that was to help",
	},
	{
		Name: "second-file-that-fails-is-believed", File: "resume.go",
		Old:  `	if err := c.writeBuf(); err != nil {`,
		New:  `	if err := c.writeBuf(); err != nil && false {`,
		Rule: "the sync in the new file counts as any",
	},
	{
		Name: "records-keep-their-old-place", File: "resume.go",
		Old: `	c.replace()
`,
		New:  ``,
		Rule: "a record says where it stands",
	},
	{
		Name: "index-keeps-the-old-place", File: "committer.go",
		Old: `		if g.seg != c.active { // it failed where fill had placed it
			g.placeAtStart(c.active)
		}
`,
		New:  ``,
		Rule: "readers find a record where it was written in the end",
	},
	{
		Name: "placed-at-the-header", File: "queue.go",
		Old:  `	offset := int64(segmentHeaderBytes)`,
		New:  `	offset := int64(0)`,
		Rule: "the first record of a segment stands behind its header",
	},
	{
		Name: "all-placed-at-the-start", File: "queue.go",
		Old:  `		offset += int64(len(w.records))`,
		New:  `		offset += 0`,
		Rule: "the writes of a group stand one behind the other in the new segment",
	},
	{
		Name: "sealed-at-the-tail", File: "rotate.go",
		Old:  `		if e.seal(c.durable.position()); e.lastSeq < e.firstSeq {`,
		New:  `		if e.seal(c.tail.position()); e.lastSeq < e.firstSeq {`,
		Rule: "a segment is sealed where it was last durable",
	},
	{
		Name: "sealed-segment-stays-active", File: "rotate.go",
		Old: `	c.active = nil
}`,
		New:  `}`,
		Rule: "nothing is appended to a sealed segment",
	},
	{
		Name: "empty-segment-stays-listed", File: "rotate.go",
		Old:  `e.lastSeq < e.firstSeq {`,
		New:  `e.lastSeq+1 < e.firstSeq {`,
		Rule: "a segment that is removed is not listed",
	},
	{
		Name: "failed-write-stays-in-hand", File: "resume.go",
		Old: `		c.tail = c.durable
		c.dropBuf()`,
		New:  `		c.tail = c.durable`,
		Rule: "a write that failed is never written later",
	},
	{
		Name: "failed-write-keeps-its-numbers", File: "resume.go",
		Old: `		c.tail = c.durable
		c.dropBuf()`,
		New:  `		c.dropBuf()`,
		Rule: "sequence numbers have no gap",
	},
	{
		Name: "gathered-writes-are-dropped", File: "resume.go",
		Old: `	if always {
		c.tail = c.durable`,
		New: `	if always || cause != nil {
		c.tail = c.durable`,
		Rule: "what an interval acknowledged stays readable and is tried again",
	},
	{
		Name: "cut-off-without-a-seal", File: "resume.go",
		Old:  `	if err := c.writeManifest(); err != nil {`,
		New:  `	if err := error(nil); err != nil {`,
		Rule: "a write has failed once a durable manifest rules it out",
	},
	{
		Name: "cut-off-believes-a-failed-seal", File: "resume.go",
		Old:  `	if err := c.writeManifest(); err != nil {`,
		New:  `	if err := c.writeManifest(); err != nil && false {`,
		Rule: "a write that could not be ruled out is unknown, not failed",
	},
	{
		Name: "unknown-is-called-failed", File: "resume.go",
		Old:  `	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, cause)`,
		New:  `	return fmt.Errorf("%w: %w", ErrFenced, cause)`,
		Rule: "a write that may appear later is unknown",
	},
	{
		Name: "fence-is-not-set", File: "resume.go",
		Old: `	c.fence(cause)
	return c.db.fenceError()`,
		New:  `	return fmt.Errorf("%w: %w", ErrFenced, cause)`,
		Rule: "a storage that failed twice fences the store",
	},
	{
		Name: "fence-is-lifted-before-the-attempt", File: "resume.go",
		Old: `	if err := c.restart(bytes); err != nil {
		c.postpone()`,
		New: `	c.db.fenced.Store(nil)
	if err := c.restart(bytes); err != nil {
		c.postpone()`,
		Rule: "a fence ends once an attempt has succeeded",
	},
	{
		Name: "fence-is-lifted-although-it-failed", File: "resume.go",
		Old: `		c.postpone()
		c.db.opts.Logger.Warn("writes stay fenced", "error", err, "nextAttempt", c.retryAt)
		return fenced`,
		New:  `		c.postpone()`,
		Rule: "a failed attempt does not end a fence",
	},
	{
		Name: "fence-never-ends", File: "resume.go",
		Old:  `	c.db.fenced.Store(nil)`,
		New:  `	c.postpone()`,
		Rule: "service resumes without a restart once the storage works",
	},
	{
		Name: "fence-does-not-wait", File: "resume.go",
		Old:  `c.retryAt.IsZero() || time.Now().Before(c.retryAt) {`,
		New:  `c.retryAt.IsZero() {`,
		Rule: "a failing disk is not tried at every write",
	},
	{
		Name: "failed-new-file-does-not-fence", File: "rotate.go",
		Old:  `	case errors.Is(err, errIO):`,
		New:  `	case errors.Is(err, errIO) && err == nil:`,
		Rule: "a new file that could not be synced fences the store",
	},
	{
		Name: "full-disk-at-a-sync-is-tried-in-place", File: "resume.go",
		Old:  `	if full && !c.db.opts.Sync.Always() && !errors.Is(cause, errIO) {`,
		New:  `	if full && !c.db.opts.Sync.Always() && (full || !errors.Is(cause, errIO)) {`,
		Rule: "a sync that found the disk full is a failed sync",
	},
}
