package kvtest

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/faultfs"
	"holdfast/kv"
)

// Oracle holds what a store says against what it has promised. The zero value
// is for a store that syncs every write, on a disk that may fail.
type Oracle struct {
	// Sync is the policy that the store was opened with. Only whether it is
	// SyncAlways matters.
	Sync kv.SyncPolicy
	// Healthy says that the disk does nothing worse than crash, so that no
	// write may fail, nor be of unknown outcome.
	Healthy bool
}

// Judge returns what in lives breaks a promise, in words, or nil. Events that
// are not of this package are ignored. Reasons that differ only in numbers and in
// what stands in quotes are of one kind.
//
// It does not keep or change lives, and may be called concurrently.
func (o Oracle) Judge(lives []faultfs.Life) error {
	h := &history{Oracle: o, legal: []contents{nil}}
	for i := range lives {
		h.life = i + 1
		for _, e := range lives[i].Events {
			if reason := h.take(e); reason != "" {
				return fmt.Errorf("life %d: %s", h.life, reason)
			}
		}
		h.crash()
	}
	return nil
}

// history is what is known of a store so far.
type history struct {
	Oracle
	life int // the one under way, from 1

	// legal are the contents that are durable: more than one only from a crash
	// until an Open has shown which it is.
	legal []contents
	// loose are writes of this life, in order, that a crash may take back.
	loose   []*write
	pending *write // issued, and not ended yet
	writes  []*write

	opened *Opened // the last one
	inLife int     // its life
	quiet  bool    // nothing was written since
}

// write is one that was issued.
type write struct {
	Issued
	num     int // in its life, from 1
	life    int
	ended   bool
	outcome Outcome
	decided int // the life in which an Open has shown what became of it, 0: none yet
}

// open reports whether a crash now leaves the write there or not.
func (w *write) open() bool { return !w.ended || w.outcome == Unknown }

// contents are pairs in key order, never changed.
type contents []entry

type entry struct {
	Pair
	by *write
}

// at returns where key is, or belongs.
func (c contents) at(key string) (int, bool) {
	return slices.BinarySearchFunc(c, key, func(e entry, key string) int { return strings.Compare(e.Key, key) })
}

// apply returns what c holds after w.
func (c contents) apply(w *write) contents {
	c = append(make(contents, 0, len(c)+len(w.Changes)), c...)
	for _, change := range w.Changes {
		at, there := c.at(change.Key)
		e := entry{Pair{change.Key, change.Value}, w}
		switch {
		case change.Delete && there:
			c = slices.Delete(c, at, at+1)
		case change.Delete:
		case there:
			c[at] = e
		default:
			c = slices.Insert(c, at, e)
		}
	}
	return c
}

func (c contents) same(other contents) bool {
	return slices.EqualFunc(c, other, func(a, b entry) bool { return a.Pair == b.Pair })
}

func (c contents) holds(pairs []Pair) bool {
	return slices.EqualFunc(c, pairs, func(e entry, p Pair) bool { return e.Pair == p })
}

// take goes on with one event, and returns which promise it breaks.
func (h *history) take(e faultfs.Event) (reason string) {
	switch e := e.(type) {
	case Opened:
		return h.open(&e)
	case Refused:
		return "Open refused what a crash may leave: " + fmt.Sprintf("%q", e.Err)
	case Broken:
		return e.What
	case Issued:
		h.quiet = false
		h.pending = &write{Issued: e, life: h.life, num: h.countInLife() + 1}
		h.writes = append(h.writes, h.pending)
	case Ended:
		return h.end(e)
	case Synced:
		h.settle()
	case Read:
		return h.read(e)
	}
	return ""
}

func (h *history) countInLife() (n int) {
	for _, w := range h.writes {
		if w.life == h.life {
			n++
		}
	}
	return n
}

// end is the outcome of the pending write.
func (h *history) end(e Ended) (reason string) {
	w := h.pending
	if w == nil {
		return ""
	}
	h.pending = nil
	w.ended, w.outcome = true, e.Outcome
	if e.Outcome != OK && h.Healthy {
		return fmt.Sprintf("%s ended as %q on a disk that does not fail: %q", w, e.Outcome, e.Err)
	}
	if e.Outcome == OK && h.Sync.Always() {
		for _, before := range h.loose {
			before.outcome = Failed // a store that takes writes again has ruled it out
		}
		h.loose = append(h.loose[:0], w)
		h.settle()
		return ""
	}
	if e.Outcome != Failed {
		h.loose = append(h.loose, w)
	}
	return ""
}

