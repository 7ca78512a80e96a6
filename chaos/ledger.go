package chaos

import "sync"

// ledger knows for every key what was issued and how it ended. Key k belongs to writer k mod writers
// and to nobody else, and a writer has one request in flight: so the order of the writes to a key is
// known without asking a clock.
//
// begin, finish, writable and holdsValue are for the writer that owns the key; beginRead and endRead
// are safe for concurrent use with them; settle is for when nobody writes or reads.
type ledger struct {
	seed   uint64
	keys   int
	shards []shard // one for each writer
}

type shard struct {
	mu      sync.Mutex // guards what follows against the readers
	stories []story    // key k is at k / writers
	open    []*batch   // batches whose outcome is unknown until the next read-back
}

// request is one Set, Delete or BulkSet on its way.
type request struct {
	kind    opKind // opSet for a BulkSet too
	writer  int
	members []member // one, or for a BulkSet those of the batch
	batch   *batch   // nil unless a BulkSet
	existed bool     // Delete: the key is known to hold a value, so the reply must say that it existed
}

// finding is one key of a read-back, or one breach that a reader or a writer met.
type finding struct {
	key          int
	stranger     string // the key's name if it is none of the ledger's; key is 0 then
	class        Class
	acknowledged bool   // the promise was an acknowledged write
	counted      bool   // and an earlier read-back had counted it as stable
	batch        *batch // of which a part is missing
	expected     string // what follows is for violations only
	found        string
}

func newLedger(seed uint64, keys, writers int) *ledger {
	l := &ledger{seed: seed, keys: keys, shards: make([]shard, writers)}
	for k := range keys {
		sh := &l.shards[k%writers]
		sh.stories = append(sh.stories, newStory())
	}
	return l
}

func (l *ledger) at(key int) (*shard, *story) {
	sh := &l.shards[key%len(l.shards)]
	return sh, &sh.stories[key/len(l.shards)]
}

// id is what the value of one write to key says about itself.
func (l *ledger) id(m member) valueID {
	return valueID{
		seed: l.seed, key: uint32(m.key), writer: uint32(m.key % len(l.shards)), version: m.version,
	}
}

// writable reports whether a new write to key may be issued before the next read-back.
func (l *ledger) writable(key int) bool {
	sh, s := l.at(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return s.writable()
}

// holdsValue reports whether key is known to hold a value; key must be writable.
func (l *ledger) holdsValue(key int) bool {
	sh, s := l.at(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return s.promise().kind == opSet
}

// begin records a write to keys, all of one writer, as issued. It must come before the request is
// sent: a reader may see the value before its writer hears of it. Two or more keys make a BulkSet.
func (l *ledger) begin(kind opKind, keys ...int) *request {
	r := &request{kind: kind, writer: keys[0] % len(l.shards)}
	if len(keys) > 1 {
		r.batch = &batch{}
	}
	sh := &l.shards[r.writer]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, k := range keys {
		_, s := l.at(k)
		r.existed = kind == opDelete && s.promise().kind == opSet
		r.members = append(r.members, member{key: k, version: s.issue(kind, r.batch)})
	}
	if r.batch != nil {
		r.batch.members = r.members
	}
	return r
}

// finish records how r ended. existed is what the reply to an acknowledged Delete said. The findings
// are breaches that the outcome itself reveals; mostly there are none.
func (l *ledger) finish(r *request, how ending, existed bool) (breaches []finding) {
	sh := &l.shards[r.writer]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, m := range r.members {
		_, s := l.at(m.key)
		if !s.finish(how) {
			breaches = append(breaches, finding{
				key: m.key, class: Phantom,
				expected: "no trace of a write that failed", found: "a reader saw its effect",
			})
		}
	}
	if how == ok && r.existed && !existed {
		breaches = append(breaches, finding{
			key: r.members[0].key, class: Lost,
			expected: "a value to delete", found: "the delete was told that there was none",
		})
	}
	if how == unknown && r.batch != nil {
		sh.open = append(sh.open, r.batch)
	}
	return breaches
}

// readMark is the promise that stood when a read began.
type readMark int

// beginRead must come before the read is sent.
func (l *ledger) beginRead(key int) readMark {
	sh, s := l.at(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return readMark(s.floor)
}

// endRead judges what the read that began at mark saw.
func (l *ledger) endRead(key int, mark readMark, saw sighting) finding {
	sh, s := l.at(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	f := finding{key: key, class: s.observe(int(mark), saw)}
	if f.class.Violation() {
		f.expected, f.found = s.ops[mark].String()+", or newer", saw.String()
	}
	return f
}

// settle classes every key by what a read-back saw of it, in the order of the keys, and makes that
// the new starting point.
func (l *ledger) settle(saw []sighting, each func(finding)) {
	var open []*batch
	for i := range l.shards {
		open = append(open, l.shards[i].open...)
		l.shards[i].open = nil
	}
	torn := tornBatches(open, func(key int) sighting { return saw[key] })
	isTorn := func(b *batch) bool { return torn[b] > 0 }
	for key := range l.keys {
		_, s := l.at(key)
		f := s.settle(saw[key], isTorn)
		f.key = key
		if f.batch != nil {
			f.expected = batchText(f.batch, torn[f.batch])
		}
		each(f)
	}
}
