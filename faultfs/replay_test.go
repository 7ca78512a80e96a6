package faultfs_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// pattern draws which of so many calls a rule strikes.
func pattern(t *testing.T, rule string, calls int) string {
	t.Helper()
	return struck(t, faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(rule)...), calls)
}

// The draws are part of what a seed means: a report from an older version must
// replay on a newer one.
func TestTheDrawsAreFixed(t *testing.T) {
	require.Equal(t, ".....xxx...x.x....x......xxxxx...x.x...xx.......x..x......x.....",
		pattern(t, "stat * p=0.25 EIO", 64))
	require.Equal(t, "x..x...x..x.xx..x........x.x....xx....xxx..xx..x.xx....x...x.x..",
		pattern(t, "stat * p=0.25 seed=7 EIO", 64))
}

func TestChanceDependsOnNothingButSeedAndCall(t *testing.T) {
	alone := pattern(t, "stat * p=0.5 seed=3 EIO", 200)
	require.Equal(t, alone, pattern(t, "stat * p=0.5 seed=3 EIO", 200))
	require.NotEqual(t, alone, pattern(t, "stat * p=0.5 seed=4 EIO", 200))
	require.Equal(t, alone, pattern(t, "stat * p=0.5 seed=3 EIO; stat /nowhere EIO; any * count; stat * p=0.5 seed=3 delay=1ns", 200))
	require.Equal(t, pattern(t, "stat * p=0.5 EIO", 200), pattern(t, "stat * p=0.5 seed=1 EIO", 200))
	require.Equal(t, strings.Repeat("x", 50), pattern(t, "stat * p=1 EIO", 50))

	late := pattern(t, "stat * #101+ p=0.5 seed=3 EIO", 200)
	require.Equal(t, strings.Repeat(".", 100)+alone[100:], late)
	healed := pattern(t, "stat * p=0.5 seed=3 heal=5 EIO", 200)
	require.Equal(t, 5, strings.Count(healed, "x"))
	require.True(t, strings.HasPrefix(alone, strings.TrimRight(healed, ".")))
}

func TestChanceIsAsLargeAsItSays(t *testing.T) {
	for _, p := range []float64{0.01, 0.25, 0.5, 0.9} {
		const calls = 20_000
		rule := faultfs.Rule{Op: faultfs.OpStat, Probability: p, Seed: 11, Err: syscall.EIO}
		fsys := faultfs.New(afero.NewMemMapFs(), rule)
		got := float64(strings.Count(struck(t, fsys, calls), "x")) / calls
		require.InDelta(t, p, got, 0.015, "the seed is fixed, so this fails always or never")
	}
}

func TestChanceCountsExactlyUnderConcurrency(t *testing.T) {
	const goroutines, calls = 8, 250
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("stat * p=0.3 seed=5 EIO")...)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range calls {
				_, _ = fsys.Stat("/")
			}
		})
	}
	wg.Wait()
	want := pattern(t, "stat * p=0.3 seed=5 EIO", goroutines*calls)
	got := []byte(strings.Repeat(".", goroutines*calls))
	for _, firing := range fsys.Fired().Firings {
		got[firing.Call-1] = 'x'
	}
	require.Equal(t, want, string(got))
}

// replaySeed tells the child process of TestASeedReplaysInAnotherProcess what
// to run.
const replaySeed = "FAULTFS_REPLAY_SEED"

// The same seed gives the same firings, byte for byte, in two processes.
func TestASeedReplaysInAnotherProcess(t *testing.T) {
	if seed := os.Getenv(replaySeed); seed != "" {
		_, err := io.WriteString(os.Stdout, replayMark+replay(t, seed)+replayMark)
		require.NoError(t, err)
		return
	}
	first, second, other := replayInAChild(t, "42"), replayInAChild(t, "42"), replayInAChild(t, "43")
	require.Equal(t, first, second)
	require.NotEqual(t, first, other)
	for _, effect := range []string{"EIO", "short=5", "garbage", "lost", "misdirect=+3", "late", "EINTR"} {
		require.Contains(t, first, effect, "every kind of rule has fired")
	}
	require.Contains(t, first, "content ", "and what the damage left is compared too")
}

const replayMark = "\x1e"

// replayInAChild runs the workload in a process of its own and returns what
// that printed.
func replayInAChild(t *testing.T, seed string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.CommandContext(t.Context(), self, "-test.run", "^TestASeedReplaysInAnotherProcess$", "-test.count=1")
	child.Env = append(os.Environ(), replaySeed+"="+seed)
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	parts := strings.Split(string(out), replayMark)
	require.Len(t, parts, 3, "%s", out)
	return parts[1]
}

// replay runs a workload under rules of chance, and returns every firing and
// what the files hold in the end.
func replay(t *testing.T, seed string) string {
	t.Helper()
	base := afero.NewMemMapFs()
	// Each rule has a seed of its own, or all would strike the same calls.
	fsys := faultfs.New(base, faultfs.MustParse(strings.ReplaceAll(`
		sync * p=0.1 seed=S1 EIO late;  write *.seg p=0.1 seed=S2 short=5;  write * p=0.2 seed=S3 garbage
		write * #20+ p=0.1 seed=S4 misdirect=+3;  write|sync * p=0.05 seed=S5 lost
		read * p=0.3 seed=S6 zero;  any * p=0.02 seed=S7 EINTR;  any * count`, "seed=S", "seed="+seed))...)
	for i := range 40 {
		f, err := fsys.OpenFile(fmt.Sprintf("/%d.seg", i%4), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			continue
		}
		for j := range 6 {
			_, _ = f.WriteAt([]byte("0123456789"), int64(10*j))
			_ = f.Sync()
			_, _ = f.ReadAt(make([]byte, 4), int64(j))
		}
		_ = f.Close()
	}
	trace := fsys.Fired().String()
	for i := range 4 {
		trace += fmt.Sprintf("content %d %q\n", i, content(t, base, fmt.Sprintf("/%d.seg", i)))
	}
	return trace
}
