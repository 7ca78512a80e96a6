package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/alecthomas/kong"
	"github.com/spf13/afero"
	"golang.org/x/term"
)

// Env is all that a command may touch of the world around it, the network and the processes that a
// campaign starts excepted.
type Env struct {
	Args    []string // without the name of the program
	Environ []string // "NAME=value", as os.Environ returns it; of two the later wins
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	// FS holds what a command reads or writes on disk itself: configuration, values, data. A campaign's
	// working files and report are on the real disk, where the server that it starts can reach them.
	FS afero.Fs

	// IsTerminal reports whether somebody looks at a stream. nil: the operating system is asked.
	IsTerminal func(stream any) bool
}

// grammar is the command line. The names of its fields are the names of commands and flags.
type grammar struct {
	Config string `placeholder:"FILE" help:"JSON file with settings: the names of flags, without dashes in front, as keys. Flags and HOLDFAST_* variables beat it."`

	Serve serveCmd `cmd:"" group:"server" help:"Serve a directory of data on the network."`

	Set     setCmd     `cmd:"" group:"client" help:"Store a value under a key. OK means that it is on disk."`
	Get     getCmd     `cmd:"" group:"client" help:"Print the value of a key."`
	Delete  deleteCmd  `cmd:"" group:"client" help:"Remove a key."`
	Exists  existsCmd  `cmd:"" group:"client" help:"Say whether a key is there."`
	Keys    keysCmd    `cmd:"" group:"client" help:"List keys in order."`
	BulkSet bulkSetCmd `cmd:"" group:"client" help:"Store many pairs from JSON, all of them or none."`

	Check checkCmd `cmd:"" group:"data" help:"Read a store that is not in use, and say what in it is damaged."`

	Chaos   chaosCmd   `cmd:"" group:"proof" help:"Kill a server under load, again and again, and check that nothing acknowledged is lost."`
	Explore exploreCmd `cmd:"" group:"proof" help:"Crash a store in memory in every legal way, and hold what it says against what it promised."`
	Bench   benchCmd   `cmd:"" group:"proof" help:"Measure a server, or the storage engine."`

	Version versionCmd `cmd:"" group:"other" help:"Print the version of this program and of its protocol."`
}

const description = `A key-value server for people who need OK to mean on disk, and a harness that proves it.

Try it:

  holdfast serve --data ./data        (in one terminal)
  holdfast set greeting hello         (in another)
  holdfast get greeting
  holdfast chaos                      (proves that OK is kept)

Exit codes:

  0  ok                      5  outcome of a write unknown
  1  failure or not found    6  damage or acknowledged loss found
  2  usage                   7  data directory locked
  3  cannot connect          8  storage fenced
  4  reserved                9  format too new`

// Run executes one command line and returns its exit code. It ends early, in good order, once ctx is
// done; for a server that is how it is told to drain and stop.
func Run(ctx context.Context, env Env) int {
	if env.IsTerminal == nil {
		env.IsTerminal = isTerminal
	}
	err := run(ctx, &env)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	fmt.Fprintf(env.Stderr, "holdfast: %v\n", err)
	if hint := hints[code]; hint != "" {
		fmt.Fprintf(env.Stderr, "%s\n", hint)
	}
	return code
}

func run(ctx context.Context, env *Env) error {
	command, err := parse(ctx, env, &grammar{})
	if err != nil || command == nil {
		return err
	}
	return command.Run()
}

// helpShown is what kong's wish to exit, after it has printed help, is turned into.
type helpShown struct{}

// parse fills in g and returns the command that env asks for, ready to run; nil when all it asked for
// was help.
func parse(ctx context.Context, env *Env, g *grammar) (command *kong.Context, err error) {
	parser, err := kong.New(g,
		kong.Name("holdfast"),
		kong.Description(description),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(int) { panic(helpShown{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100, NoAppDescFormat: true}),
		kong.ValueFormatter(helpWithVariable),
		kong.KindMapper(reflect.String, kong.MapperFunc(exactString)),
		kong.ExplicitGroups([]kong.Group{
			{Key: "server", Title: "Run a server:"},
			{Key: "client", Title: "Talk to a server:"},
			{Key: "data", Title: "Look after data:"},
			{Key: "proof", Title: "Prove and measure:"},
			{Key: "other", Title: "Other:"},
			{Key: "testing", Title: "For tests only, on the command line only:"},
		}),
		kong.WithBeforeResolve(func(k *kong.Context) error { return addSettings(k, env) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(env),
	)
	if err != nil {
		return nil, fmt.Errorf("building the command line: %w", err)
	}
	defer func() {
		if p := recover(); p != nil && p != (any)(helpShown{}) {
			panic(p)
		}
	}()
	command, err = parser.Parse(env.Args)
	if err != nil {
		return nil, usageError{err}
	}
	return command, nil
}

// isTerminal asks the operating system.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// helpWithVariable adds to the help of a flag the environment variable that it can be given by.
func helpWithVariable(v *kong.Value) string {
	if v.Flag == nil || v.Name == "help" || onCommandLineOnly(v.Flag) {
		return v.Help
	}
	return v.Help + " ($" + variable(v.Flag.Name) + ")"
}
