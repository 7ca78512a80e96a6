package faultfs

import (
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Injection is one rule at work in a file system, with its counters. Its
// methods may be called from any goroutine.
type Injection struct {
	fs   *FS
	rule Rule

	// Guarded by fs.mu.
	calls int // matching calls seen
	fired int // calls struck
	quota quota
	// waiting counts the calls that wait for the gate, which is closed to let
	// them go on and then replaced.
	waiting int
	gate    chan struct{}
}

// Rule returns the rule as it was injected.
func (i *Injection) Rule() Rule { return i.rule }

// Calls returns how many calls have matched the rule so far, struck or not.
// For a quota these are the calls that could have allocated.
func (i *Injection) Calls() int {
	i.fs.mu.Lock()
	defer i.fs.mu.Unlock()
	return i.calls
}

// Fired returns how many calls the rule has struck so far. A rule that only
// counts has fired as often as it has counted, though it leaves no trace.
func (i *Injection) Fired() int {
	i.fs.mu.Lock()
	defer i.fs.mu.Unlock()
	return i.fired
}

// Remove ends the fault and lets the calls go on that wait for it. What has
// been struck keeps its fate. The counters keep their values, and a rule that is
// removed without having fired is still reported by Unfired. Removing twice
// does nothing.
func (i *Injection) Remove() {
	i.fs.mu.Lock()
	defer i.fs.mu.Unlock()
	for at, active := range i.fs.active {
		if active == i {
			i.fs.active = append(i.fs.active[:at:at], i.fs.active[at+1:]...)
			i.release()
			return
		}
	}
}

// fire records that the rule struck the call that it counted last. The caller
// holds fs.mu.
func (i *Injection) fire(op Op, name string) {
	i.fired++
	i.fs.trace.add(Firing{Rule: i.rule, Call: i.calls, Op: op, Path: name})
}

func (r Rule) matches(op Op, names []string) bool {
	if !r.Op.covers(op) {
		return false
	}
	if r.anyPath() {
		return true
	}
	for _, name := range names {
		if globMatch(r.Path, name) {
			return true
		}
	}
	return false
}

// globMatch matches a glob against as many last elements of name as it has
// itself; a glob with a leading slash against all of it.
func globMatch(glob, name string) bool {
	name = path.Clean(filepath.ToSlash(name))
	if !strings.HasPrefix(glob, "/") {
		name = lastElements(name, 1+strings.Count(glob, "/"))
	}
	ok, _ := path.Match(glob, name) // Validate has refused malformed globs
	return ok
}

func lastElements(name string, n int) string {
	for at := len(name) - 1; at >= 0; at-- {
		if name[at] != '/' {
			continue
		}
		if n--; n == 0 {
			return name[at+1:]
		}
	}
	return name
}

// injectedError is what a struck call returns, in the shape that the os
// package gives its own errors.
func injectedError(op Op, name string, errno syscall.Errno) error {
	return &PathError{Op: string(op), Path: name, Err: errno}
}

// draw returns a number from 0 to 1, 1 excluded, that depends on nothing but
// the seed and the number of the call.
func draw(seed uint64, call int) float64 {
	const inverse53 = 1.0 / (1 << 53)
	return float64(mix(mix(seed)+uint64(call))>>11) * inverse53
}

// mix is the step of the generator SplitMix64: it turns numbers that are near
// each other into numbers that have nothing to do with each other.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
