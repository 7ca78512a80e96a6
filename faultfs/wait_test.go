package faultfs_test

import (
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// elapsed returns how long a call takes by the clock of the bubble.
func elapsed(call func()) time.Duration {
	start := time.Now()
	call()
	return time.Since(start)
}

func TestADelayedCallWaitsAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(
			"stat * #2 delay=5ms; stat * #3 delay=1h EIO; stat * #3 delay=1m; stat * #5 delay=2s; stat * #5 delay=3s; stat * #5 EROFS")...)
		for call, want := range []struct {
			time.Duration
			error
		}{{0, nil}, {5 * time.Millisecond, nil}, {61 * time.Minute, syscall.EIO}, {0, nil}, {5 * time.Second, syscall.EROFS}} {
			var err error
			require.Equal(t, want.Duration, elapsed(func() { _, err = fsys.Stat("/") }), "call %d", call+1)
			require.ErrorIs(t, err, want.error)
		}
		fsys.CheckFired(t)
	})
}

func TestADelayedCallHasItsEffectAfterTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := afero.NewMemMapFs()
		f := open(t, faultfs.New(base, faultfs.MustParse("write * delay=1s")...), "/f")
		go func() { _, _ = f.Write([]byte("abc")) }()
		time.Sleep(time.Second - time.Nanosecond)
		synctest.Wait()
		require.Empty(t, content(t, base, "/f"))
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, "abc", content(t, base, "/f"))
	})
}

// stalled starts so many calls that stall, each of which sends its error.
func stalled(t *testing.T, fsys afero.Fs, inj *faultfs.Injection, calls int) <-chan error {
	t.Helper()
	ended := make(chan error, calls)
	for range calls {
		go func() {
			_, err := fsys.Stat("/")
			ended <- err
		}()
	}
	synctest.Wait()
	require.Equal(t, calls, inj.Waiting())
	require.Empty(t, ended)
	return ended
}

func TestAStalledCallWaitsUntilItIsReleased(t *testing.T) {
	ends := map[string]func(fsys *faultfs.FS, inj *faultfs.Injection){
		"release": func(_ *faultfs.FS, inj *faultfs.Injection) { inj.Release() },
		"remove":  func(_ *faultfs.FS, inj *faultfs.Injection) { inj.Remove() },
		"heal":    func(fsys *faultfs.FS, _ *faultfs.Injection) { fsys.Heal() },
	}
	for name, end := range ends {
		for rule, fate := range map[string]error{"stat * #2+ stall": nil, "stat * #2+ stall EIO": syscall.EIO, "stat * #2+ delay=10000h": nil} {
			t.Run(name+" "+rule, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fsys := faultfs.New(afero.NewMemMapFs())
					inj := fsys.Inject(faultfs.MustParse(rule)[0])
					_, err := fsys.Stat("/")
					require.NoError(t, err)
					ended := stalled(t, fsys, inj, 3)
					start := time.Now()
					end(fsys, inj)
					for range 3 {
						require.ErrorIs(t, <-ended, fate, "a struck call keeps its fate")
					}
					require.Zero(t, time.Since(start), "a delay ends with its rule")
					require.Zero(t, inj.Waiting())
					require.Equal(t, 3, inj.Fired())
					if name == "release" {
						ended = stalled(t, fsys, inj, 1)
						inj.Remove()
						<-ended
					}
					_, err = fsys.Stat("/")
					require.NoError(t, err, "the rule is gone")
				})
			})
		}
	}
}

func TestAStallHoldsNobodyElseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("write * quota=100")...)
		inj := fsys.Inject(faultfs.MustParse("sync a #1 stall")[0])
		a, b := open(t, fsys, "/a"), open(t, fsys, "/b")
		done := make(chan error)
		go func() { done <- a.Sync() }()
		synctest.Wait()
		require.Equal(t, 1, inj.Waiting())
		_, err := a.Write([]byte("abc"))
		require.NoError(t, err)
		require.NoError(t, b.Sync())
		require.NoError(t, a.Sync())
		inj.Release()
		require.NoError(t, <-done)
	})
}

func TestACrashEndsTheWaitOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := faultfs.New(newFrail())
		stall := fsys.Inject(faultfs.MustParse("stat * stall")[0])
		ended := stalled(t, fsys, stall, 2)
		fsys.Inject(faultfs.MustParse("mkdir * crash")[0])
		require.ErrorIs(t, fsys.Mkdir("/d", 0o755), vfs.ErrCrashed)
		for range 2 {
			require.ErrorIs(t, <-ended, vfs.ErrCrashed)
		}
		require.Zero(t, stall.Waiting())
	})
}

func TestOfTwoCallsThatCrashAfterTheirEffectOneCutsThePower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFrail()
		below := faultfs.New(base.Fs)
		base.Fs = below
		hang := below.Inject(faultfs.MustParse("stat * stall")[0])
		fsys := faultfs.New(base, faultfs.MustParse("stat * after crash")...)
		hooks := 0
		fsys.OnCrash(func(vfs.Lost) { hooks++ })
		ended := stalled(t, fsys, hang, 2)
		hang.Remove()
		require.ErrorIs(t, <-ended, vfs.ErrCrashed)
		require.ErrorIs(t, <-ended, vfs.ErrCrashed)
		require.Equal(t, 1, hooks)
		require.Equal(t, []string{`crash 1 ""`}, base.heard())
	})
}

func TestTwoStallsAreTwoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := faultfs.New(afero.NewMemMapFs())
		one := fsys.Inject(faultfs.MustParse("stat * stall")[0])
		two := fsys.Inject(faultfs.MustParse("any * stall")[0])
		ended := stalled(t, fsys, one, 1)
		one.Remove()
		synctest.Wait()
		require.Empty(t, ended)
		two.Remove()
		require.NoError(t, <-ended)
	})
}

func ExampleInjection_Release() {
	fsys := faultfs.New(afero.NewMemMapFs())
	hang := fsys.Inject(faultfs.MustParse("mkdir * #1 stall")[0])
	done := make(chan error)
	go func() { done <- fsys.Mkdir("/a", 0o755) }()
	for hang.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	hang.Release()
	fmt.Println(<-done)
	// Output:
	// <nil>
}
