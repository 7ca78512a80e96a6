package faultfs

import (
	"slices"
	"strings"
	"syscall"
	"time"
)

// Op names a kind of call. Several kinds are joined with "|", as in
// Op("write|sync"); OpAny stands for all of them.
type Op string

// The kinds of calls, each named as in the grammar.
const (
	OpOpen        Op = "open"        // Open, OpenFile without O_CREATE
	OpCreate      Op = "create"      // Create, OpenFile with O_CREATE
	OpRead        Op = "read"        // Read, ReadAt
	OpWrite       Op = "write"       // Write, WriteAt, WriteString
	OpSync        Op = "sync"        // Sync and SyncData of a file
	OpSyncDir     Op = "syncdir"     // SyncDir, and Sync of an open directory
	OpTruncate    Op = "truncate"    // Truncate
	OpPreallocate Op = "preallocate" // Preallocate
	OpRename      Op = "rename"      // Rename, matched by either name
	OpRemove      Op = "remove"      // Remove, RemoveAll
	OpMkdir       Op = "mkdir"       // Mkdir, MkdirAll
	OpList        Op = "list"        // Readdir, Readdirnames
	OpStat        Op = "stat"        // Stat of a name or of an open file, Lstat
	OpSeek        Op = "seek"        // Seek
	OpLock        Op = "lock"        // TryLock
	OpAttr        Op = "attr"        // Chmod, Chown, Chtimes
	OpClose       Op = "close"       // Close
	OpAny         Op = "any"         // all of the above
)

var allOps = []Op{
	OpOpen, OpCreate, OpRead, OpWrite, OpSync, OpSyncDir, OpTruncate, OpPreallocate, OpRename,
	OpRemove, OpMkdir, OpList, OpStat, OpSeek, OpLock, OpAttr, OpClose,
}

// Ops lists every kind of call, without OpAny: what a sweep goes through.
func Ops() []Op { return slices.Clone(allOps) }

// only reports whether o is about calls of the given kinds and no other.
func (o Op) only(kinds ...Op) bool {
	for _, kind := range o.split() {
		if !slices.Contains(kinds, kind) {
			return false
		}
	}
	return true
}

// split returns the kinds that o joins.
func (o Op) split() []Op {
	var kinds []Op
	for kind := range strings.SplitSeq(string(o), "|") {
		kinds = append(kinds, Op(kind))
	}
	return kinds
}

// covers reports whether a rule about o is about a call of the given kind.
func (o Op) covers(kind Op) bool {
	return o == OpAny || o == kind || slices.Contains(o.split(), kind)
}

// Full is the Quota of a disk with nothing left. It prints as "quota=0".
const Full int64 = -1

// Rule is one fault, and a plain value: it can be compared and copied, it
// prints with String, and ParseRule reads it back. Its counters live in the
// Injection that Inject returns. The package comment gives the grammar and
// the meaning of each clause.
type Rule struct {
	// Op says which kinds of calls the rule is about. It has no default.
	Op Op
	// Path is a glob over names; empty (or "*") matches every path.
	Path string

	// N is the number of the matching call that is struck, counted from 1
	// since the injection. Zero strikes every matching call.
	N int
	// Sticky strikes every matching call from the N-th on. It needs N.
	Sticky bool
	// Heal ends the fault after it has struck so many calls. Zero: it never
	// heals. A rule that strikes only once has nothing to heal.
	Heal int

	// Probability, above 0 and at most 1, strikes each call that the fields
	// above leave with that chance. Zero leaves nothing to chance.
	Probability float64
	// Seed decides every draw: of Probability, of the bytes of Garbage, and of
	// what a Crash keeps. Each draw is a pure function of the seed and the
	// number of the call. Zero means 1.
	Seed uint64

	// Delay makes a struck call wait before anything else happens to it; what
	// ends a Stall ends a delay too.
	Delay time.Duration
	// Stall makes a struck call wait until Injection.Release or Remove,
	// FS.Heal or a crash ends the wait.
	Stall bool

	// TearBytes is how much of a struck write reaches the file, for OpWrite
	// only. The write reports that count with its error. A shorter write
	// reaches the file whole.
	TearBytes int
	// ShortBytes is how much of a struck write or read is done, without an
	// errno: a write reports io.ErrShortWrite, a Read nothing, a ReadAt
	// io.EOF. A shorter call is done whole.
	ShortBytes int
	// Damage changes the bytes that a struck write writes or a struck read
	// returns.
	Damage Damage
	// FlipBit is the bit that DamageFlip inverts: 0 is the lowest of the first
	// byte of the call, and counting starts again behind its last.
	FlipBit int64
	// MisdirectBytes is how far beside its offset a struck write goes, which
	// reports success. One that would start before the file goes as far to the
	// other side.
	MisdirectBytes int64
	// Lost makes a struck write, sync or directory sync report success and
	// have no effect.
	Lost bool

	// Quota, for OpWrite, is how many bytes may still be allocated; Full is
	// none. Zero: the rule is no quota.
	Quota int64

	// Err is what a struck call fails with. With a Quota zero means ENOSPC.
	Err syscall.Errno
	// After lets the call have its full effect below before it is reported as
	// failed, or before the power is cut. A struck write then reports 0 bytes
	// written.
	After bool
	// Personality says what else a failed sync does. Empty means PagesClean
	// where the file system below can do it, and that nothing is synced where
	// it cannot.
	Personality Personality

	// Crash cuts the power at the struck call.
	Crash bool
	// Keep says what of the pending changes survives the cut: "nothing" (or
	// empty), "whole", "torn", "zeros", "garbage" or "any".
	Keep string

	// Count strikes nothing: the rule counts the calls that match it.
	Count bool
}

// Damage is what happens to bytes on their way.
type Damage string

// The kinds of damage. A sector is 512 bytes of the file, aligned to its start;
// only the part of it that the call covers is damaged.
const (
	DamageFlip    Damage = "flip"    // one bit is inverted
	DamageZero    Damage = "zero"    // the first sector that the call touches reads as zeros
	DamageGarbage Damage = "garbage" // that sector holds seeded random bytes, none as it was
)

func (r Rule) anyPath() bool { return r.Path == "" || r.Path == "*" }

// errno returns what a struck call fails with.
func (r Rule) errno() syscall.Errno {
	if r.Err == 0 {
		return syscall.ENOSPC
	}
	return r.Err
}

// strikes reports whether the rule strikes the matching call with the given
// number after it has fired so many times.
func (r Rule) strikes(call, fired int) bool {
	switch {
	case r.Heal > 0 && fired >= r.Heal:
		return false
	case r.N > 0 && !r.Sticky && call != r.N, r.Sticky && call < r.N:
		return false
	}
	return r.Probability == 0 || draw(r.seed(), call) < r.Probability
}

// seed returns the seed of the draws.
func (r Rule) seed() uint64 { return max(1, r.Seed) }

// ends reports whether the rule decides how a struck call ends. What does not
// end the call (waiting, damage, counting) combines with a rule that does.
func (r Rule) ends() bool {
	return r.Err != 0 || r.TearBytes != 0 || r.ShortBytes != 0 || r.MisdirectBytes != 0 || r.Lost || r.Crash || r.After || r.Personality != ""
}

func (r Rule) waits() bool { return r.Delay != 0 || r.Stall }
