package mutants

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
		Equivalent: "The size of the record is held against the same limit before it counts, and no record is as short " +
			"as its header; so the same records are refused, a few lines later.",
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
