package faultfstest

import (
	"os"
	"slices"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

func caseNamed(t *testing.T, name string) Case {
	t.Helper()
	i := slices.IndexFunc(Cases(), func(c Case) bool { return c.Name == name })
	require.GreaterOrEqual(t, i, 0, "no case %q", name)
	return Cases()[i]
}

// liar is a file system that can crash and breaks one rule.
type liar struct {
	afero.Fs
	crash   func(seed uint64, keep string) (vfs.Lost, error)
	syncDir func(dir string) error
	after   func() afero.Fs
}

func (l liar) Crash(seed uint64, keep string) (vfs.Lost, error) { return l.crash(seed, keep) }
func (l liar) SyncDir(dir string) error                         { return l.syncDir(dir) }

func honest(t *testing.T) liar {
	base := afero.NewMemMapFs()
	require.NoError(t, base.MkdirAll("/root", 0o755))
	v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
	return liar{v, v.Crash, v.SyncDir, func() afero.Fs { return faultfs.NewVolatile(base, faultfs.VolatileOptions{}) }}
}

// Each lie is caught by the case that is there for it.
func TestLiarsAreCaught(t *testing.T) {
	for lie, l := range map[string]struct {
		caught string
		tell   func(*liar)
	}{
		"the directory sync does nothing": {"synced file survives", func(l *liar) {
			l.syncDir = func(string) error { return nil }
		}},
		"the sync does nothing": {"data sync suffices", func(l *liar) {
			l.Fs = faultfs.New(ignoring{l.Fs})
		}},
		"nothing is ever lost": {"un-synced name is lost", func(l *liar) {
			l.crash = func(uint64, string) (vfs.Lost, error) { return vfs.Lost{}, nil }
			same := l.Fs
			l.after = func() afero.Fs { return same }
		}},
		"calls go on after the cut": {"crashed", func(l *liar) {
			l.crash = func(uint64, string) (vfs.Lost, error) { return vfs.Lost{}, nil }
		}},
		"writes are torn": {"append", func(l *liar) {
			l.Fs = faultfs.New(l.Fs, faultfs.MustParse("write * #2 tear=1 EIO")...)
		}},
	} {
		t.Run(lie, func(t *testing.T) {
			fsys := honest(t)
			reopen := func(afero.Fs) afero.Fs { return fsys.after() }
			c := caseNamed(t, l.caught)
			require.Empty(t, c.check(fsys, "/root", reopen), "an honest one passes")
			fsys = honest(t)
			l.tell(&fsys)
			require.NotEmpty(t, c.check(fsys, "/root", reopen))
		})
	}
}

// ignoring opens files whose sync does nothing.
type ignoring struct{ afero.Fs }

func (i ignoring) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := i.Fs.OpenFile(name, flag, perm)
	return unsynced{f}, err
}

type unsynced struct{ afero.File }

func (unsynced) Sync() error { return nil }

func TestVerdicts(t *testing.T) {
	c := Case{Name: "case", Rule: "The rule."}
	require.Empty(t, verdict(c, "", false, ""))
	require.Empty(t, verdict(c, "it failed", true, "something else"))
	require.Contains(t, verdict(c, "it failed", false, ""), "The rule is broken: The rule.\nit failed")
	require.Contains(t, verdict(c, "", true, "something else"), "listed to differ (something else), but it keeps the rule: The rule.")
}

func TestAPanicIsAFailureOfTheCase(t *testing.T) {
	c := Case{run: func(*checker) { panic("oops") }}
	require.Contains(t, c.check(afero.NewMemMapFs(), "/", nil), "the file system panicked: oops")
}

func TestEveryCaseHasANameOfItsOwnAndARule(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		require.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		require.Regexp(t, `^[A-Z].*\.$`, c.Rule)
	}
}
