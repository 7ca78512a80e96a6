package mutants

import (
	"context"
	"fmt"
	"time"
)

// Check is a part of the tests, one run of a test binary.
type Check struct {
	Name    string
	Package string   // its directory below the module's root, such as "kv"
	Run     string   // -test.run
	Skip    string   // -test.skip; empty: nothing
	Flags   []string // others
	// Limit ends a run that hangs. It should be many times what the check
	// needs on a busy machine.
	Limit time.Duration
}

// finding is how a run of a check ended.
type finding struct {
	failed  bool
	hung    bool   // it was ended by the limit; failed is true as well
	ran     bool   // at least one test was begun
	test    string // the first that failed; empty if none is to blame
	details string // the first lines of what it said
}

// run runs the check, and adds to cpu what that took. Its error says that there
// is no finding.
func (c *Check) run(ctx context.Context, w workplace, cpu *time.Duration) (finding, error) {
	args := []string{"-test.v", "-test.failfast", "-test.count=1", "-test.run=" + c.Run, "-test.timeout=" + c.Limit.String()}
	if c.Skip != "" {
		args = append(args, "-test.skip="+c.Skip)
	}
	var out testOutput
	// The test binary ends itself at its limit, and says what hung. One that
	// cannot do even that is killed.
	code, err := execute(ctx, command{
		dir: w.dir, name: w.binary, args: append(args, c.Flags...), out: &out, limit: c.Limit + killDelay, cpu: cpu,
		env: []string{"TMPDIR=" + w.dir, "GOTRACEBACK=single"},
	})
	if err != nil {
		return finding{}, fmt.Errorf("running the check %s: %w", c.Name, err)
	}
	f := out.finding()
	f.failed = code != 0
	f.hung = f.failed && f.hung || code == killedAtLimit
	return f, nil
}

// killDelay is how long a test binary has to end after its own limit.
const killDelay = 5 * time.Second
