package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/schollz/progressbar/v3"

	"holdfast/faultfs"
	"holdfast/kv"
	"holdfast/kv/kvtest"
)

type exploreCmd struct {
	States   uint64        `help:"Stop after about so many states; 0: go on until --duration is over."`
	Duration time.Duration `default:"5m" help:"How long to go on."`
	Seed     uint64        `help:"Where the random plans, and the samples of states, come from; 0: a new one, which is printed."`
	Profile  string        `default:"weak" placeholder:"NAME" help:"What the file system promises about the order of changes that nobody synced: weak (nothing), ext4, xfs or btrfs."`
	Length   int           `default:"3" help:"Every plan of up to so many words is explored, the short ones first; then random longer ones."`
	Sync     kv.SyncPolicy `default:"always" help:"Sync policy of the store. With an interval, of any length, what a crash may take is judged as the policy has it."`
	Replay   string        `placeholder:"ID" help:"Explore nothing, and make one crash happen again, from the line that a violation has."`
	JSON     bool          `help:"Print the report as JSON."`
}

// maxViolations is how many violations of different kinds are looked for: each
// takes some seconds to be made small.
const maxViolations = 8

// gcPercent lets the heap grow more than usual between two collections. Each
// state leaves a small disk and a small store behind, and little else is alive:
// for some hundred megabytes of memory there are nearly twice as many states a
// second.
const gcPercent = 400

// Help is shown below the summary.
func (exploreCmd) Help() string {
	return "Runs a store in memory through plans of writes, crashes it after every call of each plan, starts it again on the contents that " +
		"the disk may legally have then, crashes that again, and holds all that the store says against what it had promised. " +
		"No process, no disk and no privileges are needed, and every crash can be made to happen again.\n\n" +
		"Exits 0 if every promise was kept, 6 if one was broken, and 1 if too little happened to tell. A violation is shown with its reason, " +
		"the shortest plan that leads to it, what each crash dropped and left, the file systems on which it can happen, and the line for --replay."
}

// Run explores, or replays one crash.
func (cmd *exploreCmd) Run(ctx context.Context, env *Env) error {
	if cmd.Replay != "" {
		return cmd.replay(env)
	}
	subject, o, err := cmd.options()
	if err != nil {
		return err
	}
	if env.IsTerminal(env.Stderr) {
		quiet := cmd.showProgress(env, &o)
		defer quiet()
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	within, cancel := context.WithTimeout(ctx, cmd.Duration)
	defer cancel()
	r, err := faultfs.Explore(within, kvtest.Subject(subject), o)
	if err != nil {
		return fmt.Errorf("exploring: %w", err)
	}
	return cmd.conclude(env, newExploreReport(r, subject, cmd.Length))
}

// options checks the flags.
func (cmd *exploreCmd) options() (subject kvtest.Options, o faultfs.ExploreOptions, err error) {
	profile, err := faultfs.ParseProfile(cmd.Profile)
	if err != nil {
		return subject, o, usageError{fmt.Errorf("--profile: %w", err)}
	}
	const longest = 6 // 12 words make 3 million plans of 6
	switch {
	case cmd.Duration <= 0:
		return subject, o, usageError{fmt.Errorf("--duration must be above zero")}
	case cmd.Length < 0 || cmd.Length > longest:
		return subject, o, usageError{fmt.Errorf("--length is %d, must be 0 to %d", cmd.Length, longest)}
	}
	seed := cmd.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	subject = kvtest.Options{Interval: !cmd.Sync.Always()}
	return subject, faultfs.ExploreOptions{
		Profile: profile, Seed: seed, Plans: kvtest.Plans(subject, cmd.Length, seed), OnlyLast: true,
		MaxStates: cmd.States, MaxViolations: maxViolations,
	}, nil
}

// showProgress draws a line from now on; the function it returns removes it.
func (cmd *exploreCmd) showProgress(env *Env, o *faultfs.ExploreOptions) (quiet func()) {
	bar := progressbar.NewOptions64(cmd.Duration.Milliseconds(),
		progressbar.OptionSetWriter(env.Stderr),
		progressbar.OptionSetWidth(10),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
	)
	o.Progress = func(r faultfs.Exploration) {
		// A line that cannot be drawn is no reason to end: errors are dropped.
		bar.Describe(progressLine(r, cmd.Duration))
		_ = bar.Set64(min(r.Elapsed.Milliseconds(), cmd.Duration.Milliseconds()-1))
	}
	return func() { _ = bar.Finish() }
}

func progressLine(r faultfs.Exploration, duration time.Duration) string {
	return fmt.Sprintf("%s plans, %s states, %s/s, %d violations, %.0f s left",
		grouped(r.Plans), grouped(r.Visited), grouped(uint64(r.StatesPerSecond())), len(r.Violations),
		max(duration-r.Elapsed, 0).Seconds())
}

// conclude prints a report, and makes the error of the command of it.
func (cmd *exploreCmd) conclude(env *Env, r *exploreReport) error {
	if err := printReport(env.Stdout, r, cmd.JSON); err != nil {
		return err
	}
	return r.err()
}

// replay makes one crash happen again.
func (cmd *exploreCmd) replay(env *Env) error {
	subject, err := kvtest.OptionsFor(cmd.Replay)
	if err != nil {
		return usageError{fmt.Errorf("--replay: %w", err)}
	}
	v, err := faultfs.Replay(kvtest.Subject(subject), cmd.Replay)
	if err != nil {
		return usageError{fmt.Errorf("--replay: %w", err)}
	}
	return cmd.conclude(env, newReplayReport(v))
}
