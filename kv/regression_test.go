package kv

import (
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// Each test here is a defect that the engine once had, by the name of what must
// not happen again.

// A manifest's name may become durable before its content. Then it holds what
// stood in recycled space before, which may be a whole manifest: an older one,
// or one of a store that was deleted.
func TestStaleBytesUnderANewManifestsNameAreNoDamage(t *testing.T) {
	fsys, want := killed(t, 60, small)
	name := onlyFile(t, fsys, "MANIFEST-*")
	g, ok := manifestGeneration(filepath.Base(name))
	require.True(t, ok)
	for _, stale := range [][]byte{
		mustRead(t, fsys, name),
		(&manifest{generation: g + 1, store: goldenStore, nextSegment: 9}).encode(),
	} {
		clone := snapshotFiles(t, fsys)
		require.NoError(t, afero.WriteFile(clone, filepath.Join(dir, manifestName(g+1)), stale, 0o644))
		db := mustOpen(t, clone, small)
		requireContents(t, db, want)
		require.Contains(t, fmt.Sprint(db.Stats().Recovery.Notes), manifestName(g+1))
	}
}

// The same for a segment that was just begun, over one of another store.
func TestStaleBytesUnderANewSegmentsNameAreNoDamage(t *testing.T) {
	fsys, want := killed(t, 60, small)
	other, _ := killed(t, 60, small)
	next := filepath.Join(dir, segmentName(uint64(len(files(t, fsys, "*.seg")))+1))
	require.NoError(t, afero.WriteFile(fsys, next, mustRead(t, other, filepath.Join(dir, segmentName(1))), 0o644))
	db := mustOpen(t, fsys, small)
	requireContents(t, db, want)
	require.Contains(t, fmt.Sprint(db.Stats().Recovery.Notes), "left alone")
	for i := range 100 {
		key := fmt.Sprint("more-", i)
		require.NoError(t, db.Set([]byte(key), []byte("v")))
		want[key] = "v"
	}
	requireContents(t, reopen(t, db, fsys), want)
}

// And for STORE, during creation.
func TestStaleBytesUnderTheStoreFilesNameAreNoDamage(t *testing.T) {
	fsys := afero.NewMemMapFs()
	m := manifest{generation: 1, store: storeID{1}, nextSegment: 1}
	require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, manifestName(1)), m.encode(), 0o644))
	require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, storeFile), encodeStoreFile(goldenStore), 0o644))
	db := mustOpen(t, fsys, small)
	want := load(t, db, 5)
	requireContents(t, reopen(t, db, fsys), want)
}

// The names of the newest manifest and of the segment that it had added change
// places, and an older manifest is still there: it was taken, the segment passed
// for one that was never finished, and all its records were lost without a word.
func TestSegmentUnderTheNewestManifestsNameIsRefused(t *testing.T) {
	m := buildMatrixStore(t, 1, endKilled)
	files := maps.Clone(m.files)
	files[m.newest], files[m.active] = m.files[m.active], m.files[m.newest]
	fsys := newMatrixFs(files)
	_, err := Open(fsys, dir, nil)
	var damage *DamageError
	require.ErrorAs(t, err, &damage)
	require.Equal(t, m.newest, damage.File)
	require.Equal(t, m.bound+1, damage.FirstSeq)
	require.Equal(t, slices.Max(slices.Collect(maps.Keys(m.states))), damage.LastSeq)
	require.Contains(t, fsys.contents(), m.active, "the evidence stays")
}

// The newest manifest is bad, an older one is there, and a segment that only the
// bad one had listed: the segment was blamed.
func TestNewestManifestThatIsBadIsTheOneThatIsNamed(t *testing.T) {
	m := buildMatrixStore(t, 1, endKilled)
	files := maps.Clone(m.files)
	files[m.newest] = garbage(1, len(files[m.newest]))
	fsys := newMatrixFs(files)
	_, err := Open(fsys, dir, nil)
	var damage *DamageError
	require.ErrorAs(t, err, &damage)
	require.Equal(t, m.newest, damage.File)
	require.Contains(t, damage.Reason, m.active)
	report, err := Check(fsys, dir, nil)
	require.NoError(t, err)
	require.True(t, report.names(m.newest), "%+v", report.Damages)
	require.Len(t, report.Manifests, 2)
	require.True(t, report.Manifests[1].Counts)
}

