package mutants

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
		Equivalent: "The segment is given up before, and whatever is written next begins a new one, which sets the place " +
			"and the number of its first record anew; nothing looks at the old tail meanwhile.",
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
		return fencedFor(time.Until(c.retryAt), fenced)`,
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
		Old:  `wait := time.Until(c.retryAt); wait > 0 {`,
		New:  `wait := time.Until(c.retryAt); wait > 0 && c.retryAt.IsZero() {`,
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
