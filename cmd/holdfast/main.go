// Command holdfast is a key-value server, its client, and the harness that proves that the server
// loses nothing that it said OK to. Run "holdfast --help".
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/afero"

	"holdfast/internal/cli"
)

func main() { os.Exit(run()) }

// run is main with an exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal is not waited for
	return cli.Run(ctx, cli.Env{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		FS:      afero.NewOsFs(),
	})
}
