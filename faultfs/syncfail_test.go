package faultfs_test

import (
	"io/fs"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// syncs are the ways to sync the file or the directory of a test.
var syncs = map[string]func(fsys *faultfs.FS, f afero.File) error{
	"Sync":     func(_ *faultfs.FS, f afero.File) error { return f.Sync() },
	"SyncData": func(_ *faultfs.FS, f afero.File) error { return vfs.SyncData(f) },
	"SyncDir":  func(fsys *faultfs.FS, _ afero.File) error { return vfs.SyncDir(fsys, "/d") },
	"Sync of a directory": func(fsys *faultfs.FS, _ afero.File) error {
		d, err := fsys.Open("/d")
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Sync()
	},
}

// onEachSync runs a test with a frail base, rules for both kinds of sync, and
// what the base hears of a sync that fails and of one that is done.
func onEachSync(t *testing.T, rules string, test func(t *testing.T, base *frail, fsys *faultfs.FS, sync func() error, failed, done string)) {
	for name, call := range syncs {
		t.Run(name, func(t *testing.T) {
			base := newFrail()
			require.NoError(t, base.MkdirAll("/d", 0o755))
			fsys := faultfs.New(base, faultfs.MustParse(rules)...)
			f := open(t, fsys, "/d/f")
			failed, done := "fail sync /d/f ", "sync /d/f"
			switch name {
			case "SyncDir":
				failed, done = "fail syncdir /d ", "syncdir /d"
			case "Sync of a directory":
				failed, done = "fail syncdir /d ", "sync /d"
			}
			test(t, base, fsys, func() error {
				base.heard()
				err := call(fsys, f)
				base.note("ended")
				return err
			}, failed, done)
		})
	}
}

// first is the first thing that the base heard of a sync.
func (b *frail) first() string { return b.heard()[0] }

func TestAFailedSyncMakesThePagesClean(t *testing.T) {
	for personality, below := range map[string]string{"": "clean", " clean": "clean", " reverted": "reverted", " aborted": "clean"} {
		onEachSync(t, "sync|syncdir * #1 EIO"+personality, func(t *testing.T, base *frail, fsys *faultfs.FS, sync func() error, failed, done string) {
			err := sync()
			var pathErr *fs.PathError
			require.ErrorIs(t, err, syscall.EIO)
			require.ErrorAs(t, err, &pathErr)
			require.Equal(t, failed+below, base.first())
			fsys.Heal()
			require.NoError(t, sync())
			require.Equal(t, done, base.first())
		})
	}
}

func TestASyncThatFailsAfterItsEffectIsDoneBelow(t *testing.T) {
	onEachSync(t, "sync|syncdir * #1 EIO after", func(t *testing.T, base *frail, _ *faultfs.FS, sync func() error, _, done string) {
		require.ErrorIs(t, sync(), syscall.EIO)
		require.Equal(t, done, base.first())
	})
}

func TestALostSyncReportsSuccessAndDoesNotHappen(t *testing.T) {
	onEachSync(t, "sync|syncdir * #1 lost", func(t *testing.T, base *frail, fsys *faultfs.FS, sync func() error, _, done string) {
		require.NoError(t, sync())
		require.NotContains(t, base.heard(), done)
		require.NoError(t, sync())
		require.Equal(t, done, base.first())
		fsys.CheckFired(t)
	})
}

func TestALateErrorIsThatOfTheNextSync(t *testing.T) {
	onEachSync(t, "sync|syncdir * #1 EDQUOT late", func(t *testing.T, base *frail, fsys *faultfs.FS, sync func() error, failed, done string) {
		require.NoError(t, sync())
		require.NotContains(t, base.heard(), done)
		fsys.Heal()
		require.ErrorIs(t, sync(), syscall.EDQUOT, "what is owed is delivered after the healing")
		require.Equal(t, failed+"clean", base.first())
		require.NoError(t, sync())
		require.Equal(t, done, base.first())
	})
}

func TestALateErrorBelongsToItsFileWhoeverHasItOpen(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("sync a #1 EIO late")...)
	a, other := open(t, fsys, "/a"), open(t, fsys, "/b")
	require.NoError(t, a.Sync())
	require.NoError(t, other.Sync())
	require.NoError(t, a.Close())
	require.NoError(t, fsys.Rename("/a", "/c"))
	require.ErrorIs(t, open(t, fsys, "/c").Sync(), syscall.EIO, "through a new handle, by a new name")
	require.NoError(t, open(t, fsys, "/c").Sync())
	require.NoError(t, open(t, fsys, "/a").Sync(), "a new file of the old name owes nothing")
}

func TestASyncThatOwesAnErrorIsCountedAndNotStruck(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	rule := fsys.Inject(faultfs.MustParse("sync * EIO late")[0])
	f := open(t, fsys, "/a")
	for range 2 {
		require.NoError(t, f.Sync())
		require.ErrorIs(t, f.Sync(), syscall.EIO)
	}
	require.Equal(t, 4, rule.Calls())
	require.Equal(t, 2, rule.Fired())
}

// A file that owes an error and is not open must not pass for one that is open
// when a quota gives back what it held.
func TestAClosedFileThatOwesAnErrorGivesBackItsSpace(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		d.fsys.Inject(faultfs.MustParse("sync old #1 EIO late")[0])
		old := d.open("old")
		require.NoError(t, old.Sync())
		require.NoError(t, old.Close())
		require.NoError(t, d.fsys.Remove(old.Name()))
		d.room(20)
		require.NoError(t, d.open("old").Sync(), "a new file of that name owes nothing")
	})
}

func TestAnAbortedJournalRefusesEveryChangeUntilHealed(t *testing.T) {
	changes := map[faultfs.Op]bool{"create": true, "write": true, "sync": true, "syncdir": true, "truncate": true,
		"preallocate": true, "rename": true, "remove": true, "mkdir": true, "attr": true}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
				inner, fsys, f := stepFixture(t, base, dir)
				inject := fsys.Inject(faultfs.MustParse("sync * #1 EIO aborted")[0])
				require.ErrorIs(t, f.Sync(), syscall.EIO)
				below := inner.Inject(count(s.op))

				err := s.call(fsys, f, dir)
				if changes[s.op] || s.name == "OpenFile" { // which opens for writing
					require.ErrorIs(t, err, syscall.EROFS)
					require.Zero(t, below.Calls())
				} else {
					require.NoError(t, err)
				}
				inject.Remove()
				fsys.Heal()
				if s.op != faultfs.OpClose {
					require.NoError(t, f.Sync())
				}
			})
		})
	}
}

func TestABaseThatCannotFailItsSyncIsHeard(t *testing.T) {
	for _, rules := range []string{"sync|syncdir * EIO", "sync|syncdir * EIO reverted"} {
		onEachSync(t, rules, func(t *testing.T, base *frail, _ *faultfs.FS, sync func() error, _, _ string) {
			base.err = errBelow
			err := sync()
			require.ErrorIs(t, err, syscall.EIO)
			require.ErrorIs(t, err, errBelow)
			require.ErrorContains(t, err, "letting the sync of /d")
		})
	}
	base := newFrail()
	f := open(t, faultfs.New(base, faultfs.MustParse("sync * #1 EIO late")...), "/f")
	require.NoError(t, f.Sync())
	base.err = errBelow
	require.ErrorIs(t, f.Sync(), errBelow)
}
