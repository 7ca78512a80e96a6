package faultfs

import (
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"reflect"
)

// planner explores one plan. Everything that it does depends on the plan, the
// bounds and the seed alone, so that its counters do too.
type planner struct {
	subject *Subject
	profile Profile
	plan    []string
	bounds  bounds
	seed    uint64

	stop  func() bool         // asked before each visit
	flush func(tally)         // given what was counted since it was called last
	found func(*life, string) // told where a promise was broken, and what the oracle says
	every bool                // shrinking: no measure for nesting, and found is told of each visit

	n, sent  tally
	byHash   map[uint64]*result // of the contents that were visited
	byReads  readTree
	verdicts map[verdictKey]string
	calls    map[callsKey]bool // that recoveries have made
	runs     []int             // recoveries, by the number of crashes before the last
	lives    []Life            // for judge
	planSeed uint64
	nested   uint64 // recoveries that were crashed
	rechecks uint64
	err      error
}

// bounds say how far to go.
type bounds struct {
	states, nestedStates, nesting int
	onlyLast                      bool
}

type verdictKey struct {
	past *past
	out  *result
}

// life is one life while it is being crashed, with the crash at hand.
type life struct {
	up     *life // the life before
	depth  int   // crashes before this life
	kills  int   // kills among them
	past   *past // they and what was before them
	disk   *Disk
	out    *result
	killed bool // where it is crashed it is killed as well

	point int
	kill  bool
	state State // if not kill
	inner *nest // a crash of the life after this one that was not run again
}

// newPlanner returns one for plan, within the bounds of o.
func newPlanner(s *Subject, o ExploreOptions, plan []string) *planner {
	return &planner{
		subject: s, profile: o.Profile, plan: plan, seed: o.Seed,
		bounds:   bounds{o.StatesPerPoint, o.NestedPerPoint, o.Nesting, o.OnlyLast},
		byHash:   map[uint64]*result{},
		verdicts: map[verdictKey]string{},
		calls:    map[callsKey]bool{},
		runs:     make([]int, o.Nesting+1),
	}
}

// callsKey is what is equal for recoveries at one depth that make the same calls.
type callsKey struct {
	depth int
	calls uint64
}

// recheckEvery is how many states that were proved equal come to one that is
// run all the same, to see whether the subject reads something that its disk
// does not tell of.
const recheckEvery = 1024

// reloadEvery is how many plans come to one that is run twice, for the same
// reason.
const reloadEvery = 16

// explore runs the plan and crashes it. The error says why it cannot be explored.
func (x *planner) explore() error {
	defer x.report()

	l := &life{disk: NewDisk(), past: &past{}, killed: true}
	rec, err := x.subject.load(l.disk, x.plan)
	if err != nil {
		return err
	}
	l.out = &result{record: rec}
	x.planSeed = x.seedAt(nil)
	if x.planSeed%reloadEvery == 0 {
		x.reload(&rec)
	}
	if reason := x.judge(l.past, l.out); reason != "" {
		x.found(nil, reason)
		x.n.plans++
		return nil
	}
	first := 0
	if x.bounds.onlyLast {
		first = rec.lastWord()
	}
	for k := first; k <= rec.points && x.bounds.nesting > 0 && !x.ended(); k++ {
		x.crashAt(l, k)
	}
	if !x.ended() {
		x.n.plans++
	}
	return x.err
}

func (x *planner) ended() bool { return x.err != nil || x.stop() }

// reload runs the plan again, to see whether that comes to the same.
func (x *planner) reload(rec *record) {
	again, err := x.subject.load(NewDisk(), x.plan)
	if err == nil {
		err = sameRecord(rec, &again)
	}
	if err != nil {
		x.err = fmt.Errorf("%s is not deterministic: running the plan again: %w", x.subject.Name, err)
	}
}

// report passes on what was counted since it did so last.
func (x *planner) report() {
	x.flush(x.n.minus(x.sent))
	x.sent = x.n
}

// crashAt ends l at its point k in each way.
func (x *planner) crashAt(l *life, k int) {
	x.report()
	l.point = k
	then := l.past.then(l.out, l.out.before(k))
	if pending := x.cutPower(l, then); pending && l.killed && !x.ended() {
		x.killProcess(l, then)
	}
}

// cutPower visits the states that a power cut leaves. It reports whether there
// is more than one: if not, a kill leaves the same.
func (x *planner) cutPower(l *life, then *past) bool {
	space := l.disk.Space(l.point, x.profile)
	n := tally{points: 1}
	n.addLegal(space.Count())
	for s := range x.some(l, space, n.legal) {
		if x.ended() {
			break
		}
		l.state = s
		n.visited++
		x.visit(l, then)
	}
	x.n.add(n.in(l))
	l.out.inside.add(n)
	return n.legal > 1
}

