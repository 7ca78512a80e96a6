package faultfs

import (
	"fmt"
	"path"
	"reflect"
	"runtime"
	"sort"
	"strings"

	"github.com/spf13/afero"
)

// Event is something that happened in a life and that the oracle must know of: a
// write that was issued, acknowledged or refused, a value that was seen. The
// explorer does not look into it, but compares events with [reflect.DeepEqual]
// when it checks that a subject does the same twice.
type Event any

// Life is what happened between two crashes, or since the last one.
type Life struct {
	Events  []Event
	Crashed bool // false only for the last life of a history, which came to its end
}

// Run is one life of a subject on one disk. It is for one goroutine at a time.
type Run struct {
	disk *Disk
	rec  record
	off  bool
}

// record is what a life has left to know of it.
type record struct {
	events []Event
	at     []int // the crash point at which each event was noted; it never falls
	words  []int // the crash point at which each word of the plan began
	inWord int   // how many events there were when the last word began
	points int   // the last crash point
	fault  string
}

// FS returns the disk.
func (r *Run) FS() afero.Fs { return r.disk }

// Note puts an event at the current point of the history: a crash at this point
// or a later one comes after it, a crash at an earlier one before.
func (r *Run) Note(e Event) {
	if r.off {
		return
	}
	r.rec.events = append(r.rec.events, e)
	r.rec.at = append(r.rec.at, r.disk.Points())
}

// Step says that the next word of the plan begins. It lets the explorer crash
// only in what a plan adds to the one that it continues.
func (r *Run) Step() {
	if r.off {
		return
	}
	r.rec.words = append(r.rec.words, r.disk.Points())
	r.rec.inWord = len(r.rec.events)
}

// PowerOff ends the life: nothing that the subject does from now on counts.
func (r *Run) PowerOff() {
	if r.off {
		return
	}
	r.off = true
	r.rec.points = r.disk.Points()
	r.disk.PowerOff()
}

// load runs the plan on d. The error says that it cannot be run.
func (s *Subject) load(d *Disk, plan []string) (record, error) {
	rec, err := live(d, func(r *Run) error { return s.Load(r, plan) })
	if err != nil {
		err = fmt.Errorf("running the plan: %w", err)
	}
	return rec, err
}

// recover runs a recovery on d.
func (s *Subject) recover(d *Disk) record {
	rec, _ := live(d, func(r *Run) error { s.Recover(r); return nil })
	return rec
}

// live runs one life on d, which it ends if f did not. A panic of f becomes the
// fault of the record. The error is what f returned.
func live(d *Disk, f func(*Run) error) (rec record, err error) {
	r := &Run{disk: d}
	defer func() {
		if v := recover(); v != nil {
			r.rec.fault = describePanic(v)
		}
		r.PowerOff()
		rec = r.rec
	}()
	return rec, f(r)
}

// verdict returns what the oracle says of lives, of which o is the last one:
// the reason of a broken promise, or nothing.
func (s *Subject) verdict(o *result, lives []Life) (reason string) {
	if o.fault != "" {
		return o.fault
	}
	defer func() {
		if v := recover(); v != nil {
			reason = "the oracle: " + describePanic(v)
		}
	}()
	if err := s.Judge(lives); err != nil {
		return err.Error()
	}
	return ""
}

// before returns how many events a crash at point k comes after.
func (rec *record) before(k int) int { return sort.SearchInts(rec.at, k+1) }

// lastWord returns the first crash point that a plan adds to the plan without
// its last word. What the word notes before its first call belongs to the last
// point of that plan, which is then another crash point.
func (rec *record) lastWord() int {
	if len(rec.words) == 0 {
		return 0
	}
	began := rec.words[len(rec.words)-1]
	if rec.inWord < rec.before(began) {
		return began
	}
	return began + 1
}

// describePanic names the panic v and the last three functions of the subject
// that were on the way there, without anything that differs between two runs of
// one program. It must be called by the deferred function that recovered v.
func describePanic(v any) string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	ours := reflect.TypeFor[Subject]().PkgPath() + ".(*Subject)."
	var at []string
	for len(at) < 3 {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, ours) {
			break
		}
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			at = append(at, path.Base(f.Function))
		}
		if !more {
			break
		}
	}
	return fmt.Sprintf("panic: %v (in %s)", v, strings.Join(at, ", called by "))
}
