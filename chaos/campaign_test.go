package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeConfig is a small, quick campaign against the fake server, which tells the lie given.
func fakeConfig(t *testing.T, lie string) Config {
	return Config{
		Server: []string{os.Args[0]}, Env: []string{roleVar + "=fake", lieVar + "=" + lie},
		Duration: 600 * time.Millisecond, KillEvery: 150 * time.Millisecond,
		Writers: 16, Readers: 2, Keys: 2000, ValueSize: 64, Seed: 20, TempDir: t.TempDir(),
	}
}

func runCampaign(t *testing.T, cfg Config) *Report {
	t.Helper()
	r, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	t.Logf("verdict %s: %s", r.Verdict, r.Reason)
	requireSums(t, r)
	return r
}

// campaignUntil runs campaigns, each with twice the load of the one before, until one of them shows
// what is looked for. On a busy machine the first may be too short to show anything; what a report
// claims holds at any length.
func campaignUntil(t *testing.T, cfg Config, shows func(*Report) bool) *Report {
	t.Helper()
	for {
		r := runCampaign(t, cfg)
		if shows(r) {
			return r
		}
		require.Less(t, cfg.Duration, 10*time.Second, "%+v %+v", r.Durability, r.Online)
		cfg.Duration, cfg.KillEvery = 2*cfg.Duration, 2*cfg.KillEvery
	}
}

func isPass(r *Report) bool { return r.Verdict == Pass }

func isFail(r *Report) bool { return r.Verdict == Fail }

// requireSums checks what must hold for the figures of every report.
func requireSums(t *testing.T, r *Report) {
	t.Helper()
	d := r.Durability
	require.Equal(t, d.Checked, d.Stable+d.Lost+d.RolledBack+d.Resurrected+d.Torn+d.Phantom)
	require.Equal(t, r.Writes.Issued, r.Writes.OK+r.Writes.Failed+r.Writes.Unknown)
	require.LessOrEqual(t, r.Writes.Requests, r.Writes.Issued)
	rounds := r.Cycles
	for _, f := range r.Faults {
		if f.Rules != nil {
			rounds += f.Rules.ResumedAfterRestart
		}
	}
	require.LessOrEqual(t, r.KillsMidWrite, rounds+1, "one more when the last restart fails")
}

func TestHonestServerPasses(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "")
	cfg.Duration = 1200 * time.Millisecond
	r := campaignUntil(t, cfg, isPass)

	require.Equal(t, 1.0, r.Durability.Rate)
	require.Zero(t, r.Durability.Unaccounted())
	require.Zero(t, r.Online.Total())
	require.Empty(t, r.Violations)
	require.Positive(t, r.KillsMidWrite)
	require.Positive(t, r.Writes.OK)
	require.Positive(t, r.Writes.Unknown, "a kill mid-write leaves something unknown")
	require.Positive(t, r.Reads.OK)
	require.Positive(t, r.Throughput.WritesPerSecond)
	require.Positive(t, r.Throughput.ReadsPerSecond)
	require.Positive(t, r.LatencyMicros.Write.P50)
	require.LessOrEqual(t, r.LatencyMicros.Write.P50, r.LatencyMicros.Write.Max)
	require.Positive(t, r.LatencyMicros.Read.Max)
	require.Positive(t, r.RecoveryMillis.P50)
	require.Equal(t, uint64(20), r.Seed)
	requireEmptyDir(t, cfg.TempDir)
}

func TestKillsHitRecovery(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "slow")
	cfg.Duration = 3 * time.Second
	r := campaignUntil(t, cfg, func(r *Report) bool { return isPass(r) && r.KillsDuringRecovery > 0 })
	require.GreaterOrEqual(t, r.RecoveryMillis.P50, 50.0)
}

func TestKillInRecoveryNeedsAServerThatRecovers(t *testing.T) {
	t.Parallel()
	restart := func(lie string, after time.Duration) (*campaign, bool) {
		cfg, err := fakeConfig(t, lie).withDefaults()
		require.NoError(t, err)
		work, err := newWorkspace(&cfg)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(work.dataDir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(work.dataDir, "requests"), nil, 0o644))
		c := newCampaign(cfg, work)
		p, err := c.launch()
		require.NoError(t, err)
		defer c.end(p)
		killed, err := c.killInRecovery(t.Context(), p, after)
		require.NoError(t, err)
		return c, killed
	}
	c, killed := restart("mute", 0)
	require.True(t, killed)
	require.Equal(t, 1, c.report.KillsDuringRecovery)

	for lie, after := range map[string]time.Duration{"": time.Hour, "refuse": time.Hour, "wont-start": 0} {
		c, killed = restart(lie, after)
		require.False(t, killed, "%q serves or ends before the kill", lie)
		require.Zero(t, c.report.KillsDuringRecovery)
	}
}

