// Command mutants plants bugs in the engine, one at a time, and says which of
// them the tests catch. It is a tool for this repository, run from anywhere in
// it; go doc holdfast/internal/mutants says what it does.
//
// It exits with 0 when every mutant was caught or is explained as equivalent,
// with 1 when not, and with 2 after a mistake on the command line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"holdfast/internal/mutants"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	case !ok:
		os.Exit(1)
	}
}

// errUsage is returned for a mistake on the command line.
var errUsage = errors.New("usage")

type settings struct {
	only     *regexp.Regexp
	parallel int
	control  bool
	json     bool
	list     bool
}

func parse(args []string, stderr io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("run", "", "try only the mutants whose names match this `regexp`")
	flags.IntVar(&s.parallel, "parallel", 2, "how many mutants to try at a time")
	flags.BoolVar(&s.control, "control", true, "begin with the unchanged source, on which every check must pass")
	flags.BoolVar(&s.json, "json", false, "print a report in JSON instead")
	flags.BoolVar(&s.list, "list", false, "print the mutants and try none")
	if err := flags.Parse(args); err != nil {
		return s, fmt.Errorf("%w: %w", errUsage, err)
	}
	if s.only, err = regexp.Compile(*only); err != nil {
		return s, fmt.Errorf("%w: -run: %w", errUsage, err)
	}
	if flags.NArg() > 0 || s.parallel < 1 {
		return s, fmt.Errorf("%w: no arguments are taken, and -parallel is at least 1", errUsage)
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (ok bool, err error) {
	s, err := parse(args, stderr)
	if err != nil {
		return false, err
	}
	list := slices.DeleteFunc(mutants.Engine(), func(m mutants.Mutant) bool { return !s.only.MatchString(m.Name) })
	if len(list) == 0 {
		return false, fmt.Errorf("%w: -run %q matches no mutant", errUsage, s.only)
	}
	if s.list {
		for _, m := range list {
			fmt.Fprintf(stdout, "%-34s %-20s %s\n", m.Name, m.File, m.Rule)
		}
		return true, nil
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return false, err
	}
	r := &mutants.Runner{Root: root, Package: mutants.EnginePackage, Checks: mutants.EngineChecks(), Parallel: s.parallel}
	if !s.json {
		r.Each = func(result mutants.Result) { _ = result.WriteLine(stdout) }
	}
	if s.control {
		if err := r.RunControl(ctx); err != nil {
			return false, err
		}
		if !s.json {
			fmt.Fprintln(stdout, "the unchanged source passes every check")
		}
	}
	results, err := r.Run(ctx, list)
	report := mutants.NewReport(results)
	if err := errors.Join(err, write(report, s.json, stdout)); err != nil {
		return false, err
	}
	return report.OK(), nil
}

func write(report *mutants.Report, asJSON bool, w io.Writer) error {
	if !asJSON {
		return report.Write(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(report)
}

// moduleRoot finds the directory of the module around the current one.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	file := strings.TrimSpace(string(out))
	if err != nil || filepath.Base(file) != "go.mod" {
		return "", errors.Join(fmt.Errorf("no Go module here: go env GOMOD says %q", file), err)
	}
	return filepath.Dir(file), nil
}
