package faultfs

import (
	"slices"
	"syscall"

	"holdfast/internal/vfs"
)

// call is one call as the rules see it.
type call struct {
	op    Op
	names []string // what it is about; a rename has two names
	node  *inode   // what is synced, when that is an open file
	opens bool     // an open for writing
}

// changingOps are the calls that a read-only file system refuses.
var changingOps = []Op{OpCreate, OpWrite, OpSync, OpSyncDir, OpTruncate, OpPreallocate, OpRename, OpRemove, OpMkdir, OpAttr}

func (c call) changes() bool { return c.opens || slices.Contains(changingOps, c.op) }

// outcome is what is to happen to one call. All rules decide it together, at
// one moment, before anything happens.
type outcome struct {
	fs   *FS
	op   Op
	name string

	// refused is what the state of the file system makes of the call: the
	// power is cut, the journal aborted, or a sync owes an error.
	refused error
	owed    bool // refused is the late error of a former sync

	rule   *Rule // the one that ends the call, or nil
	waits  []wait
	damage []damage
	struck []Rule // the rules that fired
}

// strike counts one call with every rule that it matches, lets it wait as long
// as the rules want, and returns what they make of it.
func (fs *FS) strike(c call) outcome {
	o := fs.decide(c)
	if hook := fs.onCall.Load(); hook != nil {
		(*hook)(Call{Op: c.op, Path: c.names[0], Struck: o.struck})
	}
	if len(o.waits) == 0 {
		return o
	}
	for _, w := range o.waits {
		w.wait()
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, w := range o.waits {
		w.inj.waiting--
	}
	if fs.crashed {
		o.refused = crashedError(o.op, o.name, vfs.ErrCrashed)
	}
	return o
}

func (fs *FS) decide(c call) outcome {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	o := outcome{fs: fs, op: c.op, name: c.names[0]}
	fs.refuse(&o, c)
	var hits []*Injection
	for _, inj := range fs.active {
		if inj.rule.Quota != 0 || !inj.rule.matches(c.op, c.names) {
			continue
		}
		inj.calls++
		switch {
		case inj.rule.Count:
			inj.fired++
		case o.refused == nil && inj.rule.strikes(inj.calls, inj.fired):
			hits = append(hits, inj)
		}
	}
	o.combine(hits)
	return o
}

// refuse looks whether the call ends without any rule. The caller holds fs.mu.
func (fs *FS) refuse(o *outcome, c call) {
	switch {
	case fs.crashed:
		o.refused = crashedError(c.op, c.names[0], vfs.ErrCrashed)
	case fs.aborted && c.changes():
		o.refused = injectedError(c.op, c.names[0], syscall.EROFS)
	case c.op == OpSync || c.op == OpSyncDir:
		if errno := fs.collect(c); errno != 0 {
			o.refused, o.owed = injectedError(c.op, c.names[0], errno), true
		}
	}
}

// combine decides which of the rules that want to strike do so: the first that
// ends the call, and all that do not end it, unless they damage what is never
// written or read. The caller holds fs.mu.
func (o *outcome) combine(hits []*Injection) {
	for _, inj := range hits {
		if o.rule == nil && inj.rule.ends() {
			o.rule = &inj.rule
		}
	}
	for _, inj := range hits {
		r := &inj.rule
		damages := r.Damage != "" && (o.rule == nil || o.rule.carries())
		if r.ends() && r != o.rule || !r.ends() && !r.waits() && !damages {
			continue
		}
		if damages {
			o.damage = append(o.damage, damage{*r, inj.calls})
		}
		if r.waits() {
			inj.waiting++
			o.waits = append(o.waits, wait{inj, inj.gate, r.Delay})
		}
		inj.fire(o.op, o.name)
		o.struck = append(o.struck, *r)
	}
}

// before returns the error that the call ends with before it has any effect
// below, or nil when there is an effect to come.
func (o *outcome) before() error {
	r := o.rule
	switch {
	case o.refused != nil:
		return o.refused
	case r == nil || r.After || r.TearBytes > 0:
		return nil
	case r.Crash:
		return o.fs.cut(o)
	case r.Err != 0:
		return injectedError(o.op, o.name, r.Err)
	}
	return nil
}

// afterwards returns the error that the call ends with when below returned err,
// and whether that is because of the rule.
func (o *outcome) afterwards(err error) (ends error, struck bool) {
	r := o.rule
	switch {
	case r == nil || !r.After && r.TearBytes == 0:
		return err, false
	case r.Crash:
		return o.fs.cut(o), true
	case err != nil:
		return err, false
	}
	return injectedError(o.op, o.name, r.Err), true
}