// The STORE file of another store: the manifests were blamed.
func TestStoreFileOfAnotherStoreIsTheOneThatIsNamed(t *testing.T) {
	fsys, _ := killed(t, 10, roomy)
	require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, storeFile), encodeStoreFile(goldenStore), 0o644))
	require.Contains(t, requireDamage(t, fsys, storeFile).Reason, "its segments belong to store")

	// With the segment gone too, nothing says which of the two is out of place.
	require.NoError(t, fsys.Remove(onlyFile(t, fsys, "*.seg")))
	requireDamage(t, fsys, manifestPrefix+"*")
}

// What the headers of a segment that no manifest lists claim is not allocated.
func TestUnlistedSegmentCostsNoMoreMemoryThanItHas(t *testing.T) {
	fsys, _ := killed(t, 3, roomy)
	name := onlyFile(t, fsys, "*.seg")
	h, err := parseSegmentHeader(mustRead(t, fsys, name))
	require.NoError(t, err)
	h.number, h.capacity = 50, 1<<40
	content := h.encode()
	place := newSegment(h, nil).start()
	rec := appendRecord(nil, kindSet, 0, []byte("k"), nil)
	le.PutUint32(rec[12:], MaxBatchBytes)
	place.place(rec)
	require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, segmentName(50)), append(content, rec...), 0o644))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	mustOpen(t, fsys, roomy)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
}

// After a failed sync of the directory a name may be in the kernel's cache
// only, and a later sync of the directory says OK without writing it. So what
// an interrupted creation left is removed and created again.
func TestCreationDoesNotBuildOnNamesThatAFailedSyncLeft(t *testing.T) {
	for n := 1; n <= 6; n++ {
		fsys := faultfs.New(afero.NewMemMapFs())
		failing := fsys.Inject(faultfs.MustParse(fmt.Sprintf("syncdir * #%d EIO", n))[0])
		db, err := Open(fsys, dir, small)
		if err == nil {
			require.NoError(t, db.Close())
			continue
		}
		failing.Remove()
		removed := fsys.Inject(faultfs.MustParse("remove STORE count")[0])
		storeThere, err := afero.Exists(fsys, filepath.Join(dir, storeFile))
		require.NoError(t, err)
		manifestTwoThere, err := afero.Exists(fsys, filepath.Join(dir, manifestName(2)))
		require.NoError(t, err)
		mustOpen(t, fsys, small)
		if storeThere && !manifestTwoThere {
			require.Equal(t, 1, removed.Calls(), "STORE was relied on although the sync of its directory failed")
		}
	}
}

// One bad sector can hold many small groups and all that tells of them. The
// manifest tells as well, once a second.
func TestBadSectorCannotTakeMoreThanTheLastSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := afero.NewMemMapFs()
		db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10})
		for i := range 10 {
			require.NoError(t, db.Set([]byte{byte(i)}, nil))
		}
		time.Sleep(defaultBoundEvery)
		synctest.Wait()
		abandon(db)
		name := onlyFile(t, fsys, "*.seg")
		writeBytes(t, fsys, name, make([]byte, 512), 512)
		require.EqualValues(t, 512, requireDamage(t, fsys, filepath.Base(name)).Offset)
	})
}

// Raising the bound is housekeeping: when it fails it is put off, and nothing
// is in doubt.
func TestBoundThatCannotBeRaised(t *testing.T) {
	for _, rule := range []string{
		"create MANIFEST-* #1 ENOSPC", "create MANIFEST-* #1 EMFILE", "sync MANIFEST-* #1 EIO", "syncdir * #1 EIO",
	} {
		synctest.Test(t, func(t *testing.T) {
			fsys := faultfs.New(afero.NewMemMapFs())
			db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10})
			want := load(t, db, 3)
			fsys.Inject(faultfs.MustParse(rule)[0])
			time.Sleep(3 * defaultBoundEvery) // the second attempt waits twice as long
			synctest.Wait()
			fsys.CheckFired(t)
			require.NoError(t, db.Stats().Fenced, rule)
			m, _, err := parseManifest(mustRead(t, fsys, onlyFile(t, fsys, "MANIFEST-*")))
			require.NoError(t, err)
			require.EqualValues(t, 3, m.lastSeq(), rule)
			requireContents(t, reopen(t, db, fsys), want)
		})
	}
}

