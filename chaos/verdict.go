package chaos

import (
	"fmt"
	"strings"
)

// Verdict is what a campaign concludes.
type Verdict uint8

// The verdicts. A campaign is inconclusive until it has shown something: what found nothing because
// it tried nothing must not look like a pass.
const (
	Inconclusive Verdict = iota
	Pass
	Fail
)

var verdictNames = [...]string{Inconclusive: "inconclusive", Pass: "pass", Fail: "fail"}

// String returns "inconclusive", "pass" or "fail".
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// MarshalText returns the name of v.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText accepts what MarshalText returns.
func (v *Verdict) UnmarshalText(text []byte) error {
	for i, name := range verdictNames {
		if name == string(text) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("no such verdict: %q", text)
}

// MinChecked is how many acknowledged writes a campaign must have checked to pass. With none of them
// lost, it can claim a loss rate below 0.3 % at 95 % confidence; less is not worth a verdict.
const MinChecked = 1000

// decide sets verdict and reason from everything else in r. stopped says why the campaign ended
// early, "" when it did not. Any breach is a fail, whatever else is missing; a pass needs kills that
// hit writes in flight, enough writes checked, readers that read, and a campaign that ran to its end.
func (r *Report) decide(stopped string) {
	if reasons := r.breaches(); len(reasons) > 0 {
		r.Verdict, r.Reason = Fail, r.controlSees()+strings.Join(reasons, "; ")
		return
	}
	if reasons := r.shortcomings(stopped); len(reasons) > 0 {
		r.Verdict, r.Reason = Inconclusive, strings.Join(reasons, "; ")
		return
	}
	r.Verdict = Pass
	r.Reason = fmt.Sprintf("%d kills mid-write, %d acknowledged writes checked, all accounted for",
		r.KillsMidWrite, r.Durability.Checked)
	if r.Power.Cuts > 0 {
		r.Reason += fmt.Sprintf(", %d power cuts that dropped data", r.Power.Dropping)
	}
}

// controlSees says that a control did what it is for: writes are missing, or the server found its
// store damaged and did not start over it. Any other failure is not what was looked for.
func (r *Report) controlSees() string {
	seen := r.Durability.Unaccounted() > 0 || r.ServerFailure != nil && r.ServerFailure.RefusedStart
	if r.Control == "" || !seen {
		return ""
	}
	return fmt.Sprintf("the control %s bites: ", r.Control)
}

func (r *Report) breaches() (reasons []string) {
	if n := r.Durability.Unaccounted(); n > 0 {
		reasons = append(reasons, fmt.Sprintf("%d of %d checked writes are not accounted for",
			n, r.Durability.Checked))
	}
	if n := r.Online.Total(); n > 0 {
		reasons = append(reasons, fmt.Sprintf("%d breaches seen under load", n))
	}
	if r.ServerFailure != nil {
		reasons = append(reasons, r.ServerFailure.What)
	}
	for i := range r.Faults {
		if rules := r.Faults[i].Rules; rules != nil && rules.Broken > 0 {
			reasons = append(reasons, rules.breaches())
		}
	}
	return reasons
}

func (r *Report) shortcomings(stopped string) (reasons []string) {
	if stopped != "" {
		reasons = append(reasons, stopped)
	}
	switch {
	case r.Writes.OK == 0:
		reasons = append(reasons, "the server took no load: no write was acknowledged")
	case r.Durability.Checked < MinChecked:
		reasons = append(reasons, fmt.Sprintf("only %d acknowledged writes were checked, at least %d needed",
			r.Durability.Checked, MinChecked))
	}
	if r.KillsMidWrite == 0 {
		reasons = append(reasons, "no kill landed while a write was in flight")
	}
	if n := r.Writes.Failed + r.Writes.Unknown - r.Writes.UnderRules; n > r.Writes.OK && r.Writes.OK > 0 {
		reasons = append(reasons, fmt.Sprintf("most writes failed: %d of %d", n, r.Writes.Issued))
	}
	reasons = append(reasons, r.idleFaults()...)
	if r.Control != "" {
		reasons = append(reasons, fmt.Sprintf("on a disk that ignores syncs (control %s) writes must get lost, and none was seen to be lost: the campaign cannot see", r.Control))
	}
	if r.Sync != syncAlways {
		reasons = append(reasons, fmt.Sprintf("a server that syncs every %s may lose writes, and none was seen to be lost: the campaign cannot see", r.Sync))
	}
	switch {
	case r.Config.Readers == 0:
	case r.Reads.OK == 0:
		reasons = append(reasons, "no reader could read")
	case r.Reads.Failed-r.Reads.UnderRules > r.Reads.OK:
		reasons = append(reasons, fmt.Sprintf("most reads failed: %d of %d",
			r.Reads.Failed, r.Reads.Failed+r.Reads.OK))
	}
	return reasons
}

// idleFaults names what was to be done to the server and did not happen.
func (r *Report) idleFaults() (reasons []string) {
	for i := range r.Faults {
		f := &r.Faults[i]
		switch {
		case f.Rules != nil:
			reasons = append(reasons, f.Rules.idle()...)
		case f.Fault != string(FaultPower):
		case f.Power.Cuts == 0:
			reasons = append(reasons, "no power cut was made")
		case f.Power.Dropping == 0:
			reasons = append(reasons, fmt.Sprintf("none of %d power cuts dropped anything", f.Power.Cuts))
		}
	}
	return reasons
}
