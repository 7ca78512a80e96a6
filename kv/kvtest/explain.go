package kvtest

import (
	"fmt"
	"slices"
)

// String names a write for people, in quotes what belongs to this one alone.
func (w *write) String() string {
	return fmt.Sprintf("write %d of life %d (%q)", w.num, w.life, w.What)
}

// explain says in which way pairs are none of the legal contents.
func (h *history) explain(pairs []Pair) string {
	found := map[string]*Value{}
	keys := []string{}
	for i := range pairs {
		found[pairs[i].Key] = &pairs[i].Value
		keys = append(keys, pairs[i].Key)
	}
	for _, c := range h.legal {
		for _, e := range c {
			keys = append(keys, e.Key)
		}
	}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if !allowed(key, found[key], h.legal) {
			return h.explainKey(key, found[key], h.legal)
		}
	}
	return h.explainMix(found)
}

// allowed reports whether one of the contents has this value, or for nil none,
// under key.
func allowed(key string, v *Value, legal []contents) bool {
	return slices.ContainsFunc(legal, func(c contents) bool {
		at, there := c.at(key)
		return there == (v != nil) && (!there || c[at].Value == *v)
	})
}

// explainKey says what is wrong with one key, whose value no legal contents
// have.
func (h *history) explainKey(key string, got *Value, legal []contents) string {
	newest := legal[len(legal)-1]
	at, there := newest.at(key)
	want := "which nothing put there"
	if there {
		want = "where " + h.promise(newest[at].by)
	} else if w := h.lastDelete(key); w != nil {
		want = "which " + h.promise(w)
	}
	if got == nil {
		return fmt.Sprintf("lost: key %q is gone, %s", key, want)
	}
	w := h.writer(key, *got)
	switch {
	case w == nil:
		return fmt.Sprintf("phantom: key %q holds what was never written to it (%q), %s", key, got.String(), want)
	case w.ended && w.outcome == Failed:
		return fmt.Sprintf("a failed write appeared: key %q holds the value of %s, %s", key, w, want)
	case w.open() && w.decided != 0:
		return fmt.Sprintf("undecided again: key %q holds the value of %s, which was not there when life %d opened the store", key, w, w.decided)
	case w.open():
		return fmt.Sprintf("too early: key %q shows the value of %s, which may still be lost", key, w)
	case there:
		return fmt.Sprintf("rolled back: key %q holds the value of %s again, %s", key, w, want)
	}
	return fmt.Sprintf("resurrected: key %q holds the value of %s again, %s", key, w, want)
}

// promise says why the effect of w must be there.
func (h *history) promise(w *write) string {
	switch {
	case w.decided != 0 && w.decided < h.life:
		return fmt.Sprintf("%s was there when life %d opened the store", w, h.inLife)
	case w.open():
		return fmt.Sprintf("%s may be there", w)
	}
	return fmt.Sprintf("%s was told OK", w)
}

// writer returns the newest write that put v under key.
func (h *history) writer(key string, v Value) *write {
	return h.newest(func(c Change) bool { return c.Key == key && !c.Delete && c.Value == v })
}

func (h *history) lastDelete(key string) *write {
	return h.newest(func(c Change) bool { return c.Key == key && c.Delete })
}

// newest returns the newest write with such a change, if possible one that did
// not fail.
func (h *history) newest(is func(Change) bool) (newest *write) {
	for _, w := range h.writes {
		failed := w.ended && w.outcome == Failed
		if slices.ContainsFunc(w.Changes, is) && (newest == nil || !failed) {
			newest = w
		}
	}
	return newest
}

// explainMix says why values that are legal one by one are not so together: part
// of a write is there, or one that came after one that is not.
func (h *history) explainMix(found map[string]*Value) string {
	for _, w := range h.writes {
		in, out := "", ""
		for _, c := range w.Changes {
			v := found[c.Key]
			switch {
			case h.overwritten(w, c.Key):
			case c.Delete == (v == nil) && (v == nil || *v == c.Value):
				in = c.Key
			default:
				out = c.Key
			}
		}
		if in != "" && out != "" {
			return fmt.Sprintf("torn: of %s the change of key %q is there, that of key %q is not", w, in, out)
		}
	}
	return "out of order: each value may be there, and not all of them together: a write is there, and one before it is not"
}

// overwritten reports whether a later change of key may hide that of w.
func (h *history) overwritten(w *write, key string) (later bool) {
	seen := false
	for _, other := range h.writes {
		if seen && slices.ContainsFunc(other.Changes, func(c Change) bool { return c.Key == key }) {
			return true
		}
		seen = seen || other == w
	}
	return false
}