// afero's file in memory has one cursor for all positional calls.
func TestConcurrentCallsOnAFileWithOneCursor(t *testing.T) {
	for _, fsys := range []afero.Fs{afero.NewMemMapFs(), faultfs.New(afero.NewMemMapFs())} {
		db := mustOpen(t, fsys, roomy)
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := range 60 {
					key, value := fmt.Appendf(nil, "%d-%d", w, i), fmt.Appendf(nil, "v%d", i)
					setErr := db.Set(key, value)
					got, getErr := db.Get(key)
					if setErr != nil || getErr != nil || string(got) != string(value) {
						t.Errorf("%s is %q: %v, %v", key, got, setErr, getErr)
					}
				}
			})
		}
		wg.Wait()
		require.Equal(t, 960, reopen(t, db, fsys).Stats().Keys)
	}
}

// A manifest that cannot be written must not cost a new segment at each try.
func TestRotationThatFailsAgainAndAgainTakesNoSpace(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, small)
	want := load(t, db, 30)
	failing := fsys.Inject(faultfs.MustParse("create MANIFEST-* EMFILE")[0])
	for range 50 {
		require.ErrorIs(t, db.Set([]byte("big"), make([]byte, 3000)), syscall.EMFILE)
	}
	require.Len(t, files(t, fsys, "*.seg"), 2)
	failing.Remove()
	big := strings.Repeat("b", 5000) // more than the segment that is ready has room for
	require.NoError(t, db.Set([]byte("big"), []byte(big)))
	want["big"] = big
	requireContents(t, db, want)
	requireContents(t, reopen(t, db, fsys), want)
}

// A write that finds the disk full seals the segment. If it has no record yet
// it is dropped, or every try would leave one behind.
func TestFullDiskLeavesNoEmptySegmentsBehind(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 5)
	for range 50 {
		fsys.Inject(faultfs.MustParse("write *.seg #1 tear=10 ENOSPC")[0])
		require.ErrorIs(t, db.Set([]byte("k"), []byte("v")), ErrDiskFull)
		// The next one begins a segment, whose header fits, and fails in it.
		fsys.Inject(faultfs.MustParse("write *.seg #2 tear=10 ENOSPC")[0])
		require.ErrorIs(t, db.Set([]byte("k"), []byte("v")), ErrDiskFull)
	}
	require.LessOrEqual(t, len(files(t, fsys, "*.seg")), 2)
	require.LessOrEqual(t, len(db.committer.segments), 2)
	require.NoError(t, db.Set([]byte("k"), []byte("v")))
	want["k"] = "v"
	requireContents(t, reopen(t, db, fsys), want)
}

// Under an interval policy, a write whose own flush fails is not acknowledged.
func TestIntervalDoesNotAcknowledgeAWriteWhoseOwnFlushFailed(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, &Options{Sync: SyncEvery(time.Hour)})
	fsys.Inject(faultfs.MustParse("sync *.seg #2+ EIO")[0]) // the first is the new segment's
	err := db.Set([]byte("big"), make([]byte, maxGatheredBytes+1))
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	fsys.CheckFired(t)
}

// Once an interval has found the disk full, further writes are refused.
func TestIntervalRefusesWhatAFullDiskWouldLose(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10, Sync: SyncEvery(time.Hour)})
	require.NoError(t, db.Set([]byte("first"), nil))
	full := fsys.Inject(faultfs.MustParse("write *.seg ENOSPC")[0])
	require.ErrorIs(t, db.Sync(), ErrDiskFull)
	require.ErrorIs(t, db.Set([]byte("second"), nil), ErrDiskFull)
	full.Remove()
	require.NoError(t, db.Set([]byte("third"), nil))
	require.NoError(t, db.Sync())
	requireContents(t, reopen(t, db, fsys), contents{"first": "", "third": ""})
}

