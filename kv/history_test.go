package kv

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// history is what a store may hold, by what its writer was told. It is the
// oracle of the error sweep: an ok write never disappears, a failed one never
// appears, an unknown one is decided by the next open and stays decided, and a
// key that cannot be read is never "not found". "" stands for no value.
type history struct {
	interval bool                // acknowledged means durable only after a Sync
	allowed  map[string][]string // after a crash, oldest first
	visible  map[string]string   // to readers, until a crash
	unsure   map[string]bool     // keys that could not be read since the last crash
	untyped  error               // of a write; its caller cannot know what it may do
	faulty   bool                // reads may fail for now
}

func newHistory(o *Options, has contents) *history {
	h := &history{interval: !o.Sync.Always(), allowed: map[string][]string{}, visible: map[string]string{}, unsure: map[string]bool{}}
	for key, value := range has {
		h.allowed[key], h.visible[key] = []string{value}, value
	}
	return h
}

func (h *history) keys() []string { return slices.Sorted(maps.Keys(h.allowed)) }

// hasUnknown reports whether the next open has something to decide.
func (h *history) hasUnknown() bool {
	for _, values := range h.allowed {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// told notes the outcome of one atomic write.
func (h *history) told(err error, writes map[string]string) {
	if err != nil && h.untyped == nil && !errIsAny(err, ErrFenced, ErrDiskFull, ErrOutcomeUnknown) {
		h.untyped = err
	}
	for key, value := range writes {
		if h.allowed[key] == nil {
			h.allowed[key] = []string{""} // it may be asked for from now on
		}
		switch {
		case err == nil && h.interval:
			h.allowed[key] = append(h.allowed[key], value)
			h.visible[key] = value
			delete(h.unsure, key)
		case err == nil:
			h.allowed[key] = []string{value}
			h.visible[key] = value
			delete(h.unsure, key)
		case errors.Is(err, ErrOutcomeUnknown):
			h.allowed[key] = append(h.allowed[key], value)
			if h.interval {
				// Acknowledged writes that share the fate of this one are visible.
				h.visible[key] = value
			}
		}
	}
}

// synced notes that everything acknowledged is durable.
func (h *history) synced() {
	for key, value := range h.visible {
		if !h.unsure[key] {
			h.allowed[key] = []string{value}
		}
	}
}

// look holds every key against what a reader must see now.
func (h *history) look(db *DB) error {
	if h.untyped != nil {
		return fmt.Errorf("a write failed with an error of no kind: %w", h.untyped)
	}
	for _, key := range h.keys() {
		got, err := readKey(db, key)
		switch {
		case err != nil && h.faulty && !errors.Is(err, ErrDamaged):
			continue
		case err != nil:
			return fmt.Errorf("reading %q: %w", key, err)
		case h.unsure[key]:
			if err := h.settle(key, got); err != nil {
				return err
			}
		case got != h.visible[key]:
			return fmt.Errorf("key %q shows %s, want %s", key, brief(got), brief(h.visible[key]))
		}
	}
	return nil
}

// decide holds a store that was just opened against what it may hold. What it
// shows is what it must hold from now on.
func (h *history) decide(db *DB) error {
	for key := range h.allowed {
		h.unsure[key] = true
	}
	if err := h.look(db); err != nil {
		return err
	}
	return h.scan(db)
}

// settle notes what an unknown write came to.
func (h *history) settle(key, got string) error {
	if !slices.Contains(h.allowed[key], got) {
		return fmt.Errorf("key %q is %s, allowed are %s", key, brief(got), brief(h.allowed[key]...))
	}
	h.allowed[key], h.visible[key] = []string{got}, got
	delete(h.unsure, key)
	return nil
}

// scan holds a scan against what readers must see.
func (h *history) scan(db *DB) error {
	seen := map[string]string{}
	for p, err := range db.Scan(ScanOptions{}) {
		if err != nil {
			if h.faulty && !errors.Is(err, ErrDamaged) {
				return nil
			}
			return fmt.Errorf("scanning: %w", err)
		}
		if h.unsure[string(p.Key)] {
			if err := h.settle(string(p.Key), string(p.Value)); err != nil {
				return err
			}
		}
		if h.visible[string(p.Key)] != string(p.Value) || len(p.Value) == 0 {
			return fmt.Errorf("the scan shows %q with %s, want %s", p.Key, brief(string(p.Value)), brief(h.visible[string(p.Key)]))
		}
		seen[string(p.Key)] = string(p.Value)
	}
	for key, value := range h.visible {
		if value != "" && seen[key] == "" && !h.unsure[key] {
			return fmt.Errorf("the scan lacks %q", key)
		}
	}
	return nil
}

// readKey returns the value of key, "" for none.
func readKey(db *DB, key string) (string, error) {
	got, err := db.Get([]byte(key))
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return string(got), err
}

func brief(values ...string) string {
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprintf("%.12q(%d)", v, len(v)))
	}
	return fmt.Sprint(words)
}
