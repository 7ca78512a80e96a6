package mutants

// manifests are bugs in which files belong to the store, and which are removed.
var manifests = []Mutant{
	{
		Name: "old-manifest-goes-first", File: "rotate.go",
		Old: `	err := c.db.storage.writeManifest(&c.manifest)
`,
		New: `	c.db.storage.removeManifests(replaced)
	err := c.db.storage.writeManifest(&c.manifest)
`,
		Rule: "a manifest is removed once a newer one is durable",
	},
	{
		Name: "space-is-given-back-too-early", File: "rotate.go",
		Old:  `		c.sealed = append(c.sealed, sealedSegment{c.active, c.durable.offset})`,
		New:  `		c.giveBack(sealedSegment{c.active, c.durable.offset})`,
		Rule: "a segment is shortened once a durable manifest says that it is sealed",
	},
	{
		Name: "space-is-given-back-with-records", File: "rotate.go",
		Old:  `		err = s.seg.file.Truncate(s.size)`,
		New:  `		err = s.seg.file.Truncate(s.size - recordAlign)`,
		Rule: "a sealed segment keeps its last record",
	},
	{
		Name: "space-is-given-back-late", File: "rotate.go",
		Old: `	for _, s := range c.sealed {
		c.giveBack(s)
	}
	c.sealed = nil`,
		New: `	for _, s := range c.sealed {
		c.giveBack(s)
	}`,
		Rule: "space is given back once",
	},
	{
		Name: "generation-is-used-again", File: "rotate.go",
		Old: `	c.manifest.generation++
	c.manifest.nextSegment = c.next`,
		New:  `	c.manifest.nextSegment = c.next`,
		Rule: "every manifest has a name of its own",
	},
	{
		Name: "generation-counts-successes", File: "rotate.go",
		Old: `	if err != nil {
		return err
	}
	c.db.storage.removeManifests(replaced)`,
		New: `	if err != nil {
		c.manifest.generation--
		return err
	}
	c.db.storage.removeManifests(replaced)`,
		Rule: "a name that a failed manifest had is not used again",
	},
	{
		Name: "failed-manifests-are-forgotten", File: "rotate.go",
		Old:  `	c.outdated = append(c.outdated, c.manifest.generation)`,
		New:  `	_ = c.outdated`,
		Rule: "manifests that failed are removed with the others",
	},
	{
		Name: "old-manifests-stay", File: "rotate.go",
		Old: `	c.db.storage.removeManifests(replaced)
`,
		New: `	_ = replaced
`,
		Rule: "a manifest that is replaced takes no space",
	},
	{
		Name: "next-number-is-not-noted", File: "rotate.go",
		Old: `	c.manifest.nextSegment = c.next
`,
		New:  ``,
		Rule: "the manifest says which numbers were never listed",
	},
	{
		Name: "segment-number-is-used-again", File: "rotate.go",
		Old: `	c.next++
`,
		New:  ``,
		Rule: "no two segments have the same number",
	},
	{
		Name: "segment-number-is-used-over", File: "segment.go",
		Old:  `os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)`,
		New:  `os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)`,
		Rule: "a new segment is never written over another file",
	},
	{
		Name: "manifest-name-is-used-over", File: "manifest_files.go",
		Old:  `os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)`,
		New:  `os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)`,
		Rule: "a new manifest is never written over another file",
	},
	{
		Name: "prepared-segment-is-used-twice", File: "rotate.go",
		Old: `	c.prepared = nil
	c.active = seg`,
		New:  `	c.active = seg`,
		Rule: "a segment is begun once",
	},
	{
		Name: "prepared-segment-is-forgotten", File: "rotate.go",
		Old:  `		c.prepared = seg`,
		New:  `		_ = seg.file.Close()`,
		Rule: "a segment whose manifest failed is used by the next attempt",
	},
	{
		Name: "prepared-segment-is-removed", File: "rotate.go",
		Old: `		c.prepared = seg`,
		New: `		_ = seg.file.Close()
		_ = c.db.storage.fs.Remove(c.db.storage.path(seg.name))`,
		Rule: "a segment that a manifest on disk may list is not removed",
	},
	{
		Name: "prepared-segment-is-too-small", File: "rotate.go",
		Old:  `		if c.prepared.header.capacity >= need {`,
		New:  `		if c.prepared.header.capacity > 0 {`,
		Rule: "a segment has room for what it was begun for",
	},
	{
		Name: "segment-is-listed-twice", File: "rotate.go",
		Old: `		c.manifest.entries = c.manifest.entries[:len(c.manifest.entries)-1]
		c.prepared = seg`,
		New:  `		c.prepared = seg`,
		Rule: "a rotation that failed leaves the list of segments as it was",
	},
	{
		Name: "manifest-misses-the-new-segment", File: "rotate.go",
		Old: `	c.manifest.entries = append(c.manifest.entries, newEntry(&seg.header))
	if err := c.writeManifest(); err != nil {`,
		New: `	err = c.writeManifest()
	c.manifest.entries = append(c.manifest.entries, newEntry(&seg.header))
	if err != nil {`,
		Rule: "a segment is listed by a durable manifest before a record goes into it",
	},
	{
		Name: "new-segment-begins-at-the-old-end", File: "rotate.go",
		Old: `	c.durable = c.tail
	c.db.segmentCount`,
		New:  `	c.db.segmentCount`,
		Rule: "the first flush of a segment begins behind its header",
	},
	{
		Name: "new-segment-begins-at-the-tail", File: "rotate.go",
		Old:  `firstSeq: c.durable.seq, capacity`,
		New:  `firstSeq: c.tail.seq, capacity`,
		Rule: "sequence numbers go on where the last durable record was",
	},
	{
		Name: "hidden-manifest-is-outdated", File: "rotate.go",
		Old:  `	if !errors.Is(err, os.ErrExist) {`,
		New:  `	if err != os.ErrExist {`,
		Rule: "nothing is removed on the evidence of a listing that came up short",
	},
	{
		Name: "bound-is-not-raised", File: "rotate.go",
		Old: `		e.setDurable(c.durable.position())
	}
	replaced :=`,
		New: `		_ = e
	}
	replaced :=`,
		Rule: "a manifest says how far the log is durable",
	},
	{
		Name: "bound-is-raised-to-the-tail", File: "rotate.go",
		Old: `		e.setDurable(c.durable.position())
	}
	replaced :=`,
		New: `		e.setDurable(c.tail.position())
	}
	replaced :=`,
		Rule: "the bound is raised after the sync, not before",
	},
	{
		Name: "bound-is-never-due", File: "committer.go",
		Old: `	c.dropBuf()
	c.scheduleBound()`,
		New:  `	c.dropBuf()`,
		Rule: "the bound follows the log within a second",
	},
	{
		Name: "bound-is-raised-once", File: "rotate.go",
		Old:  `	if e != nil && !c.bounding &&`,
		New:  `	if e != nil && !c.bounding && c.boundWait == c.db.opts.BoundEvery && e.length == segmentHeaderBytes &&`,
		Rule: "the bound is raised again as the log goes on",
	},
	{
		Name: "bound-that-failed-is-not-tried-again", File: "rotate.go",
		Old: `		c.scheduleBound()
		return
	}
	c.boundWait`,
		New: `		return
	}
	c.boundWait`,
		Rule: "a bound that could not be raised is tried again",
	},
	{
		Name: "close-does-not-note-the-end", File: "rotate.go",
		Old: `	if err := c.writeManifest(); err != nil {
		return fmt.Errorf("noting`,
		New: `	if err := error(nil); err != nil {
		return fmt.Errorf("noting`,
		Rule: "after a clean close any damage is recognised",
	},
	{
		Name: "no-small-segment-on-a-full-disk", File: "rotate.go",
		Old:  `	if err != nil && isDiskFull(err) && small < c.db.opts.SegmentBytes {`,
		New:  `	if err != nil && isDiskFull(err) && small < 0 {`,
		Rule: "a disk without room for a whole segment gets a small one",
	},
	{
		Name: "store-file-of-one-manifest-counts", File: "manifest_files.go",
		Old:  `	if err == nil && slices.Equal(inv.manifests, []uint64{1}) {`,
		New:  `	if err == nil && len(inv.manifests) == 0 {`,
		Rule: "a creation whose last sync may have failed is begun again",
	},
	{
		Name: "segments-are-no-evidence", File: "manifest_files.go",
		Old:  `	case len(inv.segments) > 0:`,
		New:  `	case len(inv.segments) > 1<<20:`,
		Rule: "no empty store is created over segments",
	},
	{
		Name: "manifests-are-no-evidence", File: "manifest_files.go",
		Old:  `	case len(inv.manifests) > 0 && inv.manifests[0] > first:`,
		New:  `	case len(inv.manifests) > 1<<20:`,
		Rule: "no empty store is created over manifests",
	},
	{
		Name: "listing-alone-is-asked", File: "manifest_files.go",
		Old:  `		if _, err := st.fs.Stat(st.path(segmentName(first))); err == nil {`,
		New:  `		if err := os.ErrNotExist; err == nil {`,
		Rule: "a listing that comes up short does not lead to an empty store",
	},
}
