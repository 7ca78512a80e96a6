package faultfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"
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

	// Err is what a struck call fails with. A rule needs it unless it has a
	// Quota, where zero means ENOSPC.
	Err syscall.Errno
	// After lets the call have its full effect below before it is reported as
	// failed. A struck write then reports 0 bytes written.
	After bool
	// TearBytes is how much of a struck write reaches the file, for OpWrite
	// only. The write reports that count with its error. A shorter write
	// reaches the file whole.
	TearBytes int
	// Quota, for OpWrite, is how many bytes may still be allocated; Full is
	// none. Zero: the rule is no quota.
	Quota int64
}

// Validate says what keeps the rule from being injected, or returns nil.
func (r Rule) Validate() error {
	err := errors.Join(r.validateOp(), r.validatePath(), r.validateOccurrence(), r.validateEffect())
	if err != nil {
		return fmt.Errorf("faultfs: rule %q: %w", r.String(), err)
	}
	return nil
}

func (r Rule) validateOp() error {
	if r.Op == OpAny {
		return nil
	}
	seen := map[Op]bool{}
	for _, kind := range r.Op.split() {
		if !slices.Contains(allOps, kind) {
			return fmt.Errorf("%q is no operation", kind)
		}
		if seen[kind] {
			return fmt.Errorf("operation %q is named twice", kind)
		}
		seen[kind] = true
	}
	return nil
}

func (r Rule) validatePath() error {
	if r.Path == "" {
		return nil
	}
	if _, err := path.Match(r.Path, ""); err != nil {
		return fmt.Errorf("path %q: %w", r.Path, err)
	}
	// Names are cleaned before they are matched, so that any other glob would
	// be a rule that can never fire.
	if path.Clean(r.Path) != r.Path {
		return fmt.Errorf("path %q can match nothing: write %q", r.Path, path.Clean(r.Path))
	}
	return nil
}

func (r Rule) validateOccurrence() error {
	switch {
	case r.N < 0 || r.Heal < 0:
		return errors.New("a count is negative")
	case r.Sticky && r.N == 0:
		return errors.New("a sticky rule needs the call that it starts with")
	case r.Heal > 0 && r.N > 0 && !r.Sticky:
		return errors.New("a rule that strikes once has nothing to heal")
	}
	return nil
}

func (r Rule) validateEffect() error {
	switch {
	case r.Quota != 0:
		return r.validateQuota()
	case r.Err == 0:
		return errors.New("it does nothing: name an errno")
	case errnoName(r.Err) == "":
		return fmt.Errorf("errno %d has no name here", int(r.Err))
	case r.TearBytes < 0:
		return errors.New("tear is negative")
	case r.TearBytes > 0 && r.Op != OpWrite:
		return errors.New("only a write can be torn")
	case r.TearBytes > 0 && r.After:
		return errors.New("a write is torn or fails after its full effect, not both")
	}
	return nil
}

func (r Rule) validateQuota() error {
	plain := Rule{Op: OpWrite, Path: r.Path, Err: r.Err, Quota: r.Quota}
	switch {
	case r.Quota < Full:
		return errors.New("quota is negative")
	case r != plain || !r.anyPath():
		return errors.New(`a quota is about all allocation: write "write * quota=n"`)
	case r.Err != 0 && r.Err != syscall.ENOSPC && r.Err != syscall.EDQUOT:
		return errors.New("a quota fails with ENOSPC or EDQUOT")
	}
	return nil
}

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
	case r.N == 0:
		return true
	case r.Sticky:
		return call >= r.N
	}
	return call == r.N
}
