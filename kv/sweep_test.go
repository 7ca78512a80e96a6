package kv

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"holdfast/faultfs"
)

// The error sweep: for every call that the engine makes to its file system, in
// the order in which it makes them, fail that one, and in a second pass that
// one and all after it, with every errno; then end the process in one of
// several ways, open the store again, write, cut the power, and hold what is
// there against what every write was told.
//
//	go test ./kv -run TestErrorSweep                            seconds
//	go test ./kv -run TestErrorSweep -sweep.full                minutes
//	go test ./kv -run TestErrorSweepOfPairs -sweep.pairs        minutes
//
// The short form fails every call of a new store, and in the other scenarios
// those that come from a place in the engine, with all its callers, that has not
// had its turn. The full form fails every call of every scenario. The ends take
// turns from call to call and from errno to errno. A violation prints its
// scenario, rule and end; they replay with -sweep.only "scenario|rule|end".
var (
	sweepFull = flag.Bool("sweep.full", false, "fail every call of every scenario")
	sweepOnly = flag.String("sweep.only", "", "run one scenario, or one trial as a violation has printed it")

	sweepSites = flag.Bool("sweep.sites", true, "fail for a call site that no fault struck")
)

// sweepTurns is how often the short form fails calls that come by one path.
const sweepTurns = 2

var sweepErrnos = []string{"EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EINTR", "EMFILE"}

func init() {
	if raceEnabled { // which costs ten times as much, and what it looks for is in every errno's path
		sweepErrnos = sweepErrnos[:2]
	}
}

// sweepModes say which calls from the n-th on fail, and how.
var sweepModes = []struct{ name, rule string }{
	{"once", "any * #%d %s"},
	{"sticky", "any * #%d+ %s"},
	{"after", "any * #%d %s after"},
}

// changes are the calls that a read-only file system refuses.
const changes = "create|write|sync|syncdir|truncate|preallocate|remove|mkdir"

// sweepOthers are rules about some of the calls, counted among themselves: what
// a failed sync can do to what it covered, a disk that can only be read, and a
// read that fails as often as it is tried and works for whoever asks next.
var sweepOthers = []pass{
	{errno: "EIO", mode: "reverted", rule: "sync|syncdir * #%d EIO reverted", ops: "sync|syncdir"},
	{errno: "EIO", mode: "aborted", rule: "sync|syncdir * #%d EIO aborted", ops: "sync|syncdir"},
	{errno: "EIO", mode: "unwritable", rule: changes + " * #%d+ EIO", ops: changes},
	{errno: "EROFS", mode: "unwritable", rule: changes + " * #%d+ EROFS", ops: changes},
	{errno: "EIO", mode: "reread", rule: "read * #%d+ heal=3 EIO", ops: "read"},
}

// An end is how the process with the faults ends: killed, when the system keeps
// its cache, or by a power cut, which keeps what was synced, or that and
// anything else; at once, or after the faults are over and it has written more.
var sweepEnds = []string{"kill", "power", "power any", "heal kill", "heal power", "heal close"}

func TestErrorSweep(t *testing.T) {
	s := newSweep(t)
	if strings.Contains(*sweepOnly, "|") {
		require.NoError(t, s.replay(t, *sweepOnly))
		return
	}
	group, ctx := errgroup.WithContext(t.Context()) // the first violation ends all passes
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, sc := range s.scenarios {
		if *sweepOnly != "" && sc.name != *sweepOnly {
			continue
		}
		its := s.turnsOf(t, sc)
		for _, p := range s.passes() {
			group.Go(func() error { return s.pass(ctx, t, sc, p, its) })
		}
	}
	require.NoError(t, group.Wait())
	require.Positive(t, s.trials.Load(), "-sweep.only %q is no scenario: nothing was tried", *sweepOnly)
	if *sweepOnly == "" && *sweepSites {
		s.sites.requireAllStruck(t, sweepErrnos, []string{"once", "sticky", "after"})
	}
	t.Logf("%d trials in %d scenarios\n%s", s.trials.Load(), len(s.scenarios), s.sites)
}

type sweep struct {
	sites     *siteTable
	scenarios []scenario
	seen      map[string]int // calls by each path
	trials    atomic.Int64
}

func newSweep(t testing.TB) *sweep {
	return &sweep{sites: parseSites(t), scenarios: scenarios(t), seen: map[string]int{}}
}

