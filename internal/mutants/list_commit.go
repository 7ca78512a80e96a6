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
