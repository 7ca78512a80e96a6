package zoo

import (
	"fmt"
	"maps"
	"slices"

	"holdfast/faultfs"
)

// What happens in a life, for Judge.
type (
	issued  struct{ change Change }
	acked   struct{} // the one issued last
	failed  struct{} // the same: it may be there or not
	found   struct{ all map[string]string }
	refused struct{ why string }
)

// none stands for a key that is not there.
const none = "\x00none"

// knowledge is what a store may hold, by what was said and seen.
type knowledge struct {
	allowed map[string][]string // the values that a key may have now; never empty
	issued  map[string][]string // the values that it ever got
	seen    map[string]bool     // what it has now was read after a crash
	pending *Change
}

// Judge is the oracle of all stores. Its error begins with the Kind of the first
// promise, in the order of keys, that the last life has shown to be broken.
func Judge(lives []faultfs.Life) error {
	k := &knowledge{allowed: map[string][]string{}, issued: map[string][]string{}, seen: map[string]bool{}}
	for i, life := range lives {
		for _, e := range life.Events {
			if err := k.learn(e); err != nil && i == len(lives)-1 {
				return err
			}
		}
		k.endWrite(failed{}) // one in flight may have been made
	}
	return nil
}

func (k *knowledge) learn(e faultfs.Event) error {
	switch e := e.(type) {
	case issued:
		k.pending = &e.change
		key := e.change.Key
		k.issued[key] = append(k.issued[key], e.change.value())
		if k.allowed[key] == nil {
			k.allowed[key] = []string{none}
		}
	case acked, failed:
		k.endWrite(e)
	case refused:
		return fmt.Errorf("%s: %s", Refuses, e.why)
	case found:
		return k.see(e.all)
	}
	return nil
}

func (c Change) value() string {
	if c.Delete {
		return none
	}
	return c.Value
}

// endWrite notes what became of the pending write, if there is one.
func (k *knowledge) endWrite(how any) {
	if k.pending == nil {
		return
	}
	key, value := k.pending.Key, k.pending.value()
	if _, ok := how.(acked); ok {
		k.allowed[key], k.seen[key] = nil, false
	}
	k.allowed[key] = append(slices.Clone(k.allowed[key]), value)
	k.pending = nil
}

// see holds what a store shows after a crash against what it may hold. From now
// on it must hold just that.
func (k *knowledge) see(all map[string]string) error {
	var broken error
	keys := slices.Sorted(maps.Keys(k.allowed))
	for _, key := range keys {
		got, ok := all[key]
		if !ok {
			got = none
		}
		if broken == nil && !slices.Contains(k.allowed[key], got) {
			broken = fmt.Errorf("%s: %s is %s, and may be %s", k.kind(key, got), brief(key), brief(got), brief(k.allowed[key]...))
		}
		k.allowed[key], k.seen[key] = []string{got}, true
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if broken == nil && k.issued[key] == nil {
			broken = fmt.Errorf("%s: the key %s was never written", Phantom, brief(key))
		}
	}
	return broken
}

// kind names what it means that a key is got.
func (k *knowledge) kind(key, got string) Kind {
	switch {
	case got != none && !slices.Contains(k.issued[key], got):
		return Phantom
	case k.seen[key]:
		return Vanished
	case got == none:
		return Lost
	case slices.Equal(k.allowed[key], []string{none}):
		return Resurrected
	}
	return RolledBack
}

func brief(values ...string) string {
	text := ""
	for i, v := range values {
		if i > 0 {
			text += " or "
		}
		if v == none {
			text += "nothing"
		} else if text += fmt.Sprintf("%.12q", v); len(v) > 12 {
			text += fmt.Sprintf("… (%d bytes)", len(v))
		}
	}
	return text
}