// Every lie is named by its class, and is enough for a fail.
func TestEveryLieIsCaught(t *testing.T) {
	for lie, seen := range map[string]func(*Report) int64{
		"forget":         func(r *Report) int64 { return r.Durability.Lost },
		"forget-newest":  func(r *Report) int64 { return r.Durability.RolledBack },
		"forget-deletes": func(r *Report) int64 { return r.Durability.Resurrected },
		"tear":           func(r *Report) int64 { return r.Durability.Torn },
		"flip-bits":      func(r *Report) int64 { return r.Durability.Torn },
		"unreadable":     func(r *Report) int64 { return r.Durability.Torn },
		"mix-up-keys":    func(r *Report) int64 { return r.Durability.Phantom },
		"invent":         func(r *Report) int64 { return r.Durability.Phantom },
		"apply-failed":   func(r *Report) int64 { return r.Durability.Phantom },
		"lose-all":       func(r *Report) int64 { return r.Durability.Lost },
		"read-stale":     func(r *Report) int64 { return r.Online.RolledBack + r.Online.Resurrected },
		"deny-deletes":   func(r *Report) int64 { return r.Online.Lost },
	} {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			r := campaignUntil(t, fakeConfig(t, lie), func(r *Report) bool { return seen(r) > 0 })
			require.Equal(t, Fail, r.Verdict, r.Reason)
			require.NotEmpty(t, r.Violations)
			require.Nil(t, r.ServerFailure)
			require.DirExists(t, r.DataDir)
			require.DirExists(t, r.LogDir)
		})
	}
}

// What does not break a class of promise leaves that class alone: the checker does not cry wolf.
func TestOneLieRaisesOneAlarm(t *testing.T) {
	t.Parallel()
	d := campaignUntil(t, fakeConfig(t, "forget-deletes"), isFail).Durability
	require.Equal(t, d.Resurrected, d.Unaccounted(), "%+v", d)
	d = campaignUntil(t, fakeConfig(t, "tear"), isFail).Durability
	require.Equal(t, d.Torn, d.Unaccounted(), "%+v", d)
}

func TestServerThatWillNotServeAgainFails(t *testing.T) {
	for lie, what := range map[string]string{
		"refuse": "the server did not start: it ended with exit status 6",
		"mute":   "the server did not serve within 4s",
		"quit":   "the server ended unasked, with exit status 3",
	} {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			cfg := fakeConfig(t, lie)
			cfg.StartTimeout = 4 * time.Second
			r := campaignUntil(t, cfg, isFail)
			require.NotNil(t, r.ServerFailure)
			require.Equal(t, what, r.ServerFailure.What)
			require.Contains(t, r.Reason, what)
			require.NotEmpty(t, r.ServerFailure.LogTail)
			require.FileExists(t, r.ServerFailure.LogFile)
			require.DirExists(t, r.DataDir)
		})
	}
}

func TestServerWithoutLoadIsInconclusive(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "no-load")
	r := campaignUntil(t, cfg, func(r *Report) bool { return r.Writes.Failed > 0 })
	require.Equal(t, Inconclusive, r.Verdict)
	require.Contains(t, r.Reason, "took no load")
	require.Zero(t, r.Writes.OK)
	require.Zero(t, r.Durability.Checked)
	requireEmptyDir(t, cfg.TempDir)
}

func TestServerThatNeverStartsIsAnError(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "wont-start")
	r, err := Run(t.Context(), cfg)
	require.ErrorContains(t, err, "first start")
	require.ErrorContains(t, err, "no such flag: --data", "the server's own words")
	require.Equal(t, Inconclusive, r.Verdict)
	requireEmptyDir(t, cfg.TempDir)

	cfg.Server = []string{filepath.Join(cfg.TempDir, "not-there")}
	_, err = Run(t.Context(), cfg)
	require.ErrorIs(t, err, os.ErrNotExist)
	requireEmptyDir(t, cfg.TempDir)
}

func TestInterruptedCampaignIsInconclusive(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "")
	cfg.Duration, cfg.KillEvery = time.Minute, time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = writerFunc(func(line []byte) {
		if bytes.Contains(line, []byte("cycle 1,")) {
			cancel()
		}
	})
	r, err := Run(ctx, cfg)
	require.NoError(t, err)
	require.Equal(t, Inconclusive, r.Verdict)
	require.Contains(t, r.Reason, "interrupted")
	requireEmptyDir(t, cfg.TempDir)
}

func TestInterruptedCampaignStillReportsLoss(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "lose-all")
	cfg.Duration = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = writerFunc(func(line []byte) {
		if bytes.Contains(line, []byte("broken")) && !bytes.Contains(line, []byte(" 0 broken")) {
			cancel()
		}
	})
	r, err := Run(ctx, cfg)
	require.NoError(t, err)
	require.Equal(t, Fail, r.Verdict, r.Reason)
	require.Positive(t, r.Durability.Lost)
}

