package chaos

import (
	"fmt"
	"sync"
)

// maxExamplesPerClass is how many violations of one class a report describes one by one: the first,
// so that a rare class is not crowded out by a common one.
const maxExamplesPerClass = 5

// tally adds up findings. It is safe for concurrent use.
type tally struct {
	mu       sync.Mutex
	readBack Durability
	online   Online
	examples []Violation
	seen     map[Class]int64 // violations by class
}

// add counts one key of a read-back after restart number cycle. The rules are those of [Durability].
func (t *tally) add(cycle int, f finding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &t.readBack
	switch {
	case f.class == Recovered:
		d.Recovered++
	case f.class.Violation() && f.counted:
		d.Stable--
		*d.count(f.class)++
	case f.class.Violation():
		d.Checked++
		*d.count(f.class)++
	case f.acknowledged && !f.counted:
		d.Checked++
		d.Stable++
	}
	t.note(whereReadBack, cycle, f)
}

// addOnline counts a breach that a reader or writer met while the load of cycle was on.
func (t *tally) addOnline(cycle int, f finding) {
	if !f.class.Violation() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	*t.online.count(f.class)++
	t.note(whereOnline, cycle, f)
}

// note keeps the first violations as examples. The caller holds mu.
func (t *tally) note(where string, cycle int, f finding) {
	if !f.class.Violation() {
		return
	}
	if t.seen == nil {
		t.seen = map[Class]int64{}
	}
	if t.seen[f.class]++; t.seen[f.class] <= maxExamplesPerClass {
		name := f.stranger
		if name == "" {
			name = string(keyName(f.key))
		}
		t.examples = append(t.examples, Violation{
			Class: f.class, Where: where, Cycle: cycle,
			Key: name, Expected: f.expected, Found: f.found,
		})
	}
}

// broken is the number of violations so far.
func (t *tally) broken() (n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, of := range t.seen {
		n += of
	}
	return n
}

// into copies the counts and examples into r.
func (t *tally) into(r *Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Durability = t.readBack
	r.Durability.finish()
	r.Online = t.online
	r.Violations = append([]Violation{}, t.examples...) // never null in JSON
}

func batchText(b *batch, there int) string {
	return fmt.Sprintf("all %d parts of a batch of unknown outcome or none of them, but %d are there",
		len(b.members), there)
}
