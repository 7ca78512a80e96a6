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

// A write or sync that fails once costs nobody anything: what was being written
// goes to a new file. The old one is sealed and not touched again.
func TestWriteGoesOnInANewSegmentWhenItsFileFails(t *testing.T) {
	for _, rule := range []string{
		"sync 00000001.seg #1 EIO", "sync 00000001.seg #1 EIO after", "write 00000001.seg #1 EIO",
		"write 00000001.seg #1 tear=30 EIO", "write 00000001.seg #1 EIO after", "write 00000001.seg #1 EROFS",
	} {
		for _, records := range []int{5, 0} { // with none the old segment is dropped altogether
			fsys := faultfs.New(afero.NewMemMapFs())
			db := mustOpen(t, fsys, roomy)
			require.ErrorIs(t, db.Set([]byte("begin"), nil), nil)
			_, err := db.Delete([]byte("begin"))
			require.NoError(t, err)
			want := load(t, db, records)
			fsys.Inject(faultfs.MustParse(rule)[0])
			after := fsys.Inject(faultfs.MustParse("sync 00000001.seg #1000 EIO")[0])

			require.NoError(t, db.Apply(batchOf("a", "1", "b", "2", "key-0001", "3")), rule)
			want["a"], want["b"], want["key-0001"] = "1", "2", "3"
			requireContents(t, db, want)
			require.NoError(t, db.Stats().Fenced)
			syncs := after.Calls()
			for i := range 10 {
				key := fmt.Sprint("more-", i)
				require.NoError(t, db.Set([]byte(key), []byte("v")))
				want[key] = "v"
			}
			require.Equal(t, syncs, after.Calls(), "the file that failed was synced again")
			requireContents(t, db, want)
			requireContents(t, mustOpen(t, snapshotFiles(t, fsys), roomy), want) // as after a kill right now
			require.NoError(t, db.Close())
			requireContents(t, mustOpen(t, fsys, roomy), want)
		}
	}
}

// When a new segment cannot be begun, but a manifest that ends the old one can
// be written, the write failed for certain and never appears.
func TestWriteThatIsCutOffFailedForCertain(t *testing.T) {
	for _, rules := range []string{
		"sync *.seg EIO", "sync *.seg #1 EIO; create *.seg EMFILE", "write *.seg #1 EIO after; preallocate *.seg EACCES",
		"sync *.seg #1 ENOSPC after",
	} {
		fsys := faultfs.New(afero.NewMemMapFs())
		db := mustOpen(t, fsys, roomy)
		want := load(t, db, 5)
		for _, rule := range faultfs.MustParse(rules) {
			fsys.Inject(rule)
		}
		err := db.Set([]byte("failed"), []byte("v"))
		require.Error(t, err, rules)
		require.NotErrorIs(t, err, ErrOutcomeUnknown, rules)
		requireContents(t, db, want)
		requireContents(t, mustOpen(t, snapshotFiles(t, fsys), roomy), want)
		requireContents(t, reopen(t, db, fsys), want)
	}
}

// A full disk that shows only at the sync, as with delayed allocation, is a
// full disk: the write failed, and writes resume as soon as there is space.
func TestFullDiskThatShowsAtTheSync(t *testing.T) {
	for _, o := range []*Options{roomy, {SegmentBytes: 64 << 10, Sync: SyncEvery(time.Hour)}} {
		fsys := faultfs.New(afero.NewMemMapFs())
		db := mustOpen(t, fsys, o)
		want := load(t, db, 5)
		require.NoError(t, db.Sync())
		syncs := fsys.Inject(faultfs.MustParse("sync 00000001.seg #1000 EIO")[0])
		fsys.Inject(faultfs.MustParse("sync 00000001.seg #1 ENOSPC")[0])
		if o.Sync.Always() {
			require.ErrorIs(t, db.Set([]byte("full"), []byte("v")), ErrDiskFull)
		} else {
			require.NoError(t, db.Set([]byte("full"), []byte("v")))
			want["full"] = "v"
			require.ErrorIs(t, db.Sync(), ErrDiskFull)
			requireContents(t, db, want)
		}
		require.NoError(t, db.Stats().Fenced)
		require.NoError(t, db.Set([]byte("next"), []byte("v")))
		want["next"] = "v"
		require.NoError(t, db.Sync())
		require.Equal(t, 1, syncs.Calls(), "the file that failed was synced again")
		requireContents(t, db, want)
		requireContents(t, reopen(t, db, fsys), want)
	}
}

