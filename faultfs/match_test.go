package faultfs_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// struck calls Stat so many times and draws what happened: "x" for a struck
// call, "." for one that passed.
func struck(t *testing.T, fsys afero.Fs, calls int) string {
	t.Helper()
	var b strings.Builder
	for range calls {
		_, err := fsys.Stat("/")
		if err == nil {
			b.WriteByte('.')
			continue
		}
		require.ErrorIs(t, err, syscall.EIO)
		b.WriteByte('x')
	}
	return b.String()
}

func TestOccurrences(t *testing.T) {
	for text, want := range map[string]string{
		"stat * EIO":                      "xxxxxxxx",
		"stat * #1 EIO":                   "x.......",
		"stat * #3 EIO":                   "..x.....",
		"stat * #3+ EIO":                  "..xxxxxx",
		"stat * heal=2 EIO":               "xx......",
		"stat * #3+ heal=2 EIO":           "..xx....",
		"stat * #2 EIO; stat * #5 EIO":    ".x..x...",
		"stat * #2 EIO; stat * #2+ EIO":   ".xxxxxxx",
		"sync * EIO":                      "........",
		"sync|stat * #8 EIO":              ".......x",
		"any * #4 EIO":                    "...x....",
		"stat elsewhere EIO; write * EIO": "........",
	} {
		fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(text)...)
		require.Equal(t, want, struck(t, fsys, 8), text)
	}
}

func TestTheFirstRuleInjectedStrikesAndTheOtherHasNotFired(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("stat * #2 EIO; stat * #2 EROFS")...)
	require.Equal(t, ".x.", struck(t, fsys, 3))
	require.Equal(t, faultfs.MustParse("stat * #2 EROFS"), fsys.Unfired())
}

func TestRulesCountFromTheirInjection(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	require.Equal(t, "...", struck(t, fsys, 3))
	inj := fsys.Inject(faultfs.MustParse("stat * #2+ EIO")[0])
	require.Equal(t, ".xx", struck(t, fsys, 3))
	require.Equal(t, 3, inj.Calls())
	require.Equal(t, 2, inj.Fired())

	inj.Remove()
	inj.Remove()
	require.Equal(t, "...", struck(t, fsys, 3))
	require.Equal(t, 3, inj.Calls())
	require.Equal(t, "stat * #2+ EIO", inj.Rule().String())
	require.Empty(t, fsys.Unfired())
}

func TestRemovingOneRuleLeavesTheOthers(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	rules := faultfs.MustParse("stat * #2 EIO; stat * #3 EIO; stat * #4 EIO")
	fsys.Inject(rules[0])
	middle := fsys.Inject(rules[1])
	fsys.Inject(rules[2])
	middle.Remove()
	require.Equal(t, ".x.x", struck(t, fsys, 4))
	require.Equal(t, rules[1:2], fsys.Unfired(), "a rule that was removed too early is reported too")
}

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"*.seg", "/a/b/1.seg", true},
		{"*.seg", "1.seg", true},
		{"*.seg", "/a/b.seg/1.tmp", false},
		{"b/*.seg", "/a/b/1.seg", true},
		{"b/*.seg", "b/1.seg", true},
		{"b/*.seg", "1.seg", false},
		{"b/*.seg", "/b/c/1.seg", false},
		{"a/*/1.seg", "/x/a/b/1.seg", true},
		{"/a/*/1.seg", "/a/b/1.seg", true},
		{"/a/*/1.seg", "/x/a/b/1.seg", false},
		{"/*", "/a", true},
		{"/*", "/a/b", false},
		{"/", "/", true},
		{".", ".", true},
		{"MANIFEST", "/a//b/../MANIFEST", true},
		{"[0-9].seg", "/a/7.seg", true},
		{"/MANIFEST", "/a/../MANIFEST", true},
		{`\*`, "/a/*", true},
		{`\*`, "/a/b", false},
	} {
		fsys := faultfs.New(afero.NewMemMapFs())
		inj := fsys.Inject(faultfs.Rule{Op: faultfs.OpStat, Path: c.glob, Err: syscall.EIO})
		_, _ = fsys.Stat(c.name)
		require.Equal(t, c.want, inj.Fired() == 1, "%s on %s", c.glob, c.name)
	}
}

func TestRenameIsMatchedByEitherNameAndCountedOnce(t *testing.T) {
	base := afero.NewMemMapFs()
	fsys := faultfs.New(base)
	for _, glob := range []string{"old", "new", "*"} {
		require.NoError(t, afero.WriteFile(base, "/old", nil, 0o644))
		inj := fsys.Inject(faultfs.Rule{Op: faultfs.OpRename, Path: glob, N: 2, Err: syscall.EIO})
		require.NoError(t, fsys.Rename("/old", "/new"))
		require.Equal(t, 1, inj.Calls(), glob)
		inj.Remove()
	}
}

