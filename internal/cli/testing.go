package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/afero"

	"holdfast/faultfs"
	"holdfast/internal/testdisk"
)

// testingPrefix begins the names of flags that are for tests only. They count on the command line
// and nowhere else: no variable left over in an environment, and no configuration file that found its
// way to another machine, may make a server lose data.
const testingPrefix = "testing"

func isTestingFlag(name string) bool {
	return name == testingPrefix || strings.HasPrefix(name, testingPrefix+"-")
}

// testingFlags put a disk that fails on purpose under a server. What each does is in package testdisk.
type testingFlags struct {
	Testing         bool   `group:"testing" help:"Allow the flags below."`
	TestingVolatile bool   `group:"testing" help:"Keep in memory what is not synced: killing the server is a power cut."`
	TestingRules    string `group:"testing" placeholder:"RULES" help:"Faults of the disk from the start, such as 'sync *.seg #3 EIO'; see go doc holdfast/faultfs."`
	TestingPending  string `group:"testing" placeholder:"FILE" help:"Say there at any time what a power cut would cost. Needs --testing-volatile."`
	TestingControl  bool   `group:"testing" help:"Take commands on the standard input: inject RULES, heal, cut SEED KEEP."`
}

// asked lists the flags given that make data get lost.
func (t *testingFlags) asked() (names []string) {
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"--testing-volatile", t.TestingVolatile},
		{"--testing-rules", t.TestingRules != ""},
		{"--testing-pending", t.TestingPending != ""},
		{"--testing-control", t.TestingControl},
	} {
		if f.given {
			names = append(names, f.name)
		}
	}
	return names
}

// check refuses them unless they were allowed.
func (t *testingFlags) check() error {
	if names := t.asked(); len(names) > 0 && !t.Testing {
		return usageError{fmt.Errorf("this server would lose data on purpose, for tests: give --testing too if you mean %s",
			strings.Join(names, ", "))}
	}
	return nil
}

// disk returns the file system that the server is to run on: fsys itself unless faults were asked
// for. The function gives back what is behind it, once
// the server has ended; why is its error.
func (t *testingFlags) disk(env *Env, warn *slog.Logger) (fsys afero.Fs, closeDisk func(why error) error, err error) {
	if len(t.asked()) == 0 {
		return env.FS, func(error) error { return nil }, nil
	}
	rules, err := faultfs.ParseRules(t.TestingRules)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--testing-rules: %w", err)}
	}
	warn.Warn("TESTING: data will be lost on purpose", "flags", t.asked(), "rules", t.TestingRules)
	d, err := testdisk.Open(env.FS, testdisk.Options{
		Volatile: t.TestingVolatile, Rules: rules, PendingFile: t.TestingPending, Log: env.Stderr,
	})
	switch {
	case errors.Is(err, testdisk.ErrOptions):
		return nil, nil, usageError{err}
	case err != nil:
		return nil, nil, err
	}
	if t.TestingControl {
		// It ends with the input or with the process: a read of the standard input cannot be ended.
		go d.Control(stdin(env))
	}
	return d.FS(), d.Close, nil
}

// stdin is the input of env, which tests may leave out.
func stdin(env *Env) io.Reader {
	if env.Stdin == nil {
		return strings.NewReader("")
	}
	return env.Stdin
}