// A fence ends by itself once the storage works again, is tried at intervals
// that grow, and not for every write.
func TestFenceEndsOnceTheStorageWorksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		fsys := faultfs.New(afero.NewMemMapFs())
		db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		want := load(t, db, 5)
		broken := fsys.Inject(faultfs.MustParse("sync|syncdir * EIO")[0])
		require.ErrorIs(t, db.Set([]byte("unknown"), []byte("v")), ErrOutcomeUnknown)
		calls := broken.Calls()
		for range 100 {
			require.ErrorIs(t, db.Set([]byte("refused"), nil), ErrFenced)
		}
		require.ErrorContains(t, db.Set([]byte("refused"), nil), "the next attempt is made by a write in 1s or later")
		require.Equal(t, calls, broken.Calls(), "a fenced store was tried for every write")
		attempts := 0
		for range 100 {
			time.Sleep(defaultResumeEvery)
			calls := broken.Calls()
			require.ErrorIs(t, db.Set([]byte("refused"), nil), ErrFenced)
			if broken.Calls() > calls {
				attempts++
			}
		}
		require.Greater(t, attempts, 4)
		require.Less(t, attempts, 12, "attempts must become rare")
		requireContents(t, db, want)

		broken.Remove()
		time.Sleep(maxResumeWait)
		require.NoError(t, db.Set([]byte("resumed"), []byte("v")))
		want["resumed"] = "v"
		require.NoError(t, db.Stats().Fenced)
		requireContents(t, db, want)
		require.Contains(t, log.String(), "the storage works again")
		require.LessOrEqual(t, len(files(t, fsys, "*.seg")), 2, "attempts that failed left segments behind")
		require.Len(t, files(t, fsys, "MANIFEST-*"), 1, "attempts that failed left manifests behind")
		requireContents(t, reopen(t, db, fsys), want)
	})
}

// Under an interval policy the records in hand were acknowledged. They are
// readable all along, by scans that began before the trouble too, and are made
// durable in the new file.
func TestGatheredRecordsMoveToANewSegment(t *testing.T) {
	for _, rules := range []string{
		"sync *.seg #1 EIO", "write *.seg #1 tear=100 EIO", "sync *.seg #1+ heal=3 EIO", "sync|syncdir * #1+ heal=5 EIO",
	} {
		for _, durable := range []int{5, 0} {
			synctest.Test(t, func(t *testing.T) {
				fsys := faultfs.New(afero.NewMemMapFs())
				db := mustOpen(t, fsys, gathering)
				want := load(t, db, durable)
				require.NoError(t, db.Set([]byte("begin"), nil)) // makes the segment
				want["begin"] = ""
				if durable > 0 {
					require.NoError(t, db.Sync())
				}
				for _, rule := range faultfs.MustParse(rules) {
					fsys.Inject(rule)
				}
				for i := range 20 {
					key := fmt.Sprint("gathered-", i)
					require.NoError(t, db.Set([]byte(key), []byte(key)))
					want[key] = key
				}
				before, err := db.Snapshot()
				require.NoError(t, err)
				defer before.Close()
				for range 100 {
					time.Sleep(interval)
					requireContents(t, db, want)
					page, err := before.ScanPage(ScanOptions{Prefix: []byte("gathered-")})
					require.NoError(t, err)
					require.Len(t, page.Pairs, 20)
					for _, p := range page.Pairs {
						require.Equal(t, string(p.Key), string(p.Value))
					}
				}
				fsys.CheckFired(t)
				require.NoError(t, db.Stats().Fenced, rules)
				require.Equal(t, db.Stats().LastSeq, db.Stats().DurableSeq, rules)
				requireContents(t, reopen(t, db, fsys), want)
			})
		}
	}
}

// Close does not wait for the time of the next attempt: what an interval policy
// has acknowledged is made durable if the storage works again.
func TestCloseOfAFencedStoreTriesOnceMore(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10, Sync: SyncEvery(time.Hour), resumeEvery: time.Hour})
	want := load(t, db, 5)
	broken := fsys.Inject(faultfs.MustParse("sync|syncdir * EIO")[0])
	require.ErrorIs(t, db.Sync(), ErrOutcomeUnknown)
	require.ErrorIs(t, db.Sync(), ErrFenced, "an attempt is due only in an hour")
	broken.Remove()
	require.NoError(t, db.Close())
	requireContents(t, mustOpen(t, fsys, roomy), want)
}

// Whichever step of going on fails, what was told stays true.
func TestEveryStepOfGoingOnMayFail(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, &Options{SegmentBytes: 4 << 10, BoundEvery: time.Hour, resumeEvery: time.Nanosecond})
	want := load(t, db, 5)
	for i, rules := range []string{
		"sync *.seg #1+ heal=2 EIO", "sync *.seg #1+ heal=3 EIO", "sync *.seg #1 EIO; create * #1+ heal=3 EIO",
		"sync *.seg #1+ heal=2 EIO; write MANIFEST-* #1+ heal=2 EIO", "sync *.seg #1 EIO; syncdir * #1+ heal=3 EIO",
		"any * #1+ heal=9 EROFS", "sync * #1+ heal=7 EIO after",
	} {
		var injected []*faultfs.Injection
		for _, rule := range faultfs.MustParse(rules) {
			injected = append(injected, fsys.Inject(rule))
		}
		for j := 0; ; j++ {
			require.Less(t, j, 100, rules)
			key := fmt.Sprintf("key-%d-%d", i, j)
			err := db.Set([]byte(key), []byte("v"))
			if err == nil {
				want[key] = "v"
				break
			}
			require.True(t, errIsAny(err, syscall.EIO, syscall.EROFS), "%s: %v", rules, err)
		}
		for _, injection := range injected {
			require.Positive(t, injection.Fired(), rules)
		}
		requireContents(t, db, want)
		// It went on, so that what was unknown has failed by now.
		clone := mustOpen(t, snapshotFiles(t, fsys), small)
		requireContents(t, clone, want)
	}
}