func TestReportDirectory(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "lose-all")
	cfg.ReportDir = filepath.Join(t.TempDir(), "new", "report")
	r := campaignUntil(t, cfg, isFail)
	require.Equal(t, r.Verdict, readReport(t, cfg.ReportDir).Verdict)
	require.Equal(t, filepath.Join(cfg.ReportDir, "data"), r.DataDir)
	require.FileExists(t, filepath.Join(r.DataDir, "requests"))
	logs, err := os.ReadDir(r.LogDir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(logs), r.Cycles+1, "a log for every start")
	stale, foreign := filepath.Join(r.LogDir, "server-9999.log"), filepath.Join(r.LogDir, "notes")
	for _, name := range []string{stale, foreign} {
		require.NoError(t, os.WriteFile(name, nil, 0o644))
	}

	// The next campaign replaces the report and the logs, and leaves the evidence alone.
	cfg.Env, cfg.Duration = []string{roleVar + "=fake"}, 300*time.Millisecond
	again := runCampaign(t, cfg)
	require.NotEqual(t, Fail, again.Verdict, again.Reason)
	require.Equal(t, again.Verdict, readReport(t, cfg.ReportDir).Verdict)
	require.FileExists(t, filepath.Join(r.DataDir, "requests"))
	require.NoDirExists(t, filepath.Join(cfg.ReportDir, "data-2"))
	require.Empty(t, again.DataDir)
	require.NoFileExists(t, stale)
	require.FileExists(t, foreign)
	requireEmptyDir(t, cfg.TempDir)
}

// The report is handed back even if it cannot be stored.
func TestReportThatCannotBeStoredIsAnError(t *testing.T) {
	t.Parallel()
	cfg := fakeConfig(t, "")
	cfg.ReportDir, cfg.Duration = t.TempDir(), 200*time.Millisecond
	require.NoError(t, os.MkdirAll(filepath.Join(cfg.ReportDir, reportFile, "x"), 0o755))
	r, err := Run(t.Context(), cfg)
	require.ErrorContains(t, err, "put the report in place")
	require.Positive(t, r.Cycles)
}

func TestFaultyConfigIsRefused(t *testing.T) {
	good := Config{Server: []string{"server"}}
	for want, spoil := range map[string]func(*Config){
		"no server command":                func(c *Config) { c.Server = nil },
		"a duration is negative":           func(c *Config) { c.KillEvery = -1 },
		"a count is negative":              func(c *Config) { c.Writers = -1 },
		"3 keys are too few for 4 writers": func(c *Config) { c.Keys, c.Writers = 3, 4 },
		"values of 35 bytes":               func(c *Config) { c.ValueSize = MinValueBytes - 1 },
		"values of 2097152 bytes":          func(c *Config) { c.ValueSize = 2 << 20 },
		`sync policy "never"`:              func(c *Config) { c.Sync = "never" },
		`sync policy "0s"`:                 func(c *Config) { c.Sync = "0s" },
		`fault "fire"`:                     func(c *Config) { c.Faults = []Fault{{Kind: "fire"}} },
		`fault "kill" takes no rules`:      func(c *Config) { c.Faults = []Fault{{FaultKill, "sync * EIO"}} },
		"there are no rules":               func(c *Config) { c.Faults = []Fault{{Kind: FaultRules}} },
		"is no operation":                  func(c *Config) { c.Faults = []Fault{{FaultRules, "melt * EIO"}} },
		`control "no-fsck"`:                func(c *Config) { c.Control = "no-fsck" },
		"control no-sync shows only when": func(c *Config) {
			c.Control, c.Faults = ControlNoSync, []Fault{{Kind: FaultPower}, {Kind: FaultKill}}
		},
	} {
		cfg := good
		spoil(&cfg)
		r, err := Run(t.Context(), cfg)
		require.ErrorContains(t, err, want)
		require.Nil(t, r)
	}
}

func TestUnusableDirectoriesAreErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	cfg := fakeConfig(t, "")
	cfg.ReportDir = file
	_, err := Run(t.Context(), cfg)
	require.ErrorContains(t, err, "log directory")
	cfg.ReportDir, cfg.TempDir = "", filepath.Join(file, "below")
	_, err = Run(t.Context(), cfg)
	require.ErrorContains(t, err, "temporary directory")
}

func TestDefaultsAreFilledIn(t *testing.T) {
	cfg, err := Config{Server: []string{"server"}, Readers: -1}.withDefaults()
	require.NoError(t, err)
	require.NotZero(t, cfg.Seed)
	require.Zero(t, cfg.Readers)
	cfg.Seed = 0
	require.Equal(t, Config{
		Server: []string{"server"}, Duration: 30 * time.Second, KillEvery: 1200 * time.Millisecond,
		Sync: "always", Writers: 64, Keys: 20_000, ValueSize: 128, StartTimeout: time.Minute,
		Faults: []Fault{{Kind: FaultKill}}, resumeWithin: 5 * time.Second,
	}, cfg)

	cfg, err = Config{Server: []string{"server"}, Control: ControlNoSync}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, []Fault{{Kind: FaultPower}}, cfg.Faults)
}

func readReport(t *testing.T, dir string) (r Report) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, reportFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &r))
	return r
}

func requireEmptyDir(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