func TestClosedStoreRefusesEvenWhatTouchesNoFile(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), small)
	load(t, db, 2)
	s, err := db.Snapshot()
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = s.ScanPage(ScanOptions{KeysOnly: true})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, db.Apply(new(Batch)), ErrClosed)
}

// Callers who never leave the queue empty must not put off what is due by the
// clock.
func TestIntervalEndsUnderSteadyLoad(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), &Options{SegmentBytes: 4 << 20, Sync: SyncEvery(time.Millisecond)})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := db.Set(fmt.Appendf(nil, "%d-%d", w, i%100), nil); err != nil {
					t.Errorf("setting: %v", err)
					return
				}
			}
		})
	}
	// Far fewer bytes than would be flushed for their amount.
	require.Eventually(t, func() bool { return db.Stats().Syncs >= 10 }, waitLimit, pollEvery)
	require.Less(t, db.Stats().LastSeq, uint64(10*maxGatheredBytes/48))
	close(stop)
	wg.Wait()
}

// A manifest that was only begun is removed again, or a full disk would collect
// one for every try.
func TestManifestsThatFindTheDiskFullLeaveNothingBehind(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, small)
	want := load(t, db, 30)
	failing := fsys.Inject(faultfs.MustParse("write MANIFEST-* ENOSPC")[0])
	for range 50 {
		require.ErrorIs(t, db.Set([]byte("big"), make([]byte, 3000)), ErrDiskFull)
	}
	require.Len(t, files(t, fsys, "MANIFEST-*"), 1)
	failing.Remove()
	requireContents(t, reopen(t, db, fsys), want)
}

// A storage that answers every call with EINTR fails it in the end, instead of
// keeping the committer busy for good.
func TestEndlessInterruptsAreAnError(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 5)
	writes := fsys.Inject(faultfs.MustParse("write * EINTR")[0])
	require.ErrorIs(t, db.Set([]byte("k"), []byte("v")), syscall.EINTR)
	writes.Remove()
	reads := fsys.Inject(faultfs.MustParse("read * EINTR")[0])
	_, err := db.Get([]byte("key-0001"))
	require.ErrorIs(t, err, syscall.EINTR)
	reads.Remove()
	requireContents(t, db, want)
}

// A call of Sync that comes while gathered records wait for a new segment must
// not make readers look for them in the one that was given up.
func TestGatheredRecordsStayReadableAfterAFullDiskAtTheSync(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10, Sync: SyncEvery(time.Hour), resumeEvery: time.Hour})
	want := load(t, db, 5)
	require.NoError(t, db.Sync())
	require.NoError(t, db.Set([]byte("gathered"), []byte("v")))
	want["gathered"] = "v"
	fsys.Inject(faultfs.MustParse("sync *.seg #1 ENOSPC")[0])
	fsys.Inject(faultfs.MustParse("create *.seg #1 EIO")[0])
	require.ErrorIs(t, db.Sync(), ErrDiskFull)
	requireContents(t, db, want)
	require.ErrorIs(t, db.Sync(), syscall.EIO)
	requireContents(t, db, want)
	fsys.CheckFired(t)
}

// A write for which no new segment could be begun has failed for certain. The
// error must be of a kind that says so: the server takes what it does not know
// for a defect, and the outcome for unknown.
func TestWriteThatFindsNoNewFileFailsByKind(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, small)
	want := load(t, db, 5)
	broken := fsys.Inject(faultfs.MustParse("create *.seg EMFILE")[0])
	err := db.Set([]byte("big"), make([]byte, 5000))
	require.ErrorIs(t, err, ErrFenced)
	require.ErrorIs(t, err, syscall.EMFILE)
	require.NoError(t, db.Stats().Fenced, "smaller writes go on")
	require.NoError(t, db.Set([]byte("small"), []byte("v")))
	broken.Remove()
	require.NoError(t, db.Set([]byte("big"), []byte("v")), "at once")
	want["small"], want["big"] = "v", "v"
	requireContents(t, reopen(t, db, fsys), want)
}
