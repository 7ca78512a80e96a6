package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"

	"holdfast/faultfs"
	"holdfast/kv/kvtest"
)

// exploreReport is what an exploration, or a replay, has come to.
type exploreReport struct {
	Verdict string `json:"verdict"` // pass, fail or inconclusive
	Reason  string `json:"reason"`
	Store   string `json:"store"` // the first word of its replay lines
	Length  int    `json:"length"`
	// Exhaustive is how many plans there are of up to Length words. The others
	// are longer and random.
	Exhaustive uint64 `json:"exhaustivePlans"`
	Cores      int    `json:"cores"`
	faultfs.Exploration
}

const (
	verdictPass         = "pass"
	verdictFail         = "fail"
	verdictInconclusive = "inconclusive"
)

// minStates is how many states an exploration must visit to say anything.
const minStates = 100

// errBroken is the error of a promise that was broken.
var errBroken = errors.New("a promise was broken after a legal crash")

func newExploreReport(e faultfs.Exploration, o kvtest.Options, length int) *exploreReport {
	r := &exploreReport{
		Store: kvtest.Subject(o).Name, Length: length, Exhaustive: kvtest.Exhaustive(o, length),
		Cores: runtime.GOMAXPROCS(0), Exploration: e,
	}
	switch {
	case len(e.Violations) > 0:
		r.Verdict, r.Reason = verdictFail, e.Violations[0].Reason
	case e.Visited < minStates:
		r.Verdict = verdictInconclusive
		r.Reason = fmt.Sprintf("%d states say nothing, it takes %d", e.Visited, minStates)
	default:
		r.Verdict, r.Reason = verdictPass, grouped(e.Visited)+" legal states, every promise kept"
	}
	return r
}

// newReplayReport reports one crash that was made to happen again; v is nil if
// nothing was wrong.
func newReplayReport(v *faultfs.Violation) *exploreReport {
	r := &exploreReport{Verdict: verdictPass, Reason: "every promise is kept after this crash"}
	r.Violations = []faultfs.Violation{} // a list in JSON, also when it is empty
	if v != nil {
		r.Verdict, r.Reason, r.Violations = verdictFail, v.Reason, []faultfs.Violation{*v}
	}
	return r
}

// err is the error that stands for the verdict.
func (r *exploreReport) err() error {
	switch r.Verdict {
	case verdictPass:
		return nil
	case verdictFail:
		return fmt.Errorf("%w: %s", errBroken, r.Reason)
	}
	return errors.New("the exploration is inconclusive: " + r.Reason)
}

// WriteJSON prints the report as one JSON object.
func (r *exploreReport) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText prints the report for people.
func (r *exploreReport) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if r.Plans+r.Visited > 0 {
		r.writeFigures(w)
	}
	for i := range r.Violations {
		writeViolation(w, i+1, &r.Violations[i])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "verdict: %s: %s\n", r.Verdict, r.Reason)
	return err
}

func (r *exploreReport) writeFigures(w io.Writer) {
	atLeast := ""
	if r.LegalIsMin {
		atLeast = "at least "
	}
	seconds := r.Elapsed.Seconds()
	fmt.Fprintf(w, "seed\t%d\n", r.Seed)
	fmt.Fprintf(w, "store, profile\t%s, %s\n", r.Store, r.Profile)
	fmt.Fprintf(w, "plans\t%s: %s of the %s with up to %d words, and random longer ones\n",
		grouped(r.Plans), grouped(min(r.Plans, r.Exhaustive)), grouped(r.Exhaustive), r.Length)
	fmt.Fprintf(w, "crash points\t%s\n", grouped(r.Points))
	fmt.Fprintf(w, "states visited\t%s of %s%s legal ones\n", grouped(r.Visited), atLeast, grouped(r.Legal))
	fmt.Fprintf(w, "  in a recovery\t%s\n", grouped(r.Nested))
	fmt.Fprintf(w, "  after a kill\t%s\n", grouped(r.Killed))
	fmt.Fprintf(w, "unique contents\t%s\n", grouped(r.Unique))
	fmt.Fprintf(w, "  equal by reads\t%s\n", grouped(r.EqualRead))
	fmt.Fprintf(w, "recoveries run\t%s\n", grouped(r.Recoveries))
	fmt.Fprintf(w, "speed\t%s states/s, %s per core, for %.1f s on %d cores\n",
		grouped(uint64(r.StatesPerSecond())), grouped(uint64(r.StatesPerSecond()/float64(r.Cores))), seconds, r.Cores)
	fmt.Fprintf(w, "violations\t%d\n\n", len(r.Violations))
}

// writeViolation prints one broken promise, and how to see it again.
func writeViolation(w io.Writer, number int, v *faultfs.Violation) {
	fmt.Fprintf(w, "violation %d\t%s\n", number, v.Reason)
	fmt.Fprintf(w, "  again\tholdfast explore --replay %s\n", v.Replay)
	if v.Found != v.Replay {
		fmt.Fprintf(w, "  found as\t%s\n", v.Found)
	}
	plan := strings.Join(v.Plan, ", ")
	if plan == "" {
		plan = "nothing but opening the store"
	}
	fmt.Fprintf(w, "  plan\t%s\n", plan)
	for i, c := range v.Crashes {
		how := "power cut"
		if c.Kill {
			how = "kill"
		}
		fmt.Fprintf(w, "  crash %d\t%s at point %d\n", i+1, how, c.Point)
		for _, call := range c.Calls {
			fmt.Fprintf(w, "    pending\t%s\n", call)
		}
		for _, survivor := range c.Survivors {
			fmt.Fprintf(w, "    survives\t%s\n", survivor)
		}
	}
	profiles := make([]string, len(v.Profiles))
	for i, p := range v.Profiles {
		profiles[i] = string(p)
	}
	fmt.Fprintf(w, "  shows on\t%s\n\n", strings.Join(profiles, ", "))
}

// grouped writes a number with a comma after every three digits.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}
