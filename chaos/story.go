package chaos

import "fmt"

type opKind uint8

const (
	opSet    opKind = iota
	opDelete        // issued by a writer
	opAbsent        // no write: the key was found absent, or was never written
	opDamage        // no write: the key was found damaged, so that nothing is known about it
)

// issued reports whether a writer issued the op, so that its version is its own.
func (k opKind) issued() bool { return k == opSet || k == opDelete }

// ending is how an op ended.
type ending uint8

const (
	pending ending = iota
	ok             // acknowledged
	failed         // certainly not applied, and will never appear
	unknown        // may or may not have been applied
	settled        // was unknown, or contradicted its outcome; a read-back showed what it left
)

// op is one write to one key, or the state that a read-back found.
type op struct {
	version uint64
	batch   *batch // of which it is a part; nil for a write of its own
	kind    opKind
	end     ending
	counted bool // as checked, in Durability
}

func (o op) String() string {
	how := [...]string{
		pending: "in flight", ok: "acknowledged", failed: "failed",
		unknown: "of unknown outcome", settled: "seen by an earlier read-back",
	}[o.end]
	switch o.kind {
	case opSet:
		return fmt.Sprintf("the value of write %d, %s", o.version, how)
	case opDelete:
		return fmt.Sprintf("deleted by write %d, %s", o.version, how)
	case opAbsent:
		return "absent, as before"
	default:
		return "damaged, as before"
	}
}

// batch is one BulkSet. Its members are there together or not at all.
type batch struct{ members []member }

type member struct {
	key     int
	version uint64
}

// story is what the ledger knows about one key since the last read-back.
type story struct {
	// ops[0] is the state that the last read-back found (at first: absent), then follow the writes in
	// the order of their issue. Only the last can be pending or unknown: a key with an unknown write is
	// left alone until a read-back settles it, since that write might land on top of a newer one.
	ops    []op
	floor  int      // ops[floor] is the promise: the newest write acknowledged, or seen by anybody
	last   uint64   // highest version issued
	failed []uint64 // versions of failed writes from before ops[0]
}

func newStory() story { return story{ops: []op{{kind: opAbsent, end: settled}}} }

// promise is the newest write that must not be undone.
func (s *story) promise() op { return s.ops[s.floor] }

// writable reports whether a new write may be issued.
func (s *story) writable() bool {
	last := s.ops[len(s.ops)-1].end
	return last != pending && last != unknown
}

// issue records a write that is about to be sent and returns its version.
func (s *story) issue(kind opKind, b *batch) uint64 {
	s.last++
	s.ops = append(s.ops, op{version: s.last, kind: kind, batch: b})
	return s.last
}

// finish records how the write in flight ended. It returns false when a reader has already seen the
// effect of a write that now turns out to have failed.
func (s *story) finish(how ending) bool {
	i := len(s.ops) - 1
	s.ops[i].end = how
	if how == ok {
		s.floor = i
	}
	if how != failed || s.floor < i {
		return true
	}
	for s.floor > 0 && s.ops[s.floor].end != ok {
		s.floor--
	}
	return false
}

// observe judges what a reader saw, given the floor from when its read began, and lets what it saw
// raise the floor: from now on nobody may see anything older.
func (s *story) observe(from int, saw sighting) Class {
	class, i := s.judge(from, saw)
	s.floor = max(s.floor, i)
	return class
}

// settle classes what a read-back saw and starts the story anew from it, so that nothing is reported
// twice. torn tells whether the batch is there in part.
func (s *story) settle(saw sighting, torn func(*batch) bool) finding {
	class, i := s.judge(s.floor, saw)
	promise := s.promise()
	f := finding{class: class, acknowledged: promise.end == ok, counted: promise.counted}
	var next op
	switch {
	case i >= 0:
		next = s.ops[i]
		if next.end != ok {
			next.end = settled
		}
		if b := s.ops[i].batch; s.ops[i].end == unknown && b != nil && torn(b) {
			// The promise was overwritten, not broken: what is broken is the batch.
			f.class, f.batch, f.acknowledged, f.counted = Torn, b, false, false
		}
		next.counted = f.class == Stable && f.acknowledged
	case saw.kind == sawAbsent:
		next = op{kind: opAbsent, end: settled, version: s.last}
	case saw.kind == sawValue && saw.version <= s.last:
		next = op{kind: opSet, end: settled, version: saw.version}
	default:
		next = op{kind: opDamage, end: settled, version: s.last}
	}
	if f.class.Violation() {
		f.expected, f.found = promise.String(), saw.String()
	}
	s.restart(next)
	return f
}

func (s *story) restart(from op) {
	for _, o := range s.ops {
		if o.end == failed {
			s.failed = append(s.failed, o.version)
		}
	}
	from.batch = nil
	s.ops = append(s.ops[:0], from)
	s.floor = 0
}
