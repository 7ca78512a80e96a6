package litmus

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

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
	t.Logf("-litmus.seed %d", *seedFlag)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			k.need(t)
			programs := slices.DeleteFunc(Programs(), func(p Program) bool {
				return *onlyFlag != "" && *onlyFlag != p.Name
			})
			require.NotEmpty(t, programs, "there is no program %q", *onlyFlag)
			trials := make([]*trial, len(programs))
			for i, p := range programs {
				trials[i] = newTrial(t, k, p, p.Steps)
			}
			require.NoError(t, runAll(t, k, trials))
			sum := &tally{}
			for _, tr := range trials {
				sum.add(tr)
			}
			t.Log(sum.String())
		})
	}
}

// workers is how many programs run at once: mounting is mostly waiting.
const workers = 6

// runAll runs trials on file systems of one kind.
func runAll(t *testing.T, k kind, trials []*trial) error {
	var group errgroup.Group
	queue := make(chan int, len(trials))
	for i := range trials {
		queue <- i
	}
	close(queue)
	var benches []*bench
	for range min(workers, len(trials)) {
		b := &bench{kind: k, dir: t.TempDir()}
		// Before the others run: a process that is being started holds, for a
		// moment, their open files, and keeps them from unmounting.
		if err := b.set(); err != nil {
			return err
		}
		benches = append(benches, b)
	}
	for _, b := range benches {
		group.Go(func() error {
			if err := privateMounts(); err != nil {
				return err
			}
			for i := range queue {
				if err := trials[i].run(b, rand.New(rand.NewPCG(*seedFlag, uint64(i)))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
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
	report  func(format string, args ...any) // of an illegal state
	result  result
}

// newTrial works out the legal states of p, which on the model does the steps
// given.
func newTrial(t *testing.T, k kind, p Program, steps []Step) *trial {
	tr := &trial{t: t, kind: k, program: p, report: t.Errorf, result: result{seen: map[string]bool{}}}
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
func (tr *trial) run(b *bench, rng *rand.Rand) error {
	for i, r := range rounds() {
		err := r.crashes(b, tr.program, rng, tr.found)
		if err != nil && !errors.Is(err, errNoShutdown) {
			return fmt.Errorf("%s, round %d: %w", b.kind.name, i, err)
		}
	}
	return nil
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
		r.illegal++
		tr.report("%s: %q after %d steps: not legal:\n%s\nsteps so far:\n%s", tr.kind.name, tr.program.Name, done,
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
	crashes int
	legal   uint64          // the legal states, over all points
	seen    map[string]bool // by point and content
	outside int             // of those, not in the file system's own profile
	illegal int             // of those, not legal at all
}

// tally is the table of all programs.
type tally struct {
	crashes, seen, outside int
	lines                  []string
}

func (s *tally) add(tr *trial) {
	r := tr.result
	s.crashes += r.crashes
	s.seen += len(r.seen)
	s.outside += r.outside
	s.lines = append(s.lines, fmt.Sprintf("| %s | %d | %d | %d | %d |", tr.program.Name, r.legal, r.crashes, len(r.seen), r.outside))
}

func (s *tally) String() string {
	head := []string{"", "| program | legal | crashes | different states | outside its own profile |", "| --- | --- | --- | --- | --- |"}
	total := fmt.Sprintf("| total | | %d | %d | %d |", s.crashes, s.seen, s.outside)
	return strings.Join(slices.Concat(head, s.lines, []string{total}), "\n")
}

// TestMissingSyncIsNotLegal is the control: a kernel that is never asked to sync
// must leave what the model, which is, does not allow.
func TestMissingSyncIsNotLegal(t *testing.T) {
	k := kinds[0]
	k.need(t)
	var trials []*trial
	for _, name := range []string{"append, sync, append", "create, sync both", "replace, sync the file"} {
		p := program(t, name)
		model := slices.Clone(p.Steps)
		for i, s := range p.Steps {
			if s.Op == Sync || s.Op == SyncDir {
				p.Steps[i] = Step{Op: Writeback, Name: s.Name} // of 0 bytes: nothing
			}
		}
		tr := newTrial(t, k, p, model)
		tr.report = func(string, ...any) {}
		trials = append(trials, tr)
	}
	require.NoError(t, runAll(t, k, trials))
	for _, tr := range trials {
		r := tr.result
		require.NotZero(t, r.illegal, "%q: %d crashes, %d states, all legal", tr.program.Name, r.crashes, len(r.seen))
	}
}
