package faultfs_test

import (
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

func TestACrashCutsThePowerOnceAndTellsTheHook(t *testing.T) {
	for text, told := range map[string]string{
		"write * #2 crash":                    `crash 1 ""`,
		"write * #2 seed=9 crash=torn":        `crash 9 "torn"`,
		"write * #2 seed=3 after crash=whole": `crash 3 "whole"`,
	} {
		base := newFrail()
		fsys := faultfs.New(base, faultfs.MustParse(text)...)
		var hooked []vfs.Lost
		fsys.OnCrash(func(lost vfs.Lost) { hooked = append(hooked, lost) })
		f := open(t, fsys, "/f")
		_, err := f.Write([]byte("one"))
		require.NoError(t, err)
		require.Empty(t, hooked)

		n, err := f.Write([]byte("two"))
		var pathErr *fs.PathError
		require.ErrorIs(t, err, vfs.ErrCrashed)
		require.ErrorAs(t, err, &pathErr)
		require.Zero(t, n)
		require.Equal(t, []string{told}, base.heard())
		require.Equal(t, []vfs.Lost{{Bytes: 7, Entries: 2}}, hooked)
		want := map[bool]string{false: "one", true: "onetwo"}[fsys.Fired().Firings[0].Rule.After]
		require.Equal(t, want, content(t, base, "/f"))

		fsys.Heal()
		_, err = f.Write([]byte("three"))
		require.ErrorIs(t, err, vfs.ErrCrashed, "nothing heals a crash")
		require.Len(t, hooked, 1)
	}
}

func TestEveryCallAfterACrashSaysSo(t *testing.T) {
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			base := newFrail()
			require.NoError(t, base.MkdirAll("/work/d", 0o755))
			fsys := faultfs.New(base)
			f := open(t, fsys, "/work/f")
			counted := fsys.Inject(count(faultfs.OpAny))
			fsys.Inject(faultfs.MustParse("stat /nowhere crash")[0])
			_, err := fsys.Stat("/nowhere")
			require.ErrorIs(t, err, vfs.ErrCrashed)

			before := counted.Calls()
			base.heard()
			require.ErrorIs(t, s.call(fsys, f, "/work"), vfs.ErrCrashed)
			require.Equal(t, before+1, counted.Calls())
			if s.op == faultfs.OpClose {
				require.Equal(t, []string{"close /work/f"}, base.heard(), "a file that stays open would leak")
			} else {
				require.Empty(t, base.heard())
			}
		})
	}
}

func TestEveryCallCanCrash(t *testing.T) {
	for _, s := range steps {
		for _, after := range []bool{false, true} {
			base := newFrail()
			require.NoError(t, base.MkdirAll("/work/d", 0o755))
			fsys := faultfs.New(base)
			f := open(t, fsys, "/work/f")
			crashes := 0
			fsys.OnCrash(func(vfs.Lost) { crashes++ })
			fsys.Inject(faultfs.Rule{Op: s.op, N: 1, Crash: true, After: after})
			require.ErrorIs(t, s.call(fsys, f, "/work"), vfs.ErrCrashed, s.name)
			require.Equal(t, 1, crashes, s.name)
			fsys.CheckFired(t)
		}
	}
}

func TestACrashAfterACallThatFailsBelowIsACrash(t *testing.T) {
	base := newFrail()
	fsys := faultfs.New(base, faultfs.MustParse("open * after crash")...)
	_, err := fsys.Open("/missing")
	require.ErrorIs(t, err, vfs.ErrCrashed)
	require.Equal(t, []string{`crash 1 ""`}, base.heard())
}

func TestACutThatGoesWrongBelowIsReportedAndNotHooked(t *testing.T) {
	base := newFrail()
	base.err = errBelow
	fsys := faultfs.New(base, faultfs.MustParse("stat * crash")...)
	fsys.OnCrash(func(vfs.Lost) { t.Error("there was no cut to tell of") })
	_, err := fsys.Stat("/")
	require.ErrorIs(t, err, vfs.ErrCrashed)
	require.ErrorIs(t, err, errBelow)
	_, err = fsys.Stat("/")
	require.ErrorIs(t, err, vfs.ErrCrashed)
}

func TestOfManyCallsAtOnceOneCutsThePower(t *testing.T) {
	base := newFrail()
	fsys := faultfs.New(base, faultfs.MustParse("stat * p=0.5 crash")...)
	var hooks atomic.Int64
	fsys.OnCrash(func(vfs.Lost) { hooks.Add(1) })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_, _ = fsys.Stat("/")
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, hooks.Load())
	require.Len(t, base.heard(), 1)
}

func TestHealRemovesRulesAndKeepsTheirCounts(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("stat * #1+ EIO; sync * EIO")...)
	_, err := fsys.Stat("/")
	require.ErrorIs(t, err, syscall.EIO)
	fsys.Heal()
	fsys.Heal()
	_, err = fsys.Stat("/")
	require.NoError(t, err)
	require.Equal(t, faultfs.MustParse("sync * EIO"), fsys.Unfired())
	require.Len(t, fsys.Fired().Firings, 1)
}