// pass is one sweep over the calls of a scenario.
type pass struct {
	errno, mode, rule string
	ops               string // what the rule counts
	turn              int    // of the pass, so that the passes end the same call in different ways
}

func (s *sweep) passes() (all []pass) {
	for _, mode := range sweepModes {
		for _, errno := range sweepErrnos {
			all = append(all, pass{errno: errno, mode: mode.name, rule: strings.Replace(mode.rule, "%s", errno, 1), ops: "any"})
		}
	}
	all = append(all, sweepOthers...)
	for i := range all {
		all[i].turn = i
	}
	return all
}

// turn is a call that is to fail.
type turn struct {
	number int
	ending bool // it comes when the process ends
}

// turns are the calls that are to fail, numbered by what is counted.
type turns map[string][]turn

// turnsOf runs a scenario without a fault of the sweep, and returns the calls
// that are to fail.
func (s *sweep) turnsOf(t testing.TB, sc scenario) (its turns) {
	d, h, err := s.begin(t, sc)
	require.NoError(t, err, "%s, before any fault", sc.name)
	its = turns{}
	counts := map[string]int{}
	d.fs.OnCall(func(c faultfs.Call) {
		path := callPath()
		if sc.before != "" { // a disk that forgets gives every place in Open another turn
			if d.opened {
				return
			}
			path = sc.before + path
		}
		s.seen[path]++
		for _, ops := range []string{"any", "sync|syncdir", changes, "read"} {
			if ops != "any" && !slices.Contains(strings.Split(ops, "|"), string(c.Op)) {
				continue
			}
			counts[ops]++
			if *sweepFull || sc.every || s.seen[path] <= sweepTurns {
				its[ops] = append(its[ops], turn{counts[ops], d.ending})
			}
		}
	})
	err = d.runWithFaults(trial{sc: sc, end: "kill"}, h)
	d.close()
	require.NoError(t, err, "%s, without a fault of the sweep", sc.name)
	return its
}

// pass fails the calls of a scenario one by one.
func (s *sweep) pass(ctx context.Context, t testing.TB, sc scenario, p pass, its turns) error {
	for i, at := range its[p.ops] {
		rule := fmt.Sprintf(p.rule, at.number)
		ends := []string{sweepEnds[(i+p.turn)%len(sweepEnds)]}
		switch {
		case at.ending:
			ends = []string{"kill"} // the others do not come there with the fault in force
		case sc.before != "":
			ends = sweepEnds
		}
		for _, end := range ends {
			if ctx.Err() != nil {
				return nil
			}
			if err := s.try(t, trial{sc, rule, end}, p); err != nil {
				return fmt.Errorf("-sweep.only '%s|%s|%s': %w", sc.name, rule, end, err)
			}
		}
	}
	return nil
}

func (s *sweep) replay(t testing.TB, line string) error {
	words := strings.Split(line, "|")
	// A rule has bars too.
	name, rule, end := words[0], strings.Join(words[1:len(words)-1], "|"), words[len(words)-1]
	sc, err := s.named(name)
	if err != nil {
		return err
	}
	return s.try(t, trial{sc, rule, end}, pass{})
}

// trial is one run: a scenario, the fault that the sweep adds, and the end.
type trial struct {
	sc   scenario
	rule string
	end  string
}

// try runs one trial.
func (s *sweep) try(t testing.TB, tr trial, p pass) error {
	s.trials.Add(1)
	d, h, err := s.begin(t, tr.sc)
	defer d.close()
	if err != nil {
		return err
	}
	rule := faultfs.MustParse(tr.rule)[0]
	d.fs.OnCall(func(c faultfs.Call) {
		if slices.Contains(c.Struck, rule) {
			s.sites.struck(p)
		}
	})
	d.fs.Inject(rule)
	if err := d.runWithFaults(tr, h); err != nil {
		return err
	}
	return d.after(tr, h)
}

// begin sets up the disk of a scenario: the process before has run, and the
// faults that come before the one of the sweep are in force.
func (s *sweep) begin(t testing.TB, sc scenario) (*sweepDisk, *history, error) {
	d := newSweepDisk(sc.world.fs(t))
	h := newHistory(&sc.opts, sc.world.holds)
	h.faulty = true
	if sc.before != "" {
		d.inject(sc.before)
		err := d.runWithFaults(trial{sc: sc, end: "kill"}, h)
		if unfired := d.fs.Unfired(); err == nil && len(unfired) > 0 {
			err = fmt.Errorf("rule %q never fired", unfired[0])
		}
		if err == nil && sc.doubt && !h.hasUnknown() {
			err = errors.New("every write has a certain outcome: nothing is in doubt for the process after")
		}
		if err != nil {
			return d, h, fmt.Errorf("the process before: %w", err)
		}
	}
	d.inject(sc.rules)
	return d, h, nil
}

