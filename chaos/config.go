package chaos

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"
)

// syncAlways is the policy under which nothing acknowledged may be lost.
const syncAlways = "always"

// Config says what a campaign does. Zero means the default given, except where it says otherwise.
type Config struct {
	// Server is the command line that starts the server, to which the campaign adds
	//
	//	--data DIR --addr 127.0.0.1:0 --sync POLICY --log-format json
	//
	// The server must log JSON lines to standard error, with msg "recovering" before it reads what an
	// earlier process left, and msg "serving" with its addr once it accepts connections. Required.
	//
	// FaultKill asks for no more than that of a server. For FaultPower and FaultRules the server must
	// be able to run on a disk that fails on purpose; it is started with, in addition,
	//
	//	--testing --testing-volatile --testing-pending FILE --testing-control
	//
	// and for FaultPower also with --testing-rules RULES. These mean what package testdisk says of
	// its Options: un-synced data lives in the process alone, FILE says what its end would cost, and
	// lines on the standard input inject rules, heal them, or cut the power.
	Server []string
	// Env is added to the environment of the server, as "NAME=value".
	Env []string

	// Faults are what is done to the server, in turns, one in each cycle. FaultKill alone; with a
	// Control, FaultPower alone
	Faults []Fault
	// Control makes the server unsafe, to see whether the campaign sees it: such a campaign ends with
	// the first loss that it finds. "": the server is left as it is
	Control Control

	// Duration is the time for load, kills, recoveries and read-backs. When it is over there has been a
	// last kill; the recovery and read-back after that come on top. 30 s
	Duration time.Duration
	// KillEvery is the mean time under load before a kill; each is drawn from half to one and a half
	// of it. 1.2 s
	KillEvery time.Duration
	// Sync is the server's sync policy: "always", or an interval such as "100ms". An interval allows the
	// server to lose writes, so such a campaign is a control too: it ends with the first loss. "always"
	Sync string

	Writers   int // each with one request in flight. 64
	Readers   int // each with one read in flight; negative means none. 8
	Keys      int // shared out among the writers, so at least as many. 20,000
	ValueSize int // bytes of each value, at least [MinValueBytes]. 128

	// Seed is where all that the campaign draws comes from. 0: one is drawn, and the report names it.
	// With the same seed the same requests, values and kill delays are drawn; how the processes
	// interleave is up to the machine, so two campaigns with one seed are alike but not equal.
	Seed uint64

	// StartTimeout is how long a start may take until the server serves. 60 s
	StartTimeout time.Duration

	// ReportDir receives report.json, the server's logs in logs/, and, when the verdict is fail, the
	// data directory. It is created if need be. "": nothing is written, and on a fail the temporary
	// directory is kept. An earlier report and its logs are replaced, earlier evidence is not.
	ReportDir string
	// TempDir is where the temporary directory is made when there is no ReportDir. "": [os.TempDir].
	TempDir string

	// Progress receives a line that is redrawn while the campaign runs; nil for silence.
	Progress io.Writer

	// resumeWithin is how long after a fault has healed the server may take until it acknowledges a
	// write again, or says that it is fenced. 5 s
	resumeWithin time.Duration
}

// withDefaults returns c with the defaults filled in, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	orDefault(&c.Duration, 30*time.Second)
	orDefault(&c.KillEvery, 1200*time.Millisecond)
	orDefault(&c.StartTimeout, time.Minute)
	orDefault(&c.resumeWithin, 5*time.Second)
	orDefault(&c.Sync, syncAlways)
	if len(c.Faults) == 0 {
		c.Faults = []Fault{{Kind: FaultKill}}
		if c.Control != "" {
			c.Faults = []Fault{{Kind: FaultPower}}
		}
	}
	orDefault(&c.Writers, 64)
	orDefault(&c.Readers, 8)
	orDefault(&c.Keys, 20_000)
	orDefault(&c.ValueSize, 128)
	for c.Seed == 0 {
		c.Seed = uint64(rand.Uint32()) // short enough to be typed, and exact in every JSON reader
	}
	c.Readers = max(c.Readers, 0)
	return c, c.check()
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) check() error {
	const maxValueBytes = 1 << 20 // so that a batch stays far from the limit of a frame
	switch {
	case len(c.Server) == 0 || c.Server[0] == "":
		return errors.New("no server command")
	case c.Duration < 0 || c.KillEvery < 0 || c.StartTimeout < 0:
		return errors.New("a duration is negative")
	case c.Writers < 0 || c.Keys < 0:
		return errors.New("a count is negative")
	case c.Keys < c.Writers:
		return fmt.Errorf("%d keys are too few for %d writers, each has keys of its own", c.Keys, c.Writers)
	case c.Keys > math.MaxInt32:
		return fmt.Errorf("%d keys are too many", c.Keys)
	case c.ValueSize < MinValueBytes || c.ValueSize > maxValueBytes:
		return fmt.Errorf("values of %d bytes: must be %d to %d", c.ValueSize, MinValueBytes, maxValueBytes)
	}
	for _, f := range c.Faults {
		if err := f.check(); err != nil {
			return err
		}
	}
	return errors.Join(c.Control.Check(c.Faults), checkSync(c.Sync))
}

// mayLose reports whether the server is told to run in a way that loses acknowledged writes, so that
// the campaign is over once it has seen that.
func (c *Config) mayLose() bool { return c.Control != "" || c.Sync != syncAlways }

func checkSync(policy string) error {
	if policy == syncAlways {
		return nil
	}
	if d, err := time.ParseDuration(policy); err != nil || d <= 0 {
		return fmt.Errorf("sync policy %q: must be \"always\" or an interval such as \"100ms\"", policy)
	}
	return nil
}

func (c *Config) info() ConfigInfo {
	return ConfigInfo{
		Server: c.Server, Writers: c.Writers, Readers: c.Readers, Keys: c.Keys,
		ValueBytes: c.ValueSize, DurationMillis: c.Duration.Milliseconds(),
		KillEveryMillis: c.KillEvery.Milliseconds(),
	}
}
