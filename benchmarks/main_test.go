package benchmarks

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"testing"

	"github.com/spf13/afero"
	"go.uber.org/goleak"

	"holdfast/server"
)

// beServer makes this program a server when it is in the environment: the
// benchmark starts it as it starts the real one. Its value says which one.
const beServer = "BENCHMARKS_TEST_SERVER"

func TestMain(m *testing.M) {
	switch kind := os.Getenv(beServer); kind {
	case "":
		goleak.VerifyTestMain(m)
	case "good":
		os.Exit(serve())
	case "refuses":
		fmt.Fprintln(os.Stderr, "no thanks")
		os.Exit(3)
	case "silent":
		select {}
	case "ends badly":
		_ = serve()
		os.Exit(4)
	default:
		panic(kind)
	}
}

// serve understands what startServer adds to the command line.
func serve() int {
	dir := flag.String("data", "", "")
	addr := flag.String("addr", "", "")
	format := flag.String("log-format", "", "")
	_ = flag.CommandLine.Parse(os.Args[1:]) // it exits on an error
	if *format != "json" {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	err := server.Run(ctx, afero.NewOsFs(), server.RunConfig{Addr: *addr, Dir: *dir, Server: server.Config{Logger: log}})
	if err != nil {
		log.Error(err.Error())
		return 1
	}
	return 0
}