// settle makes the loose writes durable.
func (h *history) settle() {
	h.legal, _ = h.follow()
	h.loose = h.loose[:0]
}

// crash ends a life.
func (h *history) crash() {
	if h.pending != nil {
		h.loose = append(h.loose, h.pending)
		h.pending = nil
	}
	_, h.legal = h.follow()
	h.loose = h.loose[:0]
}

// follow returns the contents with all loose writes, and those with any first
// ones of them; the last of each has them all. A write that is open is there or
// not, whatever comes after it.
func (h *history) follow() (all, some []contents) {
	all, some = h.legal, h.legal
	for _, w := range h.loose {
		next := make([]contents, 0, 2*len(all))
		if w.open() {
			next = append(next, all...)
		}
		for _, c := range all {
			next = addNew(next, c.apply(w))
		}
		all = next
		some = slices.Clone(some)
		for _, c := range next {
			some = addNew(some, c)
		}
	}
	return all, some
}

// addNew appends c, and drops what looks the same: writes of which nothing is
// left to see must not double what is to be followed.
func addNew(list []contents, c contents) []contents {
	list = slices.DeleteFunc(list, func(old contents) bool { return old.same(c) })
	return append(list, c)
}

// open holds what an Open has shown against what was promised.
func (h *history) open(o *Opened) (reason string) {
	match := -1
	for i, c := range h.legal {
		if c.holds(o.Pairs) {
			match = i
		}
	}
	if match < 0 {
		return h.explain(o.Pairs)
	}
	h.legal = []contents{h.legal[match]}
	for _, w := range h.writes {
		if w.decided == 0 {
			w.decided = h.life
		}
	}
	reason = h.bounds(o)
	h.opened, h.inLife, h.quiet = o, h.life, true
	return reason
}

// bounds holds what an Open reports, and what files there are, against what was
// written.
func (h *history) bounds(o *Opened) (reason string) {
	written := 0
	for _, w := range h.writes {
		if !w.ended || w.outcome != Failed {
			written += len(w.Changes)
		}
	}
	const fixed = 3 // LOCK, STORE and a manifest
	switch {
	case o.Created && h.opened != nil:
		return fmt.Sprintf("a new store was created over the one that life %d had opened", h.inLife)
	case o.Keys != len(o.Pairs):
		return fmt.Sprintf("the recovery reports %d keys, and there are %d", o.Keys, len(o.Pairs))
	case o.Records > uint64(written):
		return fmt.Sprintf("the log has %d records, and %d were ever written", o.Records, written)
	case uint64(o.Segments) > o.Records+1:
		return fmt.Sprintf("the store grows: %d segments for %d records", o.Segments, o.Records)
	case o.LeftAlone >= h.life:
		return fmt.Sprintf("the store grows: %d files are left alone after %d crashes", o.LeftAlone, h.life-1)
	case o.Files > fixed+o.Segments+o.LeftAlone:
		return fmt.Sprintf("the store grows: %d files, and %d segments count", o.Files, o.Segments)
	case h.quiet && o.Files-o.LeftAlone > h.opened.Files-h.opened.LeftAlone:
		return fmt.Sprintf("the store grows: %d files, and %d before, in life %d, and nothing was written since", o.Files, h.opened.Files, h.inLife)
	case h.quiet && o.LeftAlone == h.opened.LeftAlone && o.FilesBytes > h.opened.FilesBytes:
		return fmt.Sprintf("the store grows: %d bytes, and %d before, in life %d, and nothing was written since", o.FilesBytes, h.opened.FilesBytes, h.inLife)
	}
	return ""
}

// read holds a Get against what readers may see: what is durable, under an
// interval policy also what was acknowledged.
func (h *history) read(r Read) (reason string) {
	visible := h.legal
	if !h.Sync.Always() {
		visible, _ = h.follow()
	}
	for _, c := range visible {
		at, there := c.at(r.Key)
		if there == r.Found && (!there || c[at].Value == r.Value) {
			return ""
		}
	}
	var got *Value
	if r.Found {
		got = &r.Value
	}
	return "a Get is wrong: " + h.explainKey(r.Key, got, visible)
}
