package kvtest

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"holdfast/faultfs"
	"holdfast/kv"
)

// The words of a plan, what each does to a store whose segments have 4 KiB, and
// under which of few keys, so that words meet the keys of others.
var words = []struct {
	name string
	do   func(*loader)
}{
	{"set", func(l *loader) { l.set("set", "a", 16) }},                            // a small record
	{"sector", func(l *loader) { l.set("sector", "b", l.toSectorEnd("b")) }},      // ends where a sector does
	{"cross", func(l *loader) { l.set("cross", "a", faultfs.SectorBytes) }},       // over the end of a sector
	{"several", func(l *loader) { l.set("several", "b", 3*faultfs.SectorBytes) }}, // over several sectors
	{"big", func(l *loader) { l.set("big", "c", segmentBytes+100) }},              // needs a segment of its own
	{"over", func(l *loader) { l.set("over", "c", 8) }},                           // an overwrite, after big
	{"delete", func(l *loader) { l.delete("delete", "a") }},                       // of a key that may be there
	{"missing", func(l *loader) { l.delete("missing", "none") }},                  // of a key that never is
	{"batch", (*loader).batch},                                                    // small
	{"bulk", (*loader).bulk},                                                      // over several sectors
	{"roll", (*loader).roll},                                                      // fills the segment until the next one begins
	{"reopen", (*loader).reopen},                                                  // Close and Open
}

// syncWord is one more under an interval policy.
const syncWord = "sync"

// segmentBytes is the least that a store takes.
const segmentBytes = 4 << 10

// keys are all that are ever written, in order, and one that is not.
var keys = []string{"a", "b", "c", "d", "e", "f", "none", probeKeys[0], probeKeys[1]}

// probeKeys are what a recovered store is written to.
var probeKeys = [2]string{"y", "z"}

// loader runs one plan.
type loader struct {
	life
	num int // of writes so far: no two have equal values

	// tail is where the next record goes in the segment that is open, and size
	// how far that reaches. They only decide how large a value is: were they
	// wrong, nothing would be judged wrongly.
	tail, size int64
}

// set writes a value of so many bytes.
func (l *loader) set(what, key string, size int) {
	l.num++
	value := fill(fmt.Sprintf("%d %s %s", l.num, what, key), size)
	l.write(Issued{what, []Change{{Key: key, Value: ValueOf(value)}}}, func() error {
		return l.db.Set([]byte(key), value)
	})
}

func (l *loader) delete(what, key string) {
	l.num++
	l.write(Issued{what, []Change{{Key: key, Delete: true}}}, func() error {
		_, err := l.db.Delete([]byte(key))
		return err
	})
}

// batch is four small records in one sector, or in two.
func (l *loader) batch() {
	l.apply("batch", []put{{"a", 20}, {"b", -1}, {"d", 20}, {"e", 20}})
}

// bulk sets and deletes over three or four sectors.
func (l *loader) bulk() {
	l.apply("bulk", []put{{"d", 500}, {"c", -1}, {"a", 600}, {"e", -1}, {"f", 300}})
}

// put is one write of a batch: a value of so many bytes, or less than none for a
// delete.
type put struct {
	key  string
	size int
}

func (l *loader) apply(what string, puts []put) {
	l.num++
	var b kv.Batch
	issued := Issued{What: what}
	for _, p := range puts {
		if p.size < 0 {
			b.Delete([]byte(p.key))
			issued.Changes = append(issued.Changes, Change{Key: p.key, Delete: true})
			continue
		}
		value := fill(fmt.Sprintf("%d %s %s", l.num, what, p.key), p.size)
		b.Set([]byte(p.key), value)
		issued.Changes = append(issued.Changes, Change{Key: p.key, Value: ValueOf(value)})
	}
	l.write(issued, func() error { return l.db.Apply(&b) })
}

// roll sets one key until that begins a segment.
func (l *loader) roll() {
	const most = 8 // more than a segment can hold
	before := l.db.Stats().Segments
	for range most {
		l.set("roll", "f", 900)
		if l.ended || l.db.Stats().Segments > before {
			return
		}
	}
}

func (l *loader) reopen() {
	if err := l.db.Close(); err != nil {
		l.end(Broken{fmt.Sprintf("Close failed: %q", err.Error())})
		return
	}
	l.note(Synced{})
	l.open()
}

func (l *loader) sync() {
	if err := l.db.Sync(); err != nil {
		l.end(Broken{fmt.Sprintf("Sync failed: %q", err.Error())})
		return
	}
	l.note(Synced{})
}

const (
	recordHeaderBytes  = 40
	segmentHeaderBytes = 512
)

// write makes a write, reads back what it wrote, and keeps tail where the log of
// the store has it.
func (l *loader) write(w Issued, do func() error) {
	segments := l.db.Stats().Segments
	l.life.write(w, do)
	bytes := int64(0)
	for _, c := range w.Changes {
		bytes += alignUp(recordHeaderBytes+int64(len(c.Key))+int64(c.Value.Bytes), 8)
		l.read(c.Key)
	}
	if l.db.Stats().Segments > segments {
		l.tail = segmentHeaderBytes
		l.size = alignUp(max(segmentBytes, segmentHeaderBytes+bytes), segmentBytes)
	}
	l.tail += bytes
}

func alignUp(n, align int64) int64 { return (n + align - 1) / align * align }

// toSectorEnd returns the size of the value with which the next record ends
// where a sector does.
func (l *loader) toSectorEnd(key string) int {
	const shortest = 12 // tells one write from another
	header := recordHeaderBytes + int64(len(key))
	end := alignUp(l.tail+header+shortest, faultfs.SectorBytes)
	if end > l.size { // it goes to the next segment
		return int(faultfs.SectorBytes - header)
	}
	return int(end - l.tail - header)
}

// fill returns a value that begins with head and has no other value's bytes.
func fill(head string, size int) []byte {
	b := make([]byte, 0, size+8)
	b = append(b, head...)
	b = append(b, '.')
	for seed := xxhash.Sum64String(head); len(b) < size; seed = seed*6364136223846793005 + 1442695040888963407 {
		b = binary.LittleEndian.AppendUint64(b, seed|0x0101010101010101) // no zeros: they are what is lost
	}
	return b[:size:size]
}
