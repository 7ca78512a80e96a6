package faultfs_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// toyBreak is a store that the explorer must see through.
type toyBreak struct {
	bugs     toyBugs
	plan     string // in which it is to be found
	minimal  string // what shrinking leaves of it
	reason   string
	crashes  int // that it takes
	kill     bool
	profiles []faultfs.Profile
}

var (
	onAll  = faultfs.Profiles()
	onWeak = []faultfs.Profile{faultfs.Weak}
)

var toyBreaks = map[string]toyBreak{
	"NoSync":                {toyBugs{noSync: true}, "roll set big set", "set", "record 1 is lost", 1, false, onAll},
	"NoDirSync":             {toyBugs{noDirSync: true}, "set set roll set", "set", "record 1 is lost", 1, false, onWeak},
	"NoDirSyncOfNewSegment": {toyBugs{noRollSync: true}, "set set roll set set", "roll,set", "record 1 is lost", 1, false, onWeak},
	"FailedSyncIsRetried":   {toyBugs{retrySync: true}, "set big bad roll set", "bad", "record 1 is lost", 1, false, onAll},
	"AcknowledgedBefore":    {toyBugs{ackEarly: true}, "roll set set", "set", "record 1 is lost", 1, false, onAll},
	"TornTailIsNotCut":      {toyBugs{noCut: true}, "set big set", "set", "record 1001 is lost", 2, false, onWeak},
	"ServedFromCache":       {toyBugs{serveUnsynced: true}, "set roll big", "(-|set)", "is lost", 2, true, onWeak},
	"SecondRecoveryLoses":   {toyBugs{secondLoses: true}, "set set roll", "(-|set)", "is lost", 2, false, onAll},
	"RecoveryPanics":        {toyBugs{panics: true}, "set roll set", "set", "panic: 44 bytes too many (in faultfs_test.(*toyStore).load", 1, false, onWeak},
}

func (b toyBreak) violation(t *testing.T) faultfs.Violation {
	t.Helper()
	got := explore(t, toySubject(b.bugs), faultfs.ExploreOptions{Plans: plans(b.plan)})
	require.Len(t, got.Violations, 1)
	return got.Violations[0]
}

func TestExploreFindsBugs(t *testing.T) {
	for name, b := range toyBreaks {
		t.Run(name, func(t *testing.T) {
			v := b.violation(t)
			require.Contains(t, v.Reason, b.reason)
			require.Regexp(t, "^toy/weak/"+b.minimal+"/", v.Replay)
			require.Len(t, v.Crashes, b.crashes)
			require.Equal(t, b.kill, v.Crashes[0].Kill)
			require.Equal(t, b.profiles, v.Profiles)
			changes := 0
			for _, c := range v.Crashes {
				changes += len(c.Calls)
			}
			require.LessOrEqual(t, changes, 6)

			for _, line := range []string{v.Replay, v.Found} {
				again, err := faultfs.Replay(toySubject(b.bugs), line)
				require.NoError(t, err)
				require.NotNil(t, again, line)
			}
			got := explore(t, toySubject(b.bugs), faultfs.ExploreOptions{Plans: plans(b.plan), Nesting: b.crashes - 1})
			if b.crashes > 1 {
				require.Empty(t, got.Violations, "only nested crashes show it")
			}
		})
	}
}

// A failure that no crash is needed for has a line without one.
func TestExploreFindsPanicsOfLoadAndJudge(t *testing.T) {
	s := toySubject(toyBugs{})
	s.Load = func(r *faultfs.Run, plan []string) error {
		if len(plan) > 1 {
			panic("too long")
		}
		return nil
	}
	got := explore(t, s, faultfs.ExploreOptions{Plans: plans("set", "set big roll")})
	require.Len(t, got.Violations, 1)
	require.Equal(t, "toy/weak/set,big", got.Violations[0].Replay)
	require.Equal(t, "toy/weak/set,big,roll", got.Violations[0].Found)
	require.Contains(t, got.Violations[0].Reason, "panic: too long (in faultfs_test.TestExploreFindsPanics")

	s = toySubject(toyBugs{})
	s.Judge = func(lives []faultfs.Life) error { return lives[1].Events[99].(error) }
	got = explore(t, s, faultfs.ExploreOptions{Plans: plans("set")})
	require.Len(t, got.Violations, 1)
	require.Contains(t, got.Violations[0].Reason, "the oracle: panic: runtime error: index out of range [1] with length 1")
}

