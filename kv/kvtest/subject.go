package kvtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/spf13/afero"

	"holdfast/faultfs"
	"holdfast/kv"
)

// Options says which store is explored.
type Options struct {
	// Interval is for a store with an interval policy, which acknowledges writes
	// before they are durable. Its interval never passes: what makes writes
	// durable are the plan's syncs, full segments and the end.
	Interval bool

	// wrap, if it is not nil, comes between the store and each disk.
	wrap func(afero.Fs) afero.Fs
}

// Names of the subjects, which are the first words of replay lines.
const (
	nameAlways   = "kv"
	nameInterval = "kv-interval"
)

// OptionsFor returns the options of the subject that a replay line is about.
func OptionsFor(line string) (Options, error) {
	name, _, _ := strings.Cut(strings.TrimSpace(line), "/")
	switch name {
	case nameAlways:
		return Options{}, nil
	case nameInterval:
		return Options{Interval: true}, nil
	}
	return Options{}, fmt.Errorf("replay line %q: it begins with %q, want %q or %q", line, name, nameAlways, nameInterval)
}

// Subject returns a store of package kv for faultfs.Explore: on an empty disk,
// with segments as small as can be, and with ids that repeat.
//
// Every write of a plan is read back. A recovered store is read through, written
// to, and read again.
func Subject(o Options) faultfs.Subject {
	return faultfs.Subject{
		Name:    o.name(),
		Words:   o.words(),
		Load:    o.load,
		Recover: o.recover,
		Judge:   Oracle{Sync: o.sync(), Healthy: true}.Judge,
	}
}

func (o Options) name() string {
	if o.Interval {
		return nameInterval
	}
	return nameAlways
}

func (o Options) words() (names []string) {
	for _, w := range words {
		names = append(names, w.name)
	}
	if o.Interval {
		names = append(names, syncWord)
	}
	return names
}

// never is longer than any life takes, so that no clock has a part in it.
const never = 1000 * time.Hour

func (o Options) sync() kv.SyncPolicy {
	if o.Interval {
		return kv.SyncEvery(never)
	}
	return kv.SyncAlways
}

// dir is where the store is. It is not there on an empty disk.
const dir = "/db"

// load runs a plan on an empty disk.
func (o Options) load(r *faultfs.Run, plan []string) error {
	l := &loader{life: o.begin(r, 1)}
	defer l.powerOff()
	l.open()
	for _, name := range plan {
		do := action(name)
		if do == nil {
			return fmt.Errorf("%q is no word of a plan", name)
		}
		if l.ended {
			return nil
		}
		r.Step()
		do(l)
	}
	return nil
}

func action(name string) func(*loader) {
	if name == syncWord {
		return (*loader).sync
	}
	for i := range words {
		if words[i].name == name {
			return words[i].do
		}
	}
	return nil
}

// recover opens what a crash has left, reads all of it, and writes something.
func (o Options) recover(r *faultfs.Run) {
	l := o.begin(r, idsAfter(r.FS()))
	defer l.powerOff()
	l.open()
	if l.ended {
		return
	}
	l.probe()
	if o.Interval && !l.ended {
		if err := l.db.Sync(); err != nil {
			l.end(Broken{fmt.Sprintf("Sync failed: %q", err.Error())})
			return
		}
		l.note(Synced{})
	}
}

// idsAfter returns where the ids of a life begin that starts on what is on fsys.
// A life that sees names which another one left draws other ids than that one
// did. Where no name is left of it, nothing is left that its ids could be mixed
// up with.
func idsAfter(fsys afero.Fs) uint64 {
	h := xxhash.New()
	if d, err := fsys.Open(dir); err == nil {
		names, _ := d.Readdirnames(-1) // Open will say what is wrong
		_ = d.Close()
		slices.Sort(names)
		for _, name := range names {
			_, _ = h.WriteString(name) // never fails
		}
	}
	return h.Sum64()
}

// ids are what a store takes for random.
type ids struct{ next uint64 }

func (i *ids) Read(b []byte) (int, error) {
	for at := 0; at < len(b); at += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], i.next)
		binary.LittleEndian.PutUint64(word[:], xxhash.Sum64(word[:]))
		copy(b[at:], word[:])
		i.next++
	}
	return len(b), nil
}

// life is one life of the store.
type life struct {
	run   *faultfs.Run
	fsys  afero.Fs // of run
	opts  kv.Options
	db    *kv.DB
	ended bool // nothing more can be done
}

func (o Options) begin(r *faultfs.Run, firstID uint64) life {
	fsys := r.FS()
	if o.wrap != nil {
		fsys = o.wrap(fsys)
	}
	return life{run: r, fsys: fsys, opts: kv.Options{
		Sync: o.sync(), SegmentBytes: segmentBytes, BoundEvery: never, Rand: &ids{firstID},
	}}
}

func (l *life) note(e faultfs.Event) { l.run.Note(e) }

// end notes what makes it pointless to go on.
func (l *life) end(e faultfs.Event) {
	l.note(e)
	l.ended = true
}

// powerOff ends the life. The store is only closed so that it stops.
func (l *life) powerOff() {
	l.run.PowerOff()
	if l.db != nil {
		_ = l.db.Close() // nothing reaches the disk any more
	}
}

// write makes one write and notes how it ended.
func (l *life) write(w Issued, do func() error) {
	l.note(w)
	switch err := do(); {
	case err == nil:
		l.note(Ended{})
	case errors.Is(err, kv.ErrOutcomeUnknown):
		l.note(Ended{Unknown, err.Error()})
	default:
		l.note(Ended{Failed, err.Error()})
	}
}

// probe writes to a store that was just opened, and reads that back. What it
// writes depends on what is there, so that two lives do not write the same.
func (l *life) probe() {
	after := l.db.Stats().LastSeq
	w := Issued{What: "probe"}
	var b kv.Batch
	for _, key := range probeKeys {
		value := fill(fmt.Sprintf("after %d %s", after, key), 24)
		b.Set([]byte(key), value)
		w.Changes = append(w.Changes, Change{Key: key, Value: ValueOf(value)})
	}
	l.write(w, func() error { return l.db.Apply(&b) })
	l.read(probeKeys[0])
}

// read reads one key.
func (l *life) read(key string) {
	value, err := l.db.Get([]byte(key))
	switch {
	case err == nil:
		l.note(Read{key, true, ValueOf(value)})
	case errors.Is(err, kv.ErrNotFound):
		l.note(Read{Key: key})
	default:
		l.end(Broken{fmt.Sprintf("reading key %q failed: %q", key, err.Error())})
	}
}
