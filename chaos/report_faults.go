package chaos

import (
	"fmt"
	"slices"

	"holdfast/faultfs"
	"holdfast/internal/testdisk"
	"holdfast/internal/vfs"
)

// FaultReport is what one of the faults of a campaign did.
type FaultReport struct {
	Fault               string       `json:"fault"`  // as ParseFaults reads it
	Cycles              int          `json:"cycles"` // of Report.Cycles
	KillsMidWrite       int          `json:"killsMidWrite"`
	KillsDuringRecovery int          `json:"killsDuringRecovery"`
	Power               PowerTotals  `json:"power"`
	Rules               *RulesReport `json:"rules,omitempty"` // of the kind rules only
}

// PowerTotals adds up power cuts.
type PowerTotals struct {
	Cuts int `json:"cuts"`
	// Dropping counts the cuts that dropped un-synced bytes or directory entries, and DroppingBytes
	// those of them that dropped bytes.
	Dropping      int `json:"dropping"`
	DroppingBytes int `json:"droppingBytes"`
	// Bytes and Entries are what all of them dropped.
	Bytes   int64 `json:"bytes"`
	Entries int64 `json:"entries"`
}

func (p *PowerTotals) count(lost vfs.Lost) {
	p.Cuts++
	p.Bytes += lost.Bytes
	p.Entries += lost.Entries
	if lost.Bytes > 0 {
		p.DroppingBytes++
	}
	if lost.Bytes > 0 || lost.Entries > 0 {
		p.Dropping++
	}
}

// Power is what the power cuts of a campaign did.
type Power struct {
	PowerTotals
	// List has the cuts one by one, in order, the last thousand of them.
	List []Cut `json:"list"`
}

// maxCuts is how many cuts a report lists. The last are kept: after them comes what broke.
const maxCuts = 1000

func (p *Power) add(c Cut) {
	p.count(vfs.Lost{Bytes: c.Bytes, Entries: c.Entries})
	if len(p.List) == maxCuts {
		p.List = append(p.List[:0], p.List[1:]...)
	}
	p.List = append(p.List, c)
}

// Cut is one power cut. How a cut by the layer came out is repeated by its Seed and Keep, given the
// same calls before it.
type Cut struct {
	Cycle      int    `json:"cycle"`
	InRecovery bool   `json:"inRecovery"`
	How        string `json:"how"`            // "SIGKILL", the command to the layer, the rule for a directory sync, or "a rule"
	Seed       uint64 `json:"seed,omitempty"` // of a cut that the campaign planned
	Keep       string `json:"keep"`           // what survives of what was not synced; "" for a rule, which says it
	Log        string `json:"log"`            // the log of the server that it ended
	Bytes      int64  `json:"bytes"`          // not synced, and dropped
	Entries    int64  `json:"entries"`        // of directories, likewise
}

// RulesReport is what injected rules did, and how the server took it.
type RulesReport struct {
	// Rules counts by rule, over all cycles, the calls that matched and those that were struck.
	Rules []testdisk.RuleCounts `json:"rules"`
	// Writes counts by outcome the writes that met the fault: in flight at some time between the
	// injection and the healing.
	Writes RuleWrites `json:"writes"`
	// Reads counts the reads that met it.
	Reads RuleReads `json:"reads"`
	// ResumedByItself counts the cycles in which writes got OK again once the fault had healed, and
	// ResumedAfterRestart those in which the server said that it was fenced, was killed, and took
	// writes once it was started again.
	ResumedByItself     int   `json:"resumedByItself"`
	ResumedAfterRestart int   `json:"resumedAfterRestart"`
	ResumeMillisMax     int64 `json:"resumeMillisMax"` // the longest time to resume by itself
	CutByRule           int   `json:"cutByRule"`       // cycles that a rule ended with a power cut
	// Broken counts what the promise does not allow: an error that does not say how the call ended,
	// reads that stop being answered, service that does not resume. Breaches has the first ten.
	Broken   int      `json:"broken"`
	Breaches []string `json:"breaches"`
}

// RuleWrites counts writes by how they ended.
type RuleWrites struct {
	OK       int64 `json:"ok"`
	DiskFull int64 `json:"diskFull"` // failed: no space
	Fenced   int64 `json:"fenced"`   // failed: the store takes no writes
	Failed   int64 `json:"failed"`   // failed for another reason
	Unknown  int64 `json:"unknown"`
}

// RuleReads counts reads by how they ended.
type RuleReads struct {
	OK     int64 `json:"ok"`
	Failed int64 `json:"failed"`
}

// idle names the rules that never fired: what they were to show was not shown. A rule that only counts
// has done its part when it saw a call.
func (r *RulesReport) idle() (reasons []string) {
	for _, rule := range r.Rules {
		parsed, err := faultfs.ParseRule(rule.Rule)
		counts := err == nil && parsed.Count
		if rule.Fired == 0 && !(counts && rule.Calls > 0) {
			reasons = append(reasons, fmt.Sprintf("the rule %q never fired: it saw %d calls", rule.Rule, rule.Calls))
		}
	}
	return reasons
}

// rows are the lines of a table about f, empty for a fault that has nothing of its own to say.
func (f *FaultReport) rows() (rows [][2]string) {
	n := grouped
	r := f.Rules
	if r == nil {
		return nil
	}
	for _, rule := range r.Rules {
		rows = append(rows, [2]string{"rule", fmt.Sprintf("%s: struck %d of %d calls", rule.Rule, rule.Fired, rule.Calls)})
	}
	return append(rows,
		[2]string{"  writes under it", fmt.Sprintf("%s ok, %s disk full, %s fenced, %s failed otherwise, %s unknown",
			n(r.Writes.OK), n(r.Writes.DiskFull), n(r.Writes.Fenced), n(r.Writes.Failed), n(r.Writes.Unknown))},
		[2]string{"  reads under it", fmt.Sprintf("%s ok, %s failed", n(r.Reads.OK), n(r.Reads.Failed))},
		[2]string{"  service resumed", r.resumedText()},
	)
}

// resumedText says how service came back. What was never struck was not interrupted.
func (r *RulesReport) resumedText() string {
	if !slices.ContainsFunc(r.Rules, func(c testdisk.RuleCounts) bool { return c.Fired > 0 }) {
		return "not interrupted"
	}
	return fmt.Sprintf("%d times by itself (at most %d ms), %d times after a restart",
		r.ResumedByItself, r.ResumeMillisMax, r.ResumedAfterRestart)
}

// row is the line of a table about the power cuts.
func (p *PowerTotals) row() [2]string {
	return [2]string{"power cuts", fmt.Sprintf("%d, of which %d dropped data: %s bytes and %s directory entries",
		p.Cuts, p.Dropping, grouped(p.Bytes), grouped(p.Entries))}
}
