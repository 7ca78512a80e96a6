package chaos

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/kv"
	"holdfast/server"
)

func realServerMain(args []string) error {
	flags := flag.NewFlagSet("real", flag.ContinueOnError)
	dir := flags.String("data", "", "")
	addr := flags.String("addr", "", "")
	policy := flags.String("sync", "", "")
	flags.String("log-format", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	sync, err := kv.ParseSyncPolicy(*policy)
	if err != nil {
		return err
	}
	return server.Run(context.Background(), afero.NewOsFs(), server.RunConfig{
		Addr: *addr, Dir: *dir, KV: kv.Options{Sync: sync},
		Server: server.Config{Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil))},
	})
}

// realConfig is a short campaign against the real server.
func realConfig(t *testing.T) Config {
	return Config{
		Server: []string{os.Args[0]}, Env: []string{roleVar + "=real"}, TempDir: t.TempDir(),
		Duration: 2 * time.Second, KillEvery: 300 * time.Millisecond, Keys: 4000,
	}
}

func TestRealServerKeepsItsPromise(t *testing.T) {
	r := campaignUntil(t, realConfig(t), func(r *Report) bool {
		require.NotEqual(t, Fail, r.Verdict, "seed %d: %s", r.Seed, r.Reason)
		return isPass(r)
	})
	require.Equal(t, 1.0, r.Durability.Rate, "seed %d", r.Seed)
}

// The control: a server that acknowledges before it syncs loses writes, and the campaign sees it.
func TestRealServerOnAnIntervalLosesWrites(t *testing.T) {
	cfg := realConfig(t)
	cfg.Sync = "100ms"
	r := campaignUntil(t, cfg, func(r *Report) bool {
		return r.Durability.Lost > 0 && r.Durability.RolledBack > 0
	})
	require.Equal(t, Fail, r.Verdict)
	require.Nil(t, r.ServerFailure, "seed %d", r.Seed)
}
