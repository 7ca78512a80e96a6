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
		Old:  `	if number >= r.loadedNext {`,
		New:  `	if number > r.loadedNext {`,
		Rule: "the first number that was never listed is one of those",
	},
	{
		Name: "foreign-segments-are-removed", File: "recover.go",
		Old:  `		r.report.note("%s belongs to store %x and not to this one; it was left alone", name, h.store)`,
		New:  `		r.garbage = append(r.garbage, name)`,
		Rule: "what belongs to another store is left alone",
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

// damage are bugs in telling a torn tail from damage, and in replaying the log.
var damage = []Mutant{
	{
		Name: "witness-is-ignored", File: "recover.go",
		Old:  `	if rem.witness != nil || rp.end.offset < rp.durable {`,
		New:  `	if rp.end.offset < rp.durable {`,
		Rule: "a record behind the hole that says it was synced makes it damage",
	},
	{
		Name: "bound-is-ignored", File: "recover.go",
		Old:  `	if rem.witness != nil || rp.end.offset < rp.durable {`,
		New:  `	if rem.witness != nil {`,
		Rule: "nothing below the bound is cut",
	},
	{
		Name: "log-is-cut-at-the-first-bad-record", File: "recover.go",
		Old:  `	if rem.witness != nil || rp.end.offset < rp.durable {`,
		New:  `	if rp.end.offset < 0 {`,
		Rule: "acknowledged data is not cut because a checksum failed",
	},
	{
		Name: "bound-may-be-off-by-one", File: "recover.go",
		Old:  `rp.end.offset < rp.durable {`,
		New:  `rp.end.offset+recordAlign < rp.durable {`,
		Rule: "the bound is met to the byte",
	},
	{
		Name: "records-need-not-be-the-known-ones", File: "recover.go",
		Old:  `	if e.length == durable.offset && e.position() != durable {`,
		New:  `	if e.length == durable.offset && e.position() != durable && seg == nil {`,
		Rule: "the records below the bound are those that the manifest knew",
	},
	{
		Name: "sealed-end-is-not-checked", File: "damage.go",
		Old: `	if r.end == e.position() {
		return nil`,
		New: `	if r.end.offset <= e.length {
		return nil`,
		Rule: "a sealed segment ends exactly where the manifest says",
	},
	{
		Name: "sealed-end-is-checked-by-offset", File: "damage.go",
		Old:  `	if r.end == e.position() {`,
		New:  `	if r.end.offset == e.length {`,
		Rule: "a sealed segment ends with the record that the manifest knew",
	},
	{
		Name: "record-in-flight-is-a-witness", File: "damage.go",
		Old:  `		if ok && int64(h.durable) > limit {`,
		New:  `		if ok && int64(h.durable) >= limit {`,
		Rule: "records of one group do not prove each other durable",
	},
	{
		Name: "search-ends-with-its-piece", File: "damage.go",
		Old:  `		b, err := w.bytes(at, n+recordHeaderBytes)`,
		New:  `		b, err := w.bytes(at, n)`,
		Rule: "a witness whose header lies across two pieces is found",
	},
	{
		Name: "search-covers-one-piece", File: "damage.go",
		Old:  `	for at := offset; at < s.header.capacity; at += windowBytes {`,
		New:  `	for at := offset; at < min(s.header.capacity, offset+windowBytes); at += windowBytes {`,
		Rule: "the whole rest of the segment is searched for a witness",
	},
	{
		Name: "search-takes-large-steps", File: "damage.go",
		Old:  `i+recordAlign <= n; i += recordAlign {`,
		New:  `i+recordAlign <= n; i += 2 * recordAlign {`,
		Rule: "a witness may stand at any multiple of eight bytes",
	},
	{
		Name: "sequence-is-not-checked", File: "replay.go",
		Old:  `!ok || h.seq != r.next.seq || `,
		New:  `!ok || `,
		Rule: "sequence numbers follow each other",
	},
	{
		Name: "chain-is-not-checked", File: "replay.go",
		Old:  ` || h.prev != r.next.prev || `,
		New:  ` || `,
		Rule: "a record follows the one that it was written behind",
	},
	{
		Name: "record-may-be-longer-than-its-file", File: "replay.go",
		Old:  ` || h.size() > r.limit-at {`,
		New:  ` {`,
		Rule: "no record reaches beyond its segment",
	},
	{
		Name: "header-may-reach-beyond-the-limit", File: "replay.go",
		Old:  `	if at+recordHeaderBytes > r.limit {`,
		New:  `	if at > r.limit {`,
		Rule: "no header is read beyond the segment's end",
	},
	{
		Name: "last-record-is-not-read", File: "replay.go",
		Old:  ` || h.size() > r.limit-at {`,
		New:  ` || h.size() >= r.limit-at {`,
		Rule: "a record may end where its segment does",
	},
	{
		Name: "payload-is-not-checked", File: "replay.go",
		Old:  `	return h, payload, h.payloadIntact(payload), nil`,
		New:  `	return h, payload, true, nil`,
		Rule: "a record whose value is not what was written does not count",
	},
	{
		Name: "half-a-batch-is-applied", File: "replay.go",
		Old:  `	if h.more() {`,
		New:  `	if h.more() && len(r.batch) < 0 {`,
		Rule: "a batch counts once its last record is there",
	},
	{
		Name: "half-a-batch-is-kept", File: "replay.go",
		Old: `	if h.more() {`,
		New: `	if h.more() {
		r.end = r.next.position()`,
		Rule: "the log ends behind a whole batch",
	},
	{
		Name: "batch-is-applied-again", File: "replay.go",
		Old: `	r.batch = r.batch[:0]
`,
		New:  ``,
		Rule: "a batch is applied once",
	},
	{
		Name: "batch-is-applied-backwards", File: "replay.go",
		Old: `		r.apply(&r.batch[i].header, r.batch[i].key, r.batch[i].offset)
	}
	r.apply(&h, key, at)`,
		New: `		defer r.apply(&r.batch[i].header, r.batch[i].key, r.batch[i].offset)
	}
	r.apply(&h, key, at)`,
		Rule: "of several writes to one key in a batch the last one counts",
	},
	{
		Name: "keys-of-a-batch-are-not-copied", File: "replay.go",
		Old:  `replayed{h, append([]byte(nil), key...), at})`,
		New:  `replayed{h, key, at})`,
		Rule: "the keys of a batch outlast the window that they were read through",
	},
	{
		Name: "end-of-a-record-is-missed", File: "replay.go",
		Old:  `	if r.next.offset >= r.durable {`,
		New:  `	if r.next.offset > r.durable {`,
		Rule: "the log may be durable up to exactly the end of a record",
	},
	{
		Name: "durable-claims-are-ignored", File: "replay.go",
		Old: `	r.durable = durable
	for`,
		New:  `	for`,
		Rule: "what a record says of how far the log was synced counts",
	},
	{
		Name: "impossible-claims-are-accepted", File: "replay.go",
		Old:  `	if len(r.ends) == 0 || r.ends[0].offset != durable {`,
		New:  `	if len(r.ends) == 0 {`,
		Rule: "a log is synced up to the end of a record",
	},
	{
		Name: "bound-inside-a-record-is-accepted", File: "replay.go",
		Old:  `		if p.offset == r.durable {`,
		New:  `		if p.offset >= r.durable {`,
		Rule: "the bound is the end of a record",
	},
	{
		Name: "delete-is-not-replayed", File: "recover.go",
		Old: `			r.index.delete(string(key))
			return`,
		New:  `			return`,
		Rule: "a deleted key does not come back",
	},
	{
		Name: "shortened-segment-is-accepted", File: "segment.go",
		Old:  `	if info.Size() >= want {`,
		New:  `	if info.Size() >= segmentHeaderBytes {`,
		Rule: "a file that lost its end is damaged",
	},
	{
		Name: "shortened-active-segment-is-accepted", File: "segment.go",
		Old:  `	want := e.capacity`,
		New:  `	want := e.length`,
		Rule: "an open segment has the size that it was preallocated to",
	},
}
