package faultfs

import (
	"fmt"
	"slices"
	"strings"
)

// Firing is one call that a rule struck.
type Firing struct {
	Rule Rule
	Call int    // number of the call among those that match the rule, from 1
	Op   Op     // kind of the call
	Path string // name that the call was about; for a rename the old one
}

// String prints the firing as "rule: call n: op path".
func (f Firing) String() string {
	return fmt.Sprintf("%s: call %d: %s %s", f.Rule, f.Call, f.Op, printPath(f.Path))
}

// maxTrace bounds the memory of a trace: a sticky rule in a long campaign
// fires without end.
const maxTrace = 10_000

// Trace lists what was struck, in the order in which it happened.
type Trace struct {
	Firings []Firing
	Dropped int // later firings that were counted and not kept
}

// String prints one firing a line.
func (t Trace) String() string {
	var b strings.Builder
	for _, f := range t.Firings {
		fmt.Fprintln(&b, f)
	}
	if t.Dropped > 0 {
		fmt.Fprintf(&b, "and %d more\n", t.Dropped)
	}
	return b.String()
}

func (t *Trace) add(f Firing) {
	if len(t.Firings) == maxTrace {
		t.Dropped++
		return
	}
	t.Firings = append(t.Firings, f)
}

// Fired returns what has been struck so far, by all rules. The first 10,000
// firings are kept, later ones only counted.
func (fs *FS) Fired() Trace {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return Trace{Firings: slices.Clone(fs.trace.Firings), Dropped: fs.trace.Dropped}
}

// Call is one call to the file system, as OnCall's function sees it.
type Call struct {
	Op     Op
	Path   string // as in Firing
	Struck []Rule // the rules that strike it, quotas excepted
}

// OnCall sets the function that is told of every call, in the goroutine that
// makes the call and before it has any effect, so that a stack taken there
// shows who is calling. It may be called by several goroutines at once, and may
// use the file system only from another one. Nil, the default, is none.
func (fs *FS) OnCall(hook func(Call)) {
	if hook == nil {
		fs.onCall.Store(nil)
		return
	}
	fs.onCall.Store(&hook)
}

// Unfired returns the rules that have not struck any call, removed ones too,
// in the order of injection. A test with an unfired rule has not tested what
// it was written for.
func (fs *FS) Unfired() []Rule {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var rules []Rule
	for _, inj := range fs.all {
		if inj.fired == 0 {
			rules = append(rules, inj.rule)
		}
	}
	return rules
}

// TB is the part of testing.TB that CheckFired needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// CheckFired fails the test for every rule that never fired.
func (fs *FS) CheckFired(t TB) {
	t.Helper()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, inj := range fs.all {
		if inj.fired == 0 {
			t.Errorf("faultfs: rule %q never fired: it saw %d matching calls", inj.rule, inj.calls)
		}
	}
}
