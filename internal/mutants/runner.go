package mutants

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// Runner tries mutants of one package.
type Runner struct {
	Root    string // directory of the module
	Package string // directory of the package below Root
	Checks  []Check

	Parallel int          // mutants at a time; at least one
	Each     func(Result) // called with each result as it comes; may be nil
}

// Outcome is what became of a mutant.
type Outcome string

const (
	// Caught means that a test failed.
	Caught Outcome = "caught"
	// Hung means that a check did not end within its limit. It counts as caught.
	Hung Outcome = "caught by timeout"
	// Explained means that no check failed, and that the mutant says why none
	// could.
	Explained Outcome = "equivalent"
	// Survived means that no check failed, and nothing says why.
	Survived Outcome = "not caught"
	// Broken means that the mutant does not fit the source, does not build, or
	// was caught although it claims that this is impossible.
	Broken Outcome = "error in the list"
)

// Result is what became of one mutant.
type Result struct {
	Name    string  `json:"name"`
	Group   string  `json:"group"`
	Rule    string  `json:"rule"`
	Outcome Outcome `json:"outcome"`
	Check   string  `json:"check,omitempty"` // that caught it
	Test    string  `json:"test,omitempty"`  // package and name of the first test that failed
	Details string  `json:"details,omitempty"`
	Seconds float64 `json:"seconds"` // with the build
	// CPUSeconds is what the processors worked for it; on a busy machine Seconds
	// says more of the others.
	CPUSeconds float64 `json:"cpuSeconds"`
}

// Run tries every mutant and returns the results in the order of the list. It
// leaves nothing behind, neither files nor processes, also when ctx ends it; then
// the error is that of ctx, and the results are those that there are.
func (r *Runner) Run(ctx context.Context, list []Mutant) ([]Result, error) {
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return nil, fmt.Errorf("making room for the mutants: %w", err)
	}
	defer os.RemoveAll(dir)
	results := make([]Result, len(list))
	done := make(chan int, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, r.Parallel))
	go func() {
		for i := range list { // Go waits for its turn
			group.Go(func() (err error) {
				if results[i], err = r.try(ctx, &list[i], filepath.Join(dir, fmt.Sprint(i))); err == nil {
					done <- i
				}
				return err
			})
		}
		err = group.Wait()
		close(done)
	}()
	var some []Result
	for i := range done {
		if r.Each != nil {
			r.Each(results[i])
		}
	}
	for _, result := range results {
		if result.Outcome != "" {
			some = append(some, result)
		}
	}
	return some, err
}

// RunControl runs every check on the unchanged source. Its error is that of ctx,
// or says which check fails there. Each is not called.
func (r *Runner) RunControl(ctx context.Context) error {
	alone := *r
	alone.Each = nil
	results, err := alone.Run(ctx, []Mutant{Control})
	if err != nil {
		return err
	}
	if c := results[0]; c.Outcome != Survived {
		return fmt.Errorf("the check %s fails on the unchanged source (%s), so it says nothing of a mutant: %s", c.Check, c.Test, c.Details)
	}
	return nil
}

// try plants one mutant and runs the checks until one fails.
func (r *Runner) try(ctx context.Context, m *Mutant, dir string) (Result, error) {
	began := time.Now()
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return Result{}, fmt.Errorf("making room for %s: %w", m.Name, err)
	}
	defer os.RemoveAll(dir)
	result := Result{Name: m.Name, Group: m.Group, Rule: m.Rule}
	err := r.check(ctx, m, dir, &result)
	if errors.Is(err, errStale) || errors.Is(err, errDoesNotBuild) {
		result.Outcome, result.Details, err = Broken, err.Error(), nil
	}
	result.Seconds = time.Since(began).Seconds()
	return result, err
}

func (r *Runner) check(ctx context.Context, m *Mutant, dir string, result *Result) error {
	s, err := newSite(r.Root, r.Package, dir, m)
	if err != nil {
		return err
	}
	defer func() { result.CPUSeconds = s.cpu.Seconds() }()
	for i := range r.Checks {
		c := &r.Checks[i]
		w, err := s.workplace(ctx, c.Package)
		if err != nil {
			return err
		}
		f, err := c.run(ctx, w, &s.cpu)
		switch {
		case err != nil:
			return err
		case f.failed:
			result.caught(m, c, f)
			return nil
		case !f.ran:
			return fmt.Errorf("the check %s runs no test: -run %q matches none in %s", c.Name, c.Run, c.Package)
		}
	}
	result.Outcome = Survived
	if m.Equivalent != "" {
		result.Outcome, result.Details = Explained, m.Equivalent
	}
	return nil
}

func (r *Result) caught(m *Mutant, c *Check, f finding) {
	r.Check, r.Test, r.Details = c.Name, c.Package+"."+f.test, f.details
	switch {
	case m.Equivalent != "":
		r.Outcome = Broken
		r.Details = "it claims that nobody could notice: " + f.details
	case f.hung:
		r.Outcome = Hung
	default:
		r.Outcome = Caught
	}
}
