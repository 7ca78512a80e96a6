package kv

import (
	"bytes"
	"fmt"
	"log/slog"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

const interval = 100 * time.Millisecond

var gathering = &Options{SegmentBytes: 64 << 10, Sync: SyncEvery(interval)}

// Under an interval policy a write is acknowledged and visible at once, and
// durable after the interval: one write and one sync for all of it.
func TestIntervalGathersAndSyncsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := faultfs.New(afero.NewMemMapFs())
		db := mustOpen(t, fsys, gathering)
		require.NoError(t, db.Set([]byte("begin"), nil)) // makes the segment
		writes := fsys.Inject(faultfs.MustParse(`write *.seg count`)[0])
		syncs := fsys.Inject(faultfs.MustParse(`sync *.seg count`)[0])
		want := load(t, db, 50)
		want["begin"] = ""
		requireContents(t, db, want)
		require.Zero(t, writes.Calls())
		require.EqualValues(t, 51, db.Stats().LastSeq)
		require.Zero(t, db.Stats().DurableSeq)

		time.Sleep(interval) // of the bubble's clock
		synctest.Wait()
		require.Equal(t, 1, writes.Calls())
		require.Equal(t, 1, syncs.Calls())
		require.EqualValues(t, 51, db.Stats().DurableSeq)
		requireContents(t, db, want)
		time.Sleep(10 * interval)
		require.Equal(t, 1, syncs.Calls(), "an idle store syncs nothing")
		requireContents(t, reopen(t, db, fsys), want)
	})
}

func TestIntervalMayLoseWhatACrashFindsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := afero.NewMemMapFs()
		db := mustOpen(t, fsys, gathering)
		require.NoError(t, db.Set([]byte("durable"), []byte("v")))
		require.NoError(t, db.Sync())
		require.NoError(t, db.Set([]byte("gathered"), []byte("v")))
		requireContents(t, reopen(t, db, fsys), contents{"durable": "v"})
	})
}

func TestIntervalIsMadeDurableBySyncAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := afero.NewMemMapFs()
		db := mustOpen(t, fsys, gathering)
		want := load(t, db, 20)
		require.NoError(t, db.Sync())
		require.Equal(t, db.Stats().LastSeq, db.Stats().DurableSeq)
		db = reopen(t, db, fsys)
		requireContents(t, db, want)
		require.NoError(t, db.Close())

		db = mustOpen(t, fsys, gathering)
		require.NoError(t, db.Set([]byte("more"), []byte("v")))
		want["more"] = "v"
		require.NoError(t, db.Close())
		requireContents(t, mustOpen(t, fsys, gathering), want)
	})
}

// What gathers is bounded: a burst is written before its interval is over.
func TestIntervalGathersNoMoreThanItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := mustOpen(t, afero.NewMemMapFs(), &Options{Sync: SyncEvery(time.Hour)})
		value := make([]byte, 1<<20)
		for i := range 20 {
			require.NoError(t, db.Set(fmt.Appendf(nil, "%d", i), value))
		}
		require.GreaterOrEqual(t, db.Stats().DurableSeq, uint64(10))
		require.Less(t, db.Stats().DurableSeq, uint64(20))
	})
}

func TestIntervalSaysSoInTheLogAndInStats(t *testing.T) {
	var log bytes.Buffer
	db := mustOpen(t, afero.NewMemMapFs(), &Options{Sync: SyncEvery(interval), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Contains(t, log.String(), "a crash may lose the last interval")
	require.Equal(t, "100ms", db.Stats().Sync.String())
}

func TestIntervalWhoseSyncsFailIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := faultfs.New(afero.NewMemMapFs())
		db := mustOpen(t, fsys, gathering)
		want := load(t, db, 5)
		require.NoError(t, db.Sync())
		failing := fsys.Inject(faultfs.MustParse(`sync * EIO`)[0])
		require.NoError(t, db.Set([]byte("gathered"), []byte("v")))
		time.Sleep(interval)
		synctest.Wait()
		require.ErrorIs(t, db.Set([]byte("refused"), nil), ErrFenced)
		require.ErrorIs(t, db.Sync(), ErrFenced)
		got, err := db.Get([]byte("gathered"))
		require.NoError(t, err, "it was acknowledged and stays readable")
		require.Equal(t, "v", string(got))
		err = db.Close()
		require.ErrorIs(t, err, syscall.EIO)
		require.ErrorContains(t, err, "1 acknowledged record")
		fsys.CheckFired(t)
		failing.Remove()
		db = mustOpen(t, fsys, gathering)
		delete(want, "gathered")
		requireReadsAreTruthful(t, db, want)
	})
}

// Groups that wait do not put off the end of an interval until the last of them.
func TestIntervalEndsBetweenGroupsThatWait(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), &Options{SegmentBytes: 64 << 10, Sync: SyncEvery(time.Nanosecond), BoundEvery: time.Hour})
	var waiting []*group
	for i := range 100 {
		w := newWrite()
		w.add(kindSet, 0, []byte{byte(i)}, nil)
		waiting = append(waiting, &group{writes: []*write{w}, bytes: int64(len(w.records)), done: make(chan struct{})})
	}
	db.queue.mu.Lock()
	db.queue.waiting = append(db.queue.waiting, waiting...)
	db.queue.mu.Unlock()
	db.queue.signal()
	<-waiting[99].done
	require.Greater(t, db.Stats().Syncs, uint64(50), "the clock is looked at behind every group")
}

// A full disk keeps what was acknowledged in memory, refuses more than the
// bound, and gets over it.
func TestIntervalOnAFullDiskHealsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := faultfs.New(afero.NewMemMapFs())
		db := mustOpen(t, fsys, &Options{Sync: SyncEvery(interval)})
		want := contents{}
		value := string(make([]byte, 1<<20))
		set := func(key string) error {
			err := db.Set([]byte(key), []byte(value))
			if err == nil {
				want[key] = value
			}
			return err
		}
		require.NoError(t, set("first"))
		require.NoError(t, db.Sync())
		full := fsys.Inject(faultfs.MustParse(`write *.seg tear=1000 ENOSPC`)[0])
		require.NoError(t, set("second"))
		require.ErrorIs(t, db.Sync(), ErrDiskFull)
		time.Sleep(3 * interval)
		refused := 0
		for i := range 20 {
			if err := set(fmt.Sprint(i)); err != nil {
				require.ErrorIs(t, err, ErrDiskFull)
				refused++
			}
		}
		require.Positive(t, refused)
		require.NoError(t, db.Stats().Fenced)
		requireContents(t, db, want)

		full.Remove()
		time.Sleep(interval)
		synctest.Wait()
		require.Equal(t, db.Stats().LastSeq, db.Stats().DurableSeq)
		require.NoError(t, set("last"))
		require.NoError(t, db.Sync())
		requireContents(t, reopen(t, db, fsys), want)
	})
}