// A recovery that is met again, after more was promised, is not run again and
// not crashed again; what its crashes led to is judged anew. This one empties the
// file while it rewrites it.
func TestExploreJudgesKnownRecoveriesWithEveryPast(t *testing.T) {
	write := func(fsys afero.Fs) {
		f, err := fsys.OpenFile("/a", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
		if err == nil {
			_ = errors.Join(vfs.SyncDir(fsys, "/"), f.Sync())
			_, err = f.WriteString("x")
			_ = errors.Join(err, f.Sync(), f.Close())
		}
	}
	s := faultfs.Subject{
		Name: "hand",
		Load: func(r *faultfs.Run, _ []string) error {
			write(r.FS())
			err := errors.Join(r.FS().Mkdir("/other", 0o777), vfs.SyncDir(r.FS(), "/"))
			r.Note("promised")
			return err
		},
		Recover: func(r *faultfs.Run) {
			b, _ := afero.ReadFile(r.FS(), "/a")
			if len(b) > 0 {
				write(r.FS())
			}
			r.Note(string(b))
		},
		Judge: func(lives []faultfs.Life) error {
			last := lives[len(lives)-1].Events
			if slices.Contains(lives[0].Events, "promised") && !slices.Contains(last, "x") && len(lives) > 1 {
				return errors.New("lost")
			}
			return nil
		},
	}
	got := explore(t, s, faultfs.ExploreOptions{Nesting: 2})
	require.Len(t, got.Violations, 1)
	require.Len(t, got.Violations[0].Crashes, 2)
	again, err := faultfs.Replay(s, got.Violations[0].Found)
	require.NoError(t, err)
	require.Equal(t, "lost", again.Reason)
}

// Of the crashes that show a violation the one is reported that takes the fewest
// words.
func TestExploreReportsTheFewestSurvivors(t *testing.T) {
	s := faultfs.Subject{
		Name: "hand",
		Load: func(r *faultfs.Run, _ []string) error {
			f, err := r.FS().Create("/a")
			if err == nil {
				err = errors.Join(f.Truncate(8*faultfs.SectorBytes), f.Sync(), vfs.SyncDir(r.FS(), "/"))
			}
			for i := range 8 {
				if err == nil {
					_, err = f.WriteAt([]byte{1}, int64(i*faultfs.SectorBytes))
				}
			}
			return err
		},
		Recover: func(r *faultfs.Run) {
			b, _ := afero.ReadFile(r.FS(), "/a")
			r.Note(b)
		},
		Judge: func(lives []faultfs.Life) error {
			for _, e := range lives[len(lives)-1].Events {
				if b := e.([]byte); len(b) > 0 && b[7*faultfs.SectorBytes] == 1 && b[0] == 0 {
					return errors.New("the last without the first")
				}
			}
			return nil
		},
	}
	got := explore(t, s, faultfs.ExploreOptions{})
	require.Len(t, got.Violations, 1)
	require.Len(t, got.Violations[0].Crashes, 1)
	require.Equal(t, []string{"data /a 3584+512 written"}, got.Violations[0].Crashes[0].Survivors)
}

// Violations of one kind count once, whatever their numbers are.
func TestExploreTellsViolationsApart(t *testing.T) {
	s := toySubject(toyBugs{noSync: true, panics: true})
	got := explore(t, s, faultfs.ExploreOptions{Plans: plans("set set", "big set", "roll set"), MaxViolations: 10})
	require.Len(t, got.Violations, 2)
	require.NotEqual(t, got.Violations[0].Reason[:5], got.Violations[1].Reason[:5])
}

// A bug that the file system hides is found on the weaker model alone.
func TestExploreByProfile(t *testing.T) {
	s := toySubject(toyBugs{noDirSync: true})
	for _, p := range []faultfs.Profile{faultfs.Ext4, faultfs.XFS} {
		got := explore(t, s, faultfs.ExploreOptions{Profile: p, Plans: plans("set roll set")})
		require.Empty(t, got.Violations, p)
	}
	got := explore(t, s, faultfs.ExploreOptions{Profile: faultfs.Btrfs, Plans: plans("set roll set")})
	require.Len(t, got.Violations, 1, "names do not become durable in order there")
	require.Equal(t, []faultfs.Profile{faultfs.Weak, faultfs.Btrfs}, got.Violations[0].Profiles)
	require.Regexp(t, "^toy/btrfs/", got.Violations[0].Replay)
}

// Each line is replayed in other processes, more than a hundred in all, and comes
// to the same violation, byte for byte.
func TestReplayInAnotherProcess(t *testing.T) {
	if line := os.Getenv("TOY_REPLAY"); line != "" {
		v, err := faultfs.Replay(toySubject(toyBreaks[os.Getenv("TOY_BUG")].bugs), line)
		require.NoError(t, err)
		require.NoError(t, json.NewEncoder(os.Stdout).Encode(v))
		return
	}
	times := 100/len(toyBreaks) + 1
	if testing.Short() {
		times = 1
	}
	for name, b := range toyBreaks {
		t.Run(name, func(t *testing.T) {
			v := b.violation(t)
			v.Found = v.Replay
			want, err := json.Marshal(v)
			require.NoError(t, err)
			var g errgroup.Group
			g.SetLimit(4)
			for range times {
				g.Go(func() error {
					cmd := exec.Command(os.Args[0], "-test.run=^TestReplayInAnotherProcess$")
					cmd.Env = append(os.Environ(), "TOY_REPLAY="+v.Replay, "TOY_BUG="+name)
					out, err := cmd.Output()
					if err != nil {
						return err
					}
					line, _, _ := strings.Cut(string(out), "\n")
					require.Equal(t, string(want), line)
					return nil
				})
			}
			require.NoError(t, g.Wait())
		})
	}
}

func TestReplayOfWhatWentWell(t *testing.T) {
	for _, line := range []string{"toy/weak/-", "toy/weak/-/0.0", "toy/weak/set,big/3.0X1", "toy/ext4/set/3-kill/1.0/0-kill"} {
		v, err := faultfs.Replay(toySubject(toyBugs{}), line)
		require.NoError(t, err, line)
		require.Nil(t, v, line)
	}
}

func TestReplayRefusesBadLines(t *testing.T) {
	for line, want := range map[string]string{
		"":                        "want subject/profile/words, and /point.state",
		"toy/weak":                "want subject/profile/words, and /point.state",
		"kv/weak/set":             `subject "kv": this is "toy"`,
		"toy/fat/set":             `profile "fat"`,
		"toy/weak/":               `word ""`,
		"toy/weak/set,,set":       `word ""`,
		"toy/weak/set,jump":       `word "jump": toy knows set, big, bad, roll, scratch`,
		"toy/weak/set/3":          `crash "3": want POINT.STATE or POINT-kill`,
		"toy/weak/set/x.0":        `crash "x.0": want`,
		"toy/weak/set/-1.0":       `crash "-1.0": want`,
		"toy/weak/set/-kill":      `crash "-kill": want`,
		"toy/weak/set/3.":         `crash "3.": want`,
		"toy/weak/set/99.0":       "crash 1: crash point 99: there are 0 to 4",
		"toy/weak/set/99-kill":    "crash 1: crash point 99: there are 0 to 4",
		"toy/weak/set/3.0/77.0":   "crash 2: crash point 77: there are 0 to ",
		"toy/weak/set/3.zzzzzz":   `state "zzzzzz" of crash point 3`,
		"toy/weak/set/3.0X0X0":    `state "0X0X0"`,
		"toy/weak/set/3.%%/4.0/0": "want POINT.STATE",
	} {
		v, err := faultfs.Replay(toySubject(toyBugs{}), line)
		require.ErrorContains(t, err, want, line)
		require.Nil(t, v)
	}
	_, err := faultfs.Replay(faultfs.Subject{Name: "toy"}, "toy/weak/-")
	require.ErrorContains(t, err, "Load, Recover and Judge")
}
