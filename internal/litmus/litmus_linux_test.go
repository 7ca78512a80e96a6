package litmus

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

var (
	seedFlag   = flag.Uint64("litmus.seed", 1, "what decides which nudges the drawn rounds get")
	roundsFlag = flag.Int("litmus.rounds", 1, "rounds with drawn nudges, beside the fixed ones")
	onlyFlag   = flag.String("litmus.only", "", "run only the program with this name")
)

// TestRealFileSystemsStayInTheModel crashes every program at every point, in
// several ways, on each file system, and requires what is left to be legal under
// the weak profile. What only the profile of the file system itself does not
// allow is reported. With -v it prints what was seen.
//
//	go test ./internal/litmus -v -run StayInTheModel -litmus.seed N -litmus.rounds 10
func TestRealFileSystemsStayInTheModel(t *testing.T) {
	if testing.Short() {
		t.Skip("mounts file systems hundreds of times")
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			privateMounts(t)
			template := k.format(t)
			t.Logf("-litmus.seed %d", *seedFlag)
			sum := &tally{}
			for i, p := range Programs() {
				if *onlyFlag != "" && *onlyFlag != p.Name {
					continue
				}
				rng := rand.New(rand.NewPCG(*seedFlag, uint64(i)))
				sum.add(newTrial(t, k, p, p.Steps).run(template, rng))
			}
			t.Log(sum.String())
			require.NotZero(t, sum.crashes, "no program ran")
		})
	}
}

// rounds returns the ways to run each program.
func rounds() []round {
	list := []round{
		{copied, nothing}, {copied, data}, {copied, bystander},
		{shutDown, data}, {shutDownLogged, nothing},
	}
	for range *roundsFlag {
		list = append(list, round{copied, nudges})
	}
	return list
}

// trial is one program on one file system.
type trial struct {
	t       *testing.T
	kind    kind
	program Program
	weak    []*faultfs.Space // after each number of steps
	own     []*faultfs.Space
	result  result
}

// newTrial works out the legal states of p, which on the model does the steps
// given.
func newTrial(t *testing.T, k kind, p Program, steps []Step) *trial {
	tr := &trial{t: t, kind: k, program: p, result: result{name: p.Name, seen: map[string]bool{}}}
	d := faultfs.NewDisk()
	require.NoError(t, p.Prepare(d))
	d = d.Space(d.Points(), faultfs.Weak).Everything().Disk()
	model := Program{p.Name, p.Setup, steps}
	require.NoError(t, model.Run(d, len(steps), func(int) error {
		tr.weak = append(tr.weak, d.Space(d.Points(), faultfs.Weak))
		tr.own = append(tr.own, d.Space(d.Points(), k.profile))
		return nil
	}))
	for _, s := range tr.weak {
		n, _ := s.Count()
		tr.result.legal += n
	}
	return tr
}

// run crashes the program in every way, at every point.
func (tr *trial) run(template string, rng *rand.Rand) result {
	t := tr.t
	for i, r := range rounds() {
		scratch := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(scratch, "mnt"), 0o700))
		err := r.crashes(tr.kind, tr.program, template, scratch, rng, tr.found)
		if errors.Is(err, errNoShutdown) {
			continue
		}
		require.NoError(t, err, "round %d of %q", i, tr.program.Name)
	}
	return tr.result
}

// found takes in a state after a crash.
func (tr *trial) found(done int, disk *faultfs.Disk) error {
	state := disk.Space(0, faultfs.Weak).Everything()
	r := &tr.result
	r.crashes++
	key := fmt.Sprint(done, " ", state.Hash())
	if r.seen[key] {
		return nil
	}
	r.seen[key] = true
	if !tr.weak[done].Contains(state) {
		r.illegal = append(r.illegal, done)
		tr.t.Errorf("%s: %q after %d steps: not legal:\n%s\nsteps so far:\n%s", tr.kind.name, tr.program.Name, done,
			tell(tr.t, disk), steps(tr.program.Steps[:done]))
	}
	if !tr.own[done].Contains(state) {
		r.outside++
		tr.t.Logf("%s: %q after %d steps is legal, but not by the profile %s:\n%s", tr.kind.name, tr.program.Name, done,
			tr.kind.profile, tell(tr.t, disk))
	}
	return nil
}

func steps(list []Step) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintln(&b, " ", s)
	}
	return b.String()
}

// result is what was seen of one program.
type result struct {
	name    string
	crashes int
	legal   uint64          // the legal states, over all points
	seen    map[string]bool // by point and content
	outside int             // of those, not in the file system's own profile
	illegal []int           // points
}

// tally is the table of all programs.
type tally struct {
	crashes, seen, outside int
	lines                  []string
}

func (s *tally) add(r result) {
	s.crashes += r.crashes
	s.seen += len(r.seen)
	s.outside += r.outside
	s.lines = append(s.lines, fmt.Sprintf("| %s | %d | %d | %d | %d |", r.name, r.legal, r.crashes, len(r.seen), r.outside))
}

func (s *tally) String() string {
	head := []string{"", "| program | legal | crashes | different states | outside its own profile |", "| --- | --- | --- | --- | --- |"}
	total := fmt.Sprintf("| total | | %d | %d | %d |", s.crashes, s.seen, s.outside)
	return strings.Join(slices.Concat(head, s.lines, []string{total}), "\n")
}