func TestCountsAreExactUnderConcurrency(t *testing.T) {
	const goroutines, calls = 16, 500
	fsys := faultfs.New(afero.NewMemMapFs())
	once := fsys.Inject(faultfs.MustParse("stat * #4321 EIO")[0])
	window := fsys.Inject(faultfs.MustParse("stat * #1000+ heal=77 EROFS")[0])
	nothing := fsys.Inject(faultfs.MustParse("stat * #8001+ EIO")[0])

	failed := make([]int, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for range calls {
				if _, err := fsys.Stat("/"); err != nil {
					failed[g]++
				}
			}
		})
	}
	wg.Wait()

	total := 0
	for _, n := range failed {
		total += n
	}
	require.Equal(t, 78, total)
	require.Equal(t, 1, once.Fired())
	require.Equal(t, 77, window.Fired())
	require.Zero(t, nothing.Fired())
	for _, inj := range []*faultfs.Injection{once, window, nothing} {
		require.Equal(t, goroutines*calls, inj.Calls())
	}
	trace := fsys.Fired()
	require.Len(t, trace.Firings, 78)
	for at, firing := range trace.Firings[:77] {
		require.Equal(t, 1000+at, firing.Call, "the trace is in the order in which the calls were counted")
	}
	require.Equal(t, 4321, trace.Firings[77].Call)
}

func TestTracePrintsRuleCallAndPath(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(`stat * #2 EIO; mkdir "a b" EROFS`)...)
	_, _ = fsys.Stat("/x")
	_, _ = fsys.Stat("/y")
	_ = fsys.Mkdir("/dir/a b", 0o755)
	require.Equal(t, "stat * #2 EIO: call 2: stat /y\n"+
		`mkdir "a b" EROFS: call 1: mkdir "/dir/a b"`+"\n", fsys.Fired().String())
}

func TestTwoSingleThreadedRunsLeaveTheSameTrace(t *testing.T) {
	run := func() string {
		fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(
			"write *.seg #2+ heal=3 tear=2 EIO; sync * #2 EIO; any * #9 EINTR; write * quota=20")...)
		for i := range 4 {
			f, err := fsys.Create(fmt.Sprintf("/%d.seg", i))
			if err != nil {
				continue
			}
			for range 4 {
				_, _ = f.Write([]byte("123456"))
				_ = f.Sync()
			}
			_ = f.Close()
		}
		return fsys.Fired().String()
	}
	first := run()
	require.Equal(t, first, run())
	for _, rule := range []string{"tear=2", "sync *", "any *", "quota=20"} {
		require.Contains(t, first, rule)
	}
}

func TestTraceIsBoundedAndSaysSo(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("stat * EIO")...)
	for range 10_002 {
		_, _ = fsys.Stat("/")
	}
	trace := fsys.Fired()
	require.Len(t, trace.Firings, 10_000)
	require.Equal(t, 2, trace.Dropped)
	require.True(t, strings.HasSuffix(trace.String(), "and 2 more\n"))
}

// failures is a TB that keeps what it is told.
type failures []string

func (*failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func TestCheckFiredFailsTheTestOfARuleThatNeverFired(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("stat * #1 EIO; stat * #3 EIO; write * quota=1")...)
	struck(t, fsys, 2)
	var told failures
	fsys.CheckFired(&told)
	require.Equal(t, failures{
		`faultfs: rule "stat * #3 EIO" never fired: it saw 2 matching calls`,
		`faultfs: rule "write * quota=1" never fired: it saw 0 matching calls`,
	}, told)
	require.Equal(t, faultfs.MustParse("stat * #3 EIO; write * quota=1"), fsys.Unfired())
}

func TestACountingRuleStrikesNothingAndHasFiredOnceItMatched(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	stats := fsys.Inject(faultfs.MustParse("stat * count")[0])
	require.Equal(t, faultfs.MustParse("stat * count"), fsys.Unfired())
	var told failures
	fsys.CheckFired(&told)
	require.Equal(t, failures{`faultfs: rule "stat * count" never fired: it saw 0 matching calls`}, told)

	require.Equal(t, "...", struck(t, fsys, 3))
	require.Equal(t, 3, stats.Calls())
	require.Equal(t, 3, stats.Fired())
	require.Empty(t, fsys.Unfired())
	fsys.CheckFired(t)
	require.Empty(t, fsys.Fired().Firings, "what strikes nothing leaves no trace")
}

func TestNameNamesTheBase(t *testing.T) {
	require.Equal(t, "faultfs(MemMapFS)", faultfs.New(afero.NewMemMapFs()).Name())
}
