package mutants

// recovery are bugs in what Open makes of what it finds.
var recovery = []Mutant{
	{
		Name: "recovered-tail-is-trusted", File: "recover.go",
		Old:  `	if durable == rp.end && r.report.CutBytes == 0 {`,
		New:  `	if r.report.CutBytes == 0 {`,
		Rule: "what may only be in the kernel's cache is made durable before it is served",
	},
	{
		Name: "recovered-tail-is-synced-in-place", File: "recover.go",
		Old:  `	if durable == rp.end && r.report.CutBytes == 0 {`,
		New:  `	if r.report.CutBytes == 0 && seg.file.Sync() == nil {`,
		Rule: "a sync that an earlier process saw fail is not believed now",
	},
	{
		Name: "recovered-tail-is-not-written-again", File: "recover.go",
		Old:  `	return r.writeCopy(body, t.durable.lastSeq+1)`,
		New:  `	return nil`,
		Rule: "records that were served once are not dropped",
	},
	{
		Name: "torn-tail-stays", File: "recover.go",
		Old:  `	if durable == rp.end && r.report.CutBytes == 0 {`,
		New:  `	if durable == rp.end {`,
		Rule: "the cut of a torn tail is durable before anything is appended",
	},
	{
		Name: "sealed-behind-what-is-durable", File: "recover.go",
		Old: `		old.seal(t.durable)
		entries = append(entries, old)`,
		New: `		old.seal(t.replay.end)
		entries = append(entries, old)`,
		Rule: "the old segment is sealed where it was known durable",
	},
	{
		Name: "sealed-segment-is-shortened-too-early", File: "recover.go",
		Old:  `		r.trims = append(r.trims, trim{seg, t.contentEnd})`,
		New:  `		_ = seg.file.Truncate(t.durable.offset)`,
		Rule: "nothing is destroyed before its replacement is durable",
	},
	{
		Name: "unsettled-segment-is-removed-too-early", File: "recover.go",
		Old:  `		r.garbage = append(r.garbage, seg.name)`,
		New:  `		_ = r.st.fs.Remove(r.st.path(seg.name))`,
		Rule: "a segment is removed once the manifest without it is durable",
	},
	{
		Name: "garbage-goes-before-the-manifest", File: "recover.go",
		Old:  `r.findOrphans, r.settle}`,
		New:  `r.findOrphans, func() error { r.collectGarbage(); return nil }, r.settle}`,
		Rule: "older manifests are removed once the new one is durable",
	},
	{
		Name: "recovery-writes-no-manifest", File: "recover.go",
		Old:  `	if err := r.st.writeManifest(&r.manifest); err != nil {`,
		New:  `	if err := error(nil); err != nil {`,
		Rule: "every Open writes a manifest before it removes the ones it read",
	},
	{
		Name: "recovery-notes-no-bound", File: "recover.go",
		Old:  `		r.manifest.active().setDurable(r.tail.position())`,
		New:  `		_ = r.tail.position()`,
		Rule: "a recovery raises the bound to the end",
		Equivalent: "Recovery goes on with a segment only where the manifest's bound is its very end already, for no record " +
			"can say of itself that it is durable; in every other case it seals the segment.",
	},
	{
		Name: "sequence-number-is-used-again", File: "recover.go",
		Old:  `		r.tail.seq = r.manifest.lastSeq() + 1`,
		New:  `		r.tail.seq = r.manifest.lastSeq()`,
		Rule: "the numbers go on behind the last record",
	},
	{
		Name: "copy-looks-like-a-log", File: "recover.go",
		Old:  `		kind: segmentCopy, store`,
		New:  `		kind: segmentLog, store`,
		Rule: "a copy that a crash left unlisted is not taken for lost data",
	},
	{
		Name: "copy-number-is-used-again", File: "recover.go",
		Old: `	r.manifest.nextSegment++
`,
		New:  ``,
		Rule: "a copy's number is not used again",
	},
	{
		Name: "copy-is-not-placed", File: "recover.go",
		Old: `		at += place.place(body[at:])`,
		New: `		at = int64(len(body))
		_ = place.place(slices.Clone(body))`,
		Rule: "the records of a copy say where they stand",
	},
	{
		Name: "copy-is-not-read-back", File: "recover.go",
		Old: `	records := r.report.Records
	err = r.replaySealed(seg, &e)`,
		New:  `	records := r.report.Records`,
		Rule: "the index points to the copy, which is whole",
	},
	{
		Name: "listed-numbers-alone-are-reserved", File: "recover.go",
		Old: `	r.reserveNumbers()
	return nil`,
		New:  `	return nil`,
		Rule: "a new segment does not take the name of a file that is there",
	},
	{
		Name: "empty-orphans-stay", File: "recover.go",
		Old:  `	if h.kind == segmentCopy || rp.records == 0 {`,
		New:  `	if h.kind == segmentCopy {`,
		Rule: "a segment that never got a record is no damage",
	},
	{
		Name: "unlisted-copies-are-damage", File: "recover.go",
		Old:  `	if h.kind == segmentCopy || rp.records == 0 {`,
		New:  `	if rp.records == 0 {`,
		Rule: "a copy that no manifest lists is redundant",
	},
	{
		Name: "unlisted-records-are-garbage", File: "recover.go",
		Old:  `	if h.kind == segmentCopy || rp.records == 0 {`,
		New:  `	if h.kind <= segmentCopy {`,
		Rule: "records that no manifest lists show that a manifest was lost",
	},
	{
		Name: "unlisted-records-are-old", File: "recover.go",
		Old:  `	case number >= r.loadedNext:`,
		New:  `	case number > r.loadedNext:`,
		Rule: "the first number that was never listed is one of those",
	},
	{
		Name: "foreign-segments-are-removed", File: "recover.go",
		Old:  `		r.report.note("%s belongs to store %x and not to this one; it was left alone", name, h.store)`,
		New:  `		r.garbage = append(r.garbage, name)`,
		Rule: "what belongs to another store is left alone",
	},
	{
		Name: "trim-takes-the-evidence", File: "reclaim.go",
		Old:  `trim{seg, rem.sectorEnd()}`,
		New:  `trim{seg, e.length}`,
		Rule: "what was cut off behind a seal stays in its file",
	},
	{
		Name: "undone-trim-is-left", File: "reclaim.go",
		Old:  `if err != nil || e.length == e.capacity ||`,
		New:  `if err != nil || e.sealed ||`,
		Rule: "space that a crash has brought back is given back again",
	},
	{
		Name: "garbage-is-left", File: "reclaim.go",
		Old:  `if err := r.st.fs.Remove(r.st.path(name)); err != nil {`,
		New:  `if err := error(nil); err != nil {`,
		Rule: "nothing grows, however often recovery is cut off",
	},
	{
		Name: "copied-segments-are-judged", File: "recover.go",
		Old:  `	case h.number != number:`,
		New:  `	case h.number != number && r == nil:`,
		Rule: "a copy under another name is no lost segment",
	},
	{
		Name: "orphans-are-found-by-listing-alone", File: "recover.go",
		Old:  `	candidates := append(slices.Clone(r.inv.segments), r.loadedNext)`,
		New:  `	candidates := slices.Clone(r.inv.segments)`,
		Rule: "the segment of a lost manifest is looked for by name as well",
	},
	{
		Name: "orphans-are-not-looked-for", File: "recover.go",
		Old:  `	for _, number := range slices.Compact(candidates) {`,
		New:  `	for _, number := range slices.Compact(candidates)[:0] {`,
		Rule: "a lost manifest is noticed",
	},
	{
		Name: "misplaced-segments-are-not-looked-for", File: "recover.go",
		Old:  `	if err := r.st.misplaced(r.inv, &r.manifest); err != nil {`,
		New:  `	if err := error(nil); err != nil {`,
		Rule: "a segment under a manifest's name is noticed",
	},
	{
		Name: "missing-segment-is-skipped", File: "recover.go",
		Old: `		if err != nil {
			return err
		}
		r.segments = append(r.segments, seg)`,
		New: `		if err != nil {
			continue
		}
		r.segments = append(r.segments, seg)`,
		Rule: "a segment that is listed and missing is damage",
	},
	{
		Name: "segments-need-not-follow", File: "recover.go",
		Old:  `		if e.firstSeq != next || `,
		New:  `		if next == 0 || `,
		Rule: "each segment of a manifest begins where the one before ends",
	},
	{
		Name: "active-segment-anywhere", File: "recover.go",
		Old:  ` || !e.sealed && !last {`,
		New:  ` || !e.sealed && !last && next == 0 {`,
		Rule: "only the last segment is open",
	},
	{
		Name: "newest-manifest-is-enough", File: "manifest_files.go",
		Old: `			report.note("%s is not whole: it was being written when the store was last used, or is damaged", name)
			continue`,
		New:  `			return manifest{}, &DamageError{File: name, Reason: "not whole"}`,
		Rule: "a manifest that was being written when the power went is no damage",
	},
	{
		Name: "too-new-manifest-is-skipped", File: "manifest_files.go",
		Old: `		if err != nil {
			return m, fmt.Errorf("reading %s: %w", name, err)
		}`,
		New: `		if err != nil {
			continue
		}`,
		Rule: "a later format is refused, and not an older manifest used",
	},
	{
		Name: "oldest-manifest-counts", File: "manifest_files.go",
		Old: `	slices.Reverse(inv.manifests)
`,
		New:  ``,
		Rule: "the newest whole manifest counts",
	},
}
