package faultfs

import (
	"errors"
	"fmt"

	"holdfast/internal/vfs"
)

// OnCrash sets what is called, once, after a rule has cut the power: with what
// was lost, by the goroutine that made the struck call. A server process ends
// itself there. It is not called when the file system below could not carry out
// the cut; the struck call then returns that error, which is [ErrCrashed] too.
// Set it before the call that is to crash.
func (fs *FS) OnCrash(hook func(vfs.Lost)) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.onCrash = hook
}

// Heal removes all rules, lets every waiting call go on, and ends the state
// that the personality "aborted" leaves behind. A call that was struck before
// keeps its fate, a late error that is still owed is delivered, and there is no
// healing from a crash.
func (fs *FS) Heal() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, inj := range fs.active {
		inj.release()
	}
	fs.active, fs.aborted = nil, false
}

// Check says what keeps the rule from being injected into this file system, or
// returns nil: that it is not valid, or that it wants something that the file
// system below cannot do. A file system that is a [DirSyncFailer] is taken to
// have files that are SyncFailers.
func (fs *FS) Check(r Rule) error {
	if err := r.Validate(); err != nil {
		return err
	}
	var need error
	_, crasher := fs.base.(vfs.Crasher)
	_, failer := fs.base.(vfs.DirSyncFailer)
	switch {
	case r.Crash && !crasher:
		need = errors.New("it cannot lose its power")
	case (r.Personality == PagesClean || r.Personality == CacheReverted) && !failer:
		need = fmt.Errorf("its syncs cannot fail in the way %q", r.Personality)
	default:
		return nil
	}
	return fmt.Errorf("faultfs: rule %q on the file system %s: %w", r, fs.base.Name(), need)
}

// cut cuts the power for the rule that struck a call, and returns what that
// call ends with. Of several calls at once one does it.
func (fs *FS) cut(o *outcome) error {
	fs.mu.Lock()
	first, hook := !fs.crashed, fs.onCrash
	fs.crashed = true
	if first {
		for _, inj := range fs.active {
			inj.release()
		}
	}
	fs.mu.Unlock()
	if !first {
		return crashedError(o.op, o.name, vfs.ErrCrashed)
	}
	// Check has seen to it that the file system below is a Crasher.
	lost, err := fs.base.(vfs.Crasher).Crash(o.rule.seed(), o.rule.Keep)
	if err != nil {
		return crashedError(o.op, o.name, fmt.Errorf("%w, but not as it should be: %w", vfs.ErrCrashed, err))
	}
	if hook != nil {
		hook(lost)
	}
	return crashedError(o.op, o.name, vfs.ErrCrashed)
}

func crashedError(op Op, name string, err error) error {
	return &PathError{Op: string(op), Path: name, Err: err}
}
