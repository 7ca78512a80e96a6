package faultfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Explore runs every plan, crashes it after every call, starts the subject on
// the legal states of the disk, crashes that again, and asks the oracle. It
// returns early with what it has when ctx ends, which is not an error. Its error
// means that it could not explore: options or a plan that cannot be run, or a
// subject that does something else when it is run again.
//
// A recovery is not run for a state with the content of another one of its plan,
// nor for one that answers all that a former recovery has read as it was answered
// then ([Disk.Reads]). The oracle is asked once for each such recovery and each
// different history before it. Crashes are power cuts and, at each point of a
// plan, a kill of the process with a power cut later.
//
// A plan is explored by one goroutine, so that more than one core is of use for
// more than one plan, and what is known of a plan is forgotten after it. What is
// counted depends on subject, plans, seed and bounds alone if no end came early.
// Recoveries are short and leave much garbage: with a larger GOGC, 400 say, the
// same time visits up to half as many states more.
func Explore(ctx context.Context, s Subject, o ExploreOptions) (Exploration, error) {
	if err := s.check(); err != nil {
		return Exploration{}, err
	}
	o, err := o.withDefaults()
	if err != nil {
		return Exploration{}, err
	}
	e := &explorer{ctx: ctx, subject: &s, o: o, began: time.Now(), classes: map[string]bool{}}
	e.explore()
	return e.sofar(), e.err
}

// check refuses a subject that cannot be explored.
func (s *Subject) check() error {
	if s.Load == nil || s.Recover == nil || s.Judge == nil {
		return fmt.Errorf("subject %q: Load, Recover and Judge must all be there", s.Name)
	}
	for _, w := range append([]string{s.Name}, s.Words...) {
		if err := checkWord(w); err != nil {
			return fmt.Errorf("subject %q: %w", s.Name, err)
		}
	}
	return nil
}

// withDefaults returns o with every field set, or what is wrong with it.
func (o ExploreOptions) withDefaults() (ExploreOptions, error) {
	if o.StatesPerPoint < 0 || o.NestedPerPoint < 0 || o.Nesting < 0 || o.MaxViolations < 0 || o.Workers < 0 {
		return o, errors.New("explore: no bound may be negative")
	}
	p, err := ParseProfile(string(cmp.Or(o.Profile, Weak)))
	if err != nil {
		return o, fmt.Errorf("explore: %w", err)
	}
	o.Profile = p
	o.StatesPerPoint = cmp.Or(o.StatesPerPoint, 4096)
	o.NestedPerPoint = cmp.Or(o.NestedPerPoint, 4)
	o.Nesting = cmp.Or(o.Nesting, 3)
	o.MaxViolations = cmp.Or(o.MaxViolations, 1)
	o.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	if o.Plans == nil {
		o.Plans = slices.Values([][]string{nil})
	}
	return o, nil
}

// explorer is one call of Explore.
type explorer struct {
	ctx     context.Context
	subject *Subject
	o       ExploreOptions
	began   time.Time
	cancel  context.CancelFunc // ends the workers
	ended   atomic.Bool

	mu         sync.Mutex // guards what follows
	n          tally
	classes    map[string]bool // of reasons that were found
	violations []Violation
	err        error
}

// explore hands the plans to the workers and waits for them.
func (e *explorer) explore() {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	e.cancel = func() { e.ended.Store(true); cancel() }
	defer context.AfterFunc(e.ctx, e.cancel)()

	plans := make(chan []string)
	var workers, reporter sync.WaitGroup
	workers.Go(func() { e.deal(ctx, plans) })
	for range e.o.Workers {
		workers.Go(func() { e.work(plans) })
	}
	if e.o.Progress != nil {
		reporter.Go(func() { e.report(ctx) })
	}
	workers.Wait()
	cancel()
	reporter.Wait()
}

// deal sends the plans until there are no more or ctx ends.
func (e *explorer) deal(ctx context.Context, plans chan<- []string) {
	defer close(plans)
	for p := range e.o.Plans {
		select {
		case plans <- slices.Clone(p):
		case <-ctx.Done():
			return
		}
	}
}

// work explores plans. A subject that ends its goroutine, as a failed assertion
// of a test does, ends the exploration.
func (e *explorer) work(plans <-chan []string) {
	finished := false
	defer func() {
		if !finished {
			e.fail(errors.New("explore: the subject has ended its goroutine"))
		}
	}()
	for p := range plans {
		if e.ended.Load() || e.ctx.Err() != nil {
			break
		}
		if err := e.plan(p); err != nil {
			e.fail(fmt.Errorf("explore: plan %q: %w", strings.Join(p, ","), err))
		}
	}
	finished = true
}

// plan explores one plan.
func (e *explorer) plan(plan []string) error {
	if err := e.subject.checkPlan(plan); err != nil {
		return err
	}
	x := newPlanner(e.subject, e.o, plan)
	x.stop = e.ended.Load
	x.flush = e.add
	x.found = func(l *life, reason string) {
		if e.isNew(reason) {
			e.shrink(replay{e.subject.Name, e.o.Profile, plan, l.crashes()}, reason)
		}
	}
	return x.explore()
}

// fail ends the exploration with err, if it is the first one.
func (e *explorer) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
	e.cancel()
}

// add counts n and ends the exploration when there were enough states.
func (e *explorer) add(n tally) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n.add(n)
	if e.o.MaxStates > 0 && e.n.visited >= e.o.MaxStates {
		e.cancel()
	}
}

// isNew reports whether nothing of the kind of reason was found before, and
// ends the exploration when this is the last one that is wanted.
func (e *explorer) isNew(reason string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	class := classOf(reason)
	if e.classes[class] || len(e.classes) == e.o.MaxViolations {
		return false
	}
	e.classes[class] = true
	if len(e.classes) == e.o.MaxViolations {
		e.cancel()
	}
	return true
}

// shrink makes the violation that r leads to as small as it can and keeps it.
func (e *explorer) shrink(r replay, reason string) {
	v, err := shrink(e.ctx, e.subject, e.o, r, reason)
	if err != nil {
		e.fail(err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.violations = append(e.violations, v)
}

// report calls Progress once a second until ctx ends.
func (e *explorer) report(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.o.Progress(e.sofar())
		case <-ctx.Done():
			return
		}
	}
}

// sofar returns what was done until now.
func (e *explorer) sofar() Exploration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Exploration{
		Profile: e.o.Profile, Seed: e.o.Seed,
		Plans: e.n.plans, Points: e.n.points,
		Legal: e.n.legal, LegalIsMin: e.n.legalIsMin,
		Visited: e.n.visited, Nested: e.n.nested, Killed: e.n.killed,
		Unique: e.n.unique, EqualRead: e.n.equalRead, Recoveries: e.n.recoveries,
		Elapsed: time.Since(e.began), Violations: append([]Violation{}, e.violations...),
	}
}
