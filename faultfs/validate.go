package faultfs

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"syscall"
)

// Validate says what keeps the rule from being injected, or returns nil.
func (r Rule) Validate() error {
	err := errors.Join(r.validateOp(), r.validatePath(), r.validateOccurrence(), r.validateChance(), r.validateEffect())
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

func (r Rule) validateChance() error {
	switch {
	case !(r.Probability >= 0 && r.Probability <= 1): // not a number is neither
		return errors.New("a probability lies above 0 and not above 1")
	case r.Probability > 0 && r.N > 0 && !r.Sticky:
		return errors.New("a call that is named by its number leaves nothing to chance")
	case r.Seed > 0 && r.Probability == 0 && r.Damage != DamageGarbage && !r.Crash:
		return errors.New("a seed decides nothing here: it needs p, garbage or crash")
	}
	return nil
}

// validateEffect looks at the effects one at a time, each of which refuses
// those that it cannot be combined with.
func (r Rule) validateEffect() error {
	switch {
	case r.Quota != 0:
		return r.validateQuota()
	case r.Count:
		return r.validateCount()
	case !r.ends() && !r.waits() && r.Damage == "" && r.FlipBit == 0:
		return errors.New("it does nothing: name an errno or another effect")
	}
	return errors.Join(r.validateWaits(), r.validateErrno(), r.validateDamage(), r.validateSilent(),
		r.validatePersonality(), r.validateCrash())
}

func (r Rule) validateCount() error {
	if r != (Rule{Op: r.Op, Path: r.Path, Count: true}) {
		return errors.New("a rule that counts strikes nothing: no other clause means anything")
	}
	return nil
}

func (r Rule) validateWaits() error {
	switch {
	case r.Delay < 0:
		return errors.New("delay is negative")
	case r.Delay > 0 && r.Stall:
		return errors.New("a call that stalls needs no delay")
	}
	return nil
}

func (r Rule) validateErrno() error {
	switch {
	case r.Err != 0 && errnoName(r.Err) == "":
		return fmt.Errorf("errno %d has no name here", int(r.Err))
	case r.TearBytes < 0:
		return errors.New("tear is negative")
	case r.TearBytes > 0 && r.Err == 0:
		return errors.New("a torn write fails: name an errno, or write short")
	case r.TearBytes > 0 && r.Op != OpWrite:
		return errors.New("only a write can be torn")
	case r.TearBytes > 0 && r.After:
		return errors.New("a write is torn or fails after its full effect, not both")
	case r.After && r.Err == 0 && !r.Crash:
		return errors.New("after the effect there must be something: name an errno or crash")
	}
	return nil
}

func (r Rule) validateDamage() error {
	known := []Damage{"", DamageFlip, DamageZero, DamageGarbage}
	switch {
	case !slices.Contains(known, r.Damage):
		return fmt.Errorf("%q is no damage", r.Damage)
	case r.FlipBit < 0:
		return errors.New("flip is negative")
	case r.FlipBit > 0 && r.Damage != DamageFlip:
		return errors.New("a bit is named and not flipped")
	case r.Damage == "":
		return nil
	case !r.Op.only(OpRead, OpWrite):
		return errors.New("only what is read or written can be damaged")
	case r.Lost:
		return errors.New("a lost write writes nothing that could be damaged")
	case r.Crash:
		return errors.New("damage and crash are two rules: the first does not end the call")
	case r.Err != 0 && (r.Op != OpWrite || r.TearBytes == 0 && !r.After):
		return errors.New("a failed call leaves nothing that could be damaged")
	}
	return nil
}

// maxMisdirectBytes keeps a misdirected write from asking the file system
// below for more than any machine has.
const maxMisdirectBytes = 1 << 30

// validateSilent is about the effects that report success.
func (r Rule) validateSilent() error {
	silent := 0
	for _, is := range []bool{r.ShortBytes > 0, r.MisdirectBytes != 0, r.Lost, r.Err != 0 || r.Crash} {
		if is {
			silent++
		}
	}
	switch {
	case r.ShortBytes < 0:
		return errors.New("short is negative")
	case r.ShortBytes > 0 && !r.Op.only(OpRead, OpWrite):
		return errors.New("only a read or a write can fall short")
	case r.Lost && !r.Op.only(OpWrite, OpSync, OpSyncDir):
		return errors.New("only a write, a sync or a directory sync can be lost")
	case r.MisdirectBytes != 0 && r.Op != OpWrite:
		return errors.New("only a write can be misdirected")
	case r.MisdirectBytes > maxMisdirectBytes || r.MisdirectBytes < -maxMisdirectBytes:
		return fmt.Errorf("a write can be misdirected by no more than %d bytes", maxMisdirectBytes)
	case silent > 1:
		return errors.New("a call is short, misdirected, lost, or fails: one of them")
	}
	return nil
}

func (r Rule) validatePersonality() error {
	switch {
	case r.Personality == "":
		return nil
	case !slices.Contains(personalities, r.Personality):
		return fmt.Errorf("%q is no personality", r.Personality)
	case !r.Op.only(OpSync, OpSyncDir):
		return fmt.Errorf("%s is about syncs that fail, and about no other call", r.Personality)
	case r.Err == 0:
		return fmt.Errorf("%s is about a sync that fails: name an errno", r.Personality)
	case r.After:
		return fmt.Errorf("%s is about a sync that does not happen, after about one that does", r.Personality)
	}
	return nil
}

// crashKeeps lists what a crash may be told to keep.
var crashKeeps = []string{"nothing", "whole", "torn", "zeros", "garbage", "any"}

func (r Rule) validateCrash() error {
	switch {
	case r.Keep != "" && !slices.Contains(crashKeeps, r.Keep):
		return fmt.Errorf("a crash cannot keep %q", r.Keep)
	case r.Keep != "" && !r.Crash:
		return errors.New("what is kept is kept at a crash")
	case r.Crash && r.Err != 0:
		return errors.New("after a crash every call says so: an errno means nothing")
	case r.Crash && r.Heal > 0:
		return errors.New("a crash does not heal")
	case r.Crash && r.Sticky && r.Probability == 0:
		return errors.New("there is one crash: name its call without the plus")
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