// sweepDisk is a disk with a power switch, and the stores opened on it.
type sweepDisk struct {
	base  afero.Fs // what is on the disk
	power *faultfs.Volatile
	fs    *faultfs.FS
	dbs   []*DB

	opened bool // by the process that meets the faults
	ending bool // of that process
}

func newSweepDisk(base afero.Fs) *sweepDisk {
	d := &sweepDisk{base: base}
	d.plugIn()
	return d
}

func (d *sweepDisk) plugIn() {
	d.power = faultfs.NewVolatile(d.base, faultfs.VolatileOptions{})
	d.fs = faultfs.New(d.power)
}

func (d *sweepDisk) inject(rules string) {
	for _, rule := range faultfs.MustParse(rules) {
		d.fs.Inject(rule)
	}
}

// cutPower ends every process at once.
func (d *sweepDisk) cutPower(seed uint64, keep string) error {
	_, err := d.power.Crash(seed, keep)
	d.close()
	d.plugIn()
	return err
}

func (d *sweepDisk) close() {
	for _, db := range d.dbs {
		abandon(db)
	}
	d.dbs = nil
}

// runWithFaults is the process that meets the faults.
func (d *sweepDisk) runWithFaults(tr trial, h *history) error {
	d.opened, d.ending = false, false
	db, err := Open(d.fs, dir, &tr.sc.opts)
	d.opened = err == nil
	if err != nil {
		switch {
		case errors.Is(err, ErrDamaged), errors.Is(err, ErrNotFound), errors.Is(err, ErrFormatTooNew):
			return fmt.Errorf("an I/O error was taken for something else: %w", err)
		case !strings.Contains(err.Error(), dir):
			return fmt.Errorf("the error does not say where: %w", err)
		}
		return d.finish(tr, nil, h)
	}
	d.dbs = append(d.dbs, db)
	if err := h.decide(db); err != nil {
		return fmt.Errorf("after the first open: %w", err)
	}
	if err := runStory(db, h); err != nil {
		return err
	}
	return d.finish(tr, db, h)
}

// finish ends the process, whose store may not even have been opened.
func (d *sweepDisk) finish(tr trial, db *DB, h *history) error {
	d.ending = true
	end, healed := strings.CutPrefix(tr.end, "heal ")
	if healed {
		d.fs.Heal()
		h.faulty = false
		if db != nil {
			writeSome(db, h, "healed")
			if err := h.look(db); err != nil {
				return fmt.Errorf("after healing: %w", err)
			}
		}
	}
	switch end {
	case "close":
		if db == nil {
			return nil
		}
		fenced := db.Stats().Fenced // then a Close in good order decides nothing
		if db.Close() == nil && fenced == nil {
			h.synced()
		}
		return nil
	case "power":
		return d.cutPower(1, "nothing")
	case "power any":
		return d.cutPower(uint64(len(tr.rule))+1, "any")
	}
	if db != nil {
		abandon(db)
	}
	d.fs.Heal()
	return nil
}

// after opens the store again, twice with a power cut between, and once after a
// close. Nothing fails any more.
func (d *sweepDisk) after(tr trial, h *history) error {
	h.faulty = false
	for _, step := range []string{"second", "third", "fourth"} {
		db, err := Open(d.fs, dir, &tr.sc.opts)
		if err != nil {
			return fmt.Errorf("%s open: %w", step, err)
		}
		d.dbs = append(d.dbs, db)
		if err := h.decide(db); err != nil {
			return fmt.Errorf("after the %s open: %w", step, err)
		}
		writeSome(db, h, step)
		if err := db.Sync(); err != nil {
			return fmt.Errorf("writing after the %s open: %w", step, err)
		}
		if step == "third" {
			err = db.Close()
		} else {
			err = d.cutPower(1, "nothing")
		}
		if err != nil {
			return fmt.Errorf("ending after the %s open: %w", step, err)
		}
	}
	return nil
}