// some returns the states to visit at the point of l, which has so many. In a
// recovery these are few: nothing kept, everything kept, and then, of some more,
// others in each place. While shrinking these are all visited.
func (x *planner) some(l *life, space *Space, legal uint64) iter.Seq[State] {
	limit, seed := x.bounds.states, x.seedAt(l)
	if l.depth == 0 {
		return space.Some(limit, seed)
	}
	limit = x.bounds.nestedStates
	if x.every {
		return space.Some(4*limit, seed)
	}
	choice := min(legal, 4*uint64(limit))
	if limit <= 2 || choice <= uint64(limit) {
		return space.Some(limit, seed)
	}
	step := (choice - 2 + uint64(limit) - 3) / (uint64(limit) - 2)
	return func(yield func(State) bool) {
		i := uint64(0)
		for s := range space.Some(int(choice), seed) {
			if (i < 2 || (i-2)%step == seed%step) && !yield(s) {
				return
			}
			i++
		}
	}
}

// seedAt returns the seed for sampling at the point of l, another one for each.
func (x *planner) seedAt(l *life) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, x.seed, x.plan)
	for ; l != nil; l = l.up {
		fmt.Fprint(h, " ", l.point)
	}
	return h.Sum64()
}

// visit recovers from the state of l, or finds out that it need not, and judges.
func (x *planner) visit(l *life, then *past) {
	var fresh *Disk
	hash := l.state.Hash()
	o := x.byHash[hash]
	if o == nil {
		x.n.unique++
		if o = x.byReads.find(&l.state); o != nil {
			x.n.equalRead++
			x.recheck(&l.state, o)
		} else if o, fresh = x.recover(l); o == nil {
			return
		}
		x.byHash[hash] = o
	}
	if o.done != then {
		x.check(l, then, o, fresh)
	}
}

// run runs a recovery on d.
func (x *planner) run(l *life, d *Disk) *result {
	rec := x.subject.recover(d)
	x.n.recoveries++
	x.runs[l.depth]++
	return &result{record: rec, calls: callsHash(d, rec.points), tried: math.MaxInt}
}

// recover runs a recovery on the state of l, which nothing is known of yet. It
// returns nil if what happens contradicts what is known.
func (x *planner) recover(l *life) (*result, *Disk) {
	d := l.state.Disk()
	o := x.run(l, d)
	if err := x.byReads.insert(&l.state, d.Reads(), o); err != nil {
		x.differs(err)
		return nil, nil
	}
	return o, d
}

// recheck runs a recovery now and then of which the outcome is known.
func (x *planner) recheck(s *State, o *result) {
	if x.rechecks++; x.rechecks%recheckEvery != 0 {
		return
	}
	rec := x.subject.recover(s.Disk())
	x.n.recoveries++
	if err := sameRecord(&o.record, &rec); err != nil {
		x.differs(err)
	}
}

// differs ends the exploration of a subject that is not deterministic.
func (x *planner) differs(err error) {
	x.err = fmt.Errorf("%s is not deterministic: recovery from contents that are equal to it: %w", x.subject.Name, err)
}

// sameRecord says how two lives differ that should be the same.
func sameRecord(a, b *record) error {
	if a.fault != b.fault {
		return fmt.Errorf("it once ended with %q and once with %q", a.fault, b.fault)
	}
	for i := range min(len(a.events), len(b.events)) {
		if !reflect.DeepEqual(a.events[i], b.events[i]) {
			return fmt.Errorf("event %d was once %+v and once %+v", i, a.events[i], b.events[i])
		}
		if a.at[i] != b.at[i] {
			return fmt.Errorf("event %d came once at crash point %d and once at %d", i, a.at[i], b.at[i])
		}
	}
	if len(a.events) != len(b.events) || a.points != b.points {
		return fmt.Errorf("there were once %d events and %d crash points and once %d and %d",
			len(a.events), a.points, len(b.events), b.points)
	}
	return nil
}

// judge asks the oracle, once for each past and outcome. It returns the reason
// of a broken promise, or nothing.
func (x *planner) judge(p *past, o *result) string {
	key := verdictKey{p, o}
	reason, known := x.verdicts[key]
	if !known {
		x.lives = append(append(x.lives[:0], p.lives...), Life{Events: o.events})
		reason = x.subject.verdict(o, x.lives)
		x.verdicts[key] = reason
	}
	return reason
}
