package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/faultfs"
)

// FaultKind says what a campaign does to the server.
type FaultKind string

// The kinds of faults.
const (
	// FaultKill ends the server with SIGKILL. The kernel keeps what it wrote.
	FaultKill FaultKind = "kill"
	// FaultPower cuts the power: what the server has not synced is lost with it.
	FaultPower FaultKind = "power"
	// FaultRules makes the disk fail while the server runs, and heals it again.
	FaultRules FaultKind = "rules"
)

// Fault is one way to trouble the server. A campaign with several takes turns, cycle by cycle.
type Fault struct {
	Kind  FaultKind
	Rules string // FaultRules: the rules, in the grammar of package faultfs
}

// String prints f so that ParseFaults reads it back.
func (f Fault) String() string {
	if f.Kind != FaultRules {
		return string(f.Kind)
	}
	return rulesPrefix + "'" + f.Rules + "'"
}

const rulesPrefix = string(FaultRules) + "="

// ParseFaults reads a list of faults with commas between them:
//
//	kill,power
//	kill,rules='sync *.seg #20 EIO; write * quota=65536',power
//	rules=sync|syncdir * #3 EIO
//
// Rules may hold commas themselves. Directly behind "rules=", a single quote opens a text that goes on
// until the next single quote; without one the rules are all that is left of the list. Rules that hold
// a single quote can only be given in this second way. Blanks around a fault do not count.
func ParseFaults(list string) ([]Fault, error) {
	var faults []Fault
	for rest, more := list, true; more; {
		var f Fault
		var err error
		if f, rest, more, err = cutFault(rest); err != nil {
			return nil, err
		}
		if err := f.check(); err != nil {
			return nil, err
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// cutFault takes the first fault from a list; more tells whether a comma follows it.
func cutFault(list string) (f Fault, rest string, more bool, err error) {
	list = strings.TrimLeft(list, " ")
	rules, isRules := strings.CutPrefix(list, rulesPrefix)
	if !isRules {
		word, rest, more := strings.Cut(list, ",")
		return Fault{Kind: FaultKind(strings.TrimSpace(word))}, rest, more, nil
	}
	quoted, isQuoted := strings.CutPrefix(rules, "'")
	if !isQuoted {
		return Fault{Kind: FaultRules, Rules: rules}, "", false, nil
	}
	text, rest, closed := strings.Cut(quoted, "'")
	if !closed {
		return f, "", false, fmt.Errorf("faults %q: the quote behind %s is not closed", list, rulesPrefix)
	}
	rest = strings.TrimSpace(rest)
	after, more := strings.CutPrefix(rest, ",")
	if !more && rest != "" {
		return f, "", false, fmt.Errorf("faults %q: a comma is expected after the rules, not %q", list, rest)
	}
	return Fault{Kind: FaultRules, Rules: text}, after, more, nil
}

// check says what is wrong with f.
func (f Fault) check() error {
	switch f.Kind {
	case FaultKill, FaultPower:
		if f.Rules != "" {
			return fmt.Errorf("fault %q takes no rules", f.Kind)
		}
		return nil
	case FaultRules:
		_, err := f.parse()
		return err
	default:
		return fmt.Errorf("fault %q: there are kill, power and rules='…'", f.Kind)
	}
}

// parse reads the rules of a FaultRules. There must be at least one.
func (f Fault) parse() ([]faultfs.Rule, error) {
	rules, err := faultfs.ParseRules(f.Rules)
	if err == nil && len(rules) == 0 {
		err = errors.New("there are no rules")
	}
	if err != nil {
		return nil, fmt.Errorf("fault rules: %w", err)
	}
	return rules, nil
}

// layered reports whether the server runs on the volatile layer for f. It does for rules as well:
// a failed sync is told from a good one only by what the end of the process leaves.
func (f Fault) layered() bool { return f.Kind != FaultKill }

// Control names a way to make the server unsafe that a campaign must notice.
type Control string

// The controls. Both cut the power of a server whose disk ignores syncs and says that they are done.
const (
	ControlNoSync    Control = "no-sync"     // those of files
	ControlNoDirSync Control = "no-dir-sync" // those of directories
)

// syncDelayRule makes a sync take as long as on an ordinary disk. Most cuts then come in the middle of
// one: measured, two thirds of the cuts under load caught data with 0.3 ms, and nine of ten with 2 ms.
const syncDelayRule = " * delay=2ms"

// diskRules are the rules that a server starts with on the volatile layer.
func (c Control) diskRules() string {
	switch c {
	case ControlNoSync:
		return "sync * lost; syncdir" + syncDelayRule
	case ControlNoDirSync:
		return "syncdir * lost; sync" + syncDelayRule
	default:
		return "sync|syncdir" + syncDelayRule
	}
}

// text is what a table says of c.
func (c Control) text() string {
	if c == "" {
		return ""
	}
	return ", control " + string(c)
}

// Check says what keeps a campaign with these faults from being run under c; no faults at all are fine.
func (c Control) Check(faults []Fault) error {
	switch {
	case c == "":
		return nil
	case c != ControlNoSync && c != ControlNoDirSync:
		return fmt.Errorf("control %q: there are %s and %s", c, ControlNoSync, ControlNoDirSync)
	case slices.ContainsFunc(faults, func(f Fault) bool { return f.Kind != FaultPower }):
		return fmt.Errorf("control %s shows only when the power is cut: the fault must be %s", c, FaultPower)
	}
	return nil
}
