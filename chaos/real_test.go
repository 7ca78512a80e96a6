package chaos

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/testdisk"
	"holdfast/kv"
	"holdfast/server"
)

func realServerMain(args []string) error {
	flags := flag.NewFlagSet("real", flag.ContinueOnError)
	dir := flags.String("data", "", "")
	addr := flags.String("addr", "", "")
	policy := flags.String("sync", "", "")
	flags.String("log-format", "", "")
	var disk fakeDisk // for its flags
	disk.flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	sync, err := kv.ParseSyncPolicy(*policy)
	if err != nil {
		return err
	}
	fsys, closeDisk, err := realDisk(&disk)
	if err != nil {
		return err
	}
	err = server.Run(context.Background(), fsys, server.RunConfig{
		Addr: *addr, Dir: *dir, KV: kv.Options{Sync: sync},
		Server: server.Config{Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil))},
	})
	return errors.Join(err, closeDisk(err))
}

// realDisk does what "holdfast serve" does with the flags for tests.
func realDisk(flags *fakeDisk) (fsys afero.Fs, closeDisk func(error) error, err error) {
	if !flags.volatile {
		return afero.NewOsFs(), func(error) error { return nil }, nil
	}
	rules, err := faultfs.ParseRules(flags.rules)
	if err != nil {
		return nil, nil, err
	}
	d, err := testdisk.Open(afero.NewOsFs(), testdisk.Options{
		Volatile: true, Rules: rules, PendingFile: flags.record, Log: os.Stderr,
	})
	if err != nil {
		return nil, nil, err
	}
	go d.Control(os.Stdin)
	return d.FS(), d.Close, nil
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
		require.NotEqual(t, Fail, r.Verdict, "%s", reportText(t, r))
		return isPass(r)
	})
	require.Equal(t, 1.0, r.Durability.Rate, "seed %d", r.Seed)
}

// The control: a server that acknowledges before it syncs loses writes, and the campaign sees it.
func TestRealServerOnAnIntervalLosesWrites(t *testing.T) {
	cfg := realConfig(t)
	cfg.Sync = "100ms"
	r := campaignUntil(t, cfg, func(r *Report) bool {
		return r.Durability.Lost+r.Durability.RolledBack > 0
	})
	require.Equal(t, Fail, r.Verdict)
	require.Nil(t, r.ServerFailure, "seed %d", r.Seed)
	last := r.Violations[len(r.Violations)-1]
	require.Equal(t, r.Violations[0].Cycle, last.Cycle, "it ends with the first loss")
}

func TestRealServerSurvivesPowerCuts(t *testing.T) {
	t.Parallel()
	cfg := realConfig(t)
	cfg.Faults = []Fault{{Kind: FaultPower}}
	r := campaignUntil(t, cfg, func(r *Report) bool {
		require.NotEqual(t, Fail, r.Verdict, "%s", reportText(t, r))
		return isPass(r)
	})
	require.Positive(t, r.Power.DroppingBytes, "seed %d", r.Seed)
}

// The controls: on a disk that ignores syncs the campaign sees the loss, or the server the damage.
func TestRealServerOnADiskThatIgnoresSyncs(t *testing.T) {
	t.Parallel()
	for _, control := range []Control{ControlNoSync, ControlNoDirSync} {
		t.Run(string(control), func(t *testing.T) {
			t.Parallel()
			cfg := realConfig(t)
			cfg.Control = control
			r := campaignUntil(t, cfg, isFail)
			require.Contains(t, r.Reason, "bites", "seed %d", r.Seed)
		})
	}
}

// A full disk, and one that fails a sync: the server survives the one and is freed from the other by a
// restart.
func TestRealServerSurvivesDiskFaults(t *testing.T) {
	for rules, resumed := range map[string]func(*RulesReport) int{
		"write *.seg ENOSPC": func(r *RulesReport) int { return r.ResumedByItself },
		"sync * #3 EIO":      func(r *RulesReport) int { return r.ResumedByItself + r.ResumedAfterRestart },
	} {
		t.Run(rules, func(t *testing.T) {
			t.Parallel()
			cfg := realConfig(t)
			cfg.Faults, cfg.KillEvery = []Fault{{FaultRules, rules}}, 2*cfg.KillEvery
			r := campaignUntil(t, cfg, func(r *Report) bool {
				require.NotEqual(t, Fail, r.Verdict, "%s", reportText(t, r))
				return isPass(r)
			})
			require.Positive(t, resumed(r.Faults[0].Rules), "seed %d", r.Seed)
		})
	}
}
