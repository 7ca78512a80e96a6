package chaos

import (
	"fmt"
	"slices"
)

// Class says what became of a key.
//
// The promise on a key is the newest write to it that was acknowledged, or that a reader or an
// earlier read-back saw: a value once read never vanishes. Allowed is the promise, and every write
// issued after it that did not fail. A read-back puts each key into exactly one class, the first of
// these whose rule applies:
//
//	torn         the value is damaged, or the server answers with an error instead of a value, or
//	             the value belongs to a batch of unknown outcome of which another part is missing
//	phantom      the value was never written to this key: it is of another key or campaign, of a
//	             version not issued yet, or of a write that was reported as failed; also a key that
//	             the server lists and nobody ever wrote
//	stable       the state that the promise left behind; also a key never written that is absent
//	recovered    the state that a write of unknown outcome would leave behind
//	lost         absent, and no allowed write is a delete
//	resurrected  a value though the promise is its absence, or a value whose write an earlier
//	             read-back had found missing
//	rolledBack   a value older than the promise
//
// Readers judge by the same rules while the load is on; for them every write that was issued before
// the read ended is allowed from the promise on that stood when the read began.
type Class uint8

// The classes, in the order in which reports list them.
const (
	Stable Class = iota
	Recovered
	Lost
	RolledBack
	Resurrected
	Torn
	Phantom
)

var classNames = [...]string{
	Stable: "stable", Recovered: "recovered", Lost: "lost", RolledBack: "rolledBack",
	Resurrected: "resurrected", Torn: "torn", Phantom: "phantom",
}

// String returns the name of c as the report spells it.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// MarshalText returns the name of c.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText accepts what MarshalText returns.
func (c *Class) UnmarshalText(text []byte) error {
	i := slices.Index(classNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("no such class: %q", text)
	}
	*c = Class(i)
	return nil
}

// Violation reports whether a promise was broken.
func (c Class) Violation() bool { return c > Recovered }

// sighting is what one read of one key showed.
type sighting struct {
	kind    sightKind
	version uint64 // sawValue: of the write that made the value
	detail  string // sawDamaged, sawForeign: for people
	refusal error  // sawDamaged: the error in place of a value; nil: the value itself is damaged
}

type sightKind uint8

const (
	sawAbsent  sightKind = iota
	sawValue             // an intact value of this campaign, written to this key
	sawForeign           // an intact value that was not written to this key
	sawDamaged           // a damaged value, or an error in place of one
)

func (s sighting) String() string {
	switch s.kind {
	case sawAbsent:
		return "absent"
	case sawValue:
		return fmt.Sprintf("the value of write %d", s.version)
	default:
		return s.detail
	}
}

// inspect turns the value that a read of want.key returned into a sighting; want.version is ignored.
func inspect(value []byte, want valueID) sighting {
	got, err := parseValue(value)
	if err != nil {
		return sighting{kind: sawDamaged, detail: fmt.Sprintf("damaged value: %v", err)}
	}
	want.version = got.version
	if got != want {
		return sighting{kind: sawForeign, detail: fmt.Sprintf(
			"a value of seed %d, writer %d, key %d, write %d", got.seed, got.writer, got.key, got.version)}
	}
	return sighting{kind: sawValue, version: got.version}
}

// judge classes what was seen, given that ops[from] is the promise, and returns the index of the
// write that the sighting shows, or -1 where that is none of the allowed ones. After damage, which is
// reported when it is first seen, anything that was ever written is stable.
func (s *story) judge(from int, saw sighting) (Class, int) {
	switch {
	case saw.kind == sawValue:
		return s.judgeValue(from, saw.version)
	case saw.kind == sawAbsent:
		return s.judgeAbsent(from)
	case s.ops[from].kind == opDamage:
		return Stable, from
	case saw.kind == sawForeign:
		return Phantom, -1
	default:
		return Torn, -1
	}
}

func (s *story) judgeAbsent(from int) (Class, int) {
	for i := from; i < len(s.ops); i++ {
		switch {
		case s.ops[i].kind == opDamage:
			return Stable, -1
		case s.ops[i].kind != opSet && s.ops[i].end != failed:
			return s.allowedClass(from, i), i
		}
	}
	return Lost, -1
}

func (s *story) judgeValue(from int, version uint64) (Class, int) {
	promise := s.ops[from]
	i := slices.IndexFunc(s.ops, func(o op) bool { return o.version == version && o.kind.issued() })
	switch {
	case version == 0 || version > s.last || slices.Contains(s.failed, version):
		return Phantom, -1
	case i >= 0 && (s.ops[i].end == failed || s.ops[i].kind == opDelete):
		return Phantom, -1
	case i >= from:
		return s.allowedClass(from, i), i
	case promise.kind == opDamage:
		return Stable, -1
	case promise.kind != opSet || version > promise.version:
		return Resurrected, -1
	default:
		return RolledBack, -1
	}
}

// allowedClass is the class of a key that shows the allowed write i. A promise that rests only on a
// reader's word was never acknowledged: there again, it is recovered.
func (s *story) allowedClass(from, i int) Class {
	if i == from && s.ops[i].end != unknown {
		return Stable
	}
	return Recovered
}

// tornBatches returns those of the batches of unknown outcome that are there in part, with the
// number of members that are there.
func tornBatches(open []*batch, saw func(key int) sighting) map[*batch]int {
	torn := map[*batch]int{}
	for _, b := range open {
		there := 0
		for _, m := range b.members {
			if s := saw(m.key); s.kind == sawValue && s.version == m.version {
				there++
			}
		}
		if there > 0 && there < len(b.members) {
			torn[b] = there
		}
	}
	return torn
}
