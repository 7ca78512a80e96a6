package kv

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// Each test here was written because a bug that was planted in the engine
// (internal/mutants) was caught by no other.

// A store is no more durable than the path to it: every directory above it is
// synced when it is created, and an error of that is one of Open.
func TestPathToAStoreIsDurable(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	var mu sync.Mutex
	var synced []string
	fsys.OnCall(func(c faultfs.Call) {
		mu.Lock()
		defer mu.Unlock()
		if c.Op == "syncdir" {
			synced = append(synced, c.Path)
		}
	})
	mustOpen(t, fsys, small)
	require.Equal(t, []string{"/data", "/", dir}, synced[:3])
	for n := 1; n <= 2; n++ {
		fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(fmt.Sprintf("syncdir * #%d EIO", n))...)
		_, err := Open(fsys, dir, small)
		require.ErrorIs(t, err, syscall.EIO)
		fsys.CheckFired(t)
		mustOpen(t, fsys, small)
	}
	fsys = faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("syncdir * #2 EACCES")...)
	mustOpen(t, fsys, small) // a parent that may not be opened was not made by this user
	fsys.CheckFired(t)
}

// shortList is a file system whose directories do not list some of what is in
// them.
type shortList struct {
	afero.Fs
	hidden []string
}

type shortListing struct {
	afero.File
	hidden []string
}

func (s shortList) Open(name string) (afero.File, error) {
	f, err := s.Fs.Open(name)
	return shortListing{f, s.hidden}, err
}

func (s shortListing) Readdirnames(n int) ([]string, error) {
	names, err := s.File.Readdirnames(n)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(s.hidden, name) }), err
}

// A listing decides nothing alone: what it leaves out is neither created anew
// nor written over.
func TestListingThatComesUpShortLosesNothing(t *testing.T) {
	fsys, _ := killed(t, 12, roomy)
	names := []string{segmentName(1), filepath.Base(onlyFile(t, fsys, "MANIFEST-*"))}
	require.NoError(t, fsys.Remove(filepath.Join(dir, storeFile)))
	short := shortList{fsys, names}
	_, err := Open(&short, dir, small)
	require.ErrorIs(t, err, ErrDamaged)
	failing := faultfs.New(&short, faultfs.MustParse("stat *.seg #1 EIO")...)
	_, err = Open(failing, dir, small)
	require.ErrorIs(t, err, syscall.EIO, "nobody can tell whether there was a store")
	require.NotErrorIs(t, err, ErrDamaged)
	failing.CheckFired(t)
}

// The manifest of a new segment is lost, and the segment is not listed.
func TestSegmentThatIsNotListedIsLookedForByName(t *testing.T) {
	for last := 1; last <= 3; last++ {
		fsys := afero.NewMemMapFs()
		db := mustOpen(t, fsys, small)
		var older string
		var content []byte
		for i := 0; db.Stats().Segments < last; i++ {
			older = onlyFile(t, fsys, "MANIFEST-*")
			content = mustRead(t, fsys, older)
			require.NoError(t, db.Set(fmt.Append(nil, i), make([]byte, 1000)))
		}
		abandon(db)
		require.NoError(t, fsys.Remove(onlyFile(t, fsys, "MANIFEST-*")))
		require.NoError(t, afero.WriteFile(fsys, older, content, 0o644))
		if last > 1 { // the older manifest knew it before it gave its space back
			truncate(t, fsys, filepath.Join(dir, segmentName(uint64(last-1))), 4096)
		}
		_, err := Open(&shortList{fsys, []string{segmentName(uint64(last))}}, dir, small)
		require.ErrorIs(t, err, ErrDamaged)
		require.ErrorContains(t, err, segmentName(uint64(last)))
	}
}

// Files that are not listed stand where the next ones would go. They are left
// alone.
func TestNewFilesTakeNoNameThatIsThere(t *testing.T) {
	fsys, want := killed(t, 12, roomy)
	evidence := filepath.Join(dir, segmentName(3))
	require.NoError(t, afero.WriteFile(fsys, evidence, []byte("evidence"), 0o644))
	db, err := Open(&shortList{fsys, []string{segmentName(3)}}, dir, small)
	require.NoError(t, err)
	failed := 0
	for i := 0; db.Stats().Segments < 5; i++ {
		key, value := fmt.Sprintf("more-%d", i), strings.Repeat("v", 2000)
		if db.Set([]byte(key), []byte(value)) != nil {
			failed++
			continue
		}
		want[key] = value
	}
	require.Equal(t, 1, failed, "the write that found the name taken")
	require.Equal(t, "evidence", string(mustRead(t, fsys, evidence)))
	requireContents(t, db, want)
	require.NoError(t, db.Close())

	newest := onlyFile(t, fsys, "MANIFEST-*")
	g, _ := manifestGeneration(filepath.Base(newest))
	content := mustRead(t, fsys, newest)
	require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, manifestName(g+1)), content, 0o644))
	_, err = Open(&shortList{fsys, []string{manifestName(g + 1)}}, dir, small)
	require.ErrorIs(t, err, os.ErrExist)
	require.Equal(t, content, mustRead(t, fsys, filepath.Join(dir, manifestName(g+1))))
}

// The window through which recovery reads moves on within a batch.
func TestLargeBatchIsRecoveredWithItsKeys(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, &Options{SegmentBytes: 8 << 20})
	b, want := new(Batch), contents{}
	for _, key := range []string{"first", "second", "third", "fourth"} {
		want[key] = strings.Repeat(key, 600<<10/len(key))
		b.Set([]byte(key), []byte(want[key]))
	}
	require.NoError(t, db.Apply(b))
	requireContents(t, reopen(t, db, fsys), want)
}

// The proof that a hole had been synced may stand anywhere behind it.
func TestWitnessIsFoundWhereverItStands(t *testing.T) {
	h := goldenHeader()
	h.capacity = 4 << 20
	const hole = 4096
	for _, at := range []int64{hole, hole + 8, hole + 48, hole + windowBytes - 8, hole + windowBytes - 16, hole + windowBytes,
		hole + 2*windowBytes + 24, h.capacity - 48} {
		file, err := afero.NewMemMapFs().Create("segment")
		require.NoError(t, err)
		require.NoError(t, file.Truncate(h.capacity))
		seg := newSegment(h, file)
		for durable, found := range map[int64]bool{hole: false, min(at, hole+8): at > hole} {
			place := placement{identity: seg.identity, offset: at, seq: 9, durable: durable}
			rec := appendRecord(nil, kindSet, 0, []byte("key"), nil)
			place.place(rec)
			_, err = file.WriteAt(rec, at)
			require.NoError(t, err)
			rem, err := seg.examine(newWindow(seg), hole, hole)
			require.NoError(t, err)
			require.Equal(t, found, rem.witness != nil, "a record at %d that says %d is durable", at, durable)
			if found {
				require.Equal(t, at, rem.witnessA)
			}
		}
	}
}

// A checksum of zero is as wrong as any.
func TestChecksumOfZeroIsNone(t *testing.T) {
	rec := appendRecord(nil, kindSet, 0, []byte("key"), []byte("value"))
	place := placement{identity: 99, offset: 4096, seq: 5}
	place.place(rec)
	h, ok := parseHeader(rec, 99, 4096)
	require.True(t, ok)
	h.payloadCRC = 0
	require.False(t, h.payloadIntact(rec[recordHeaderBytes:][:8]))
	clear(rec[:4])
	_, ok = parseHeader(rec, 99, 4096)
	require.False(t, ok)
}

// The bound that the clock raises covers what was synced, and not what an
// interval has gathered since.
func TestBoundLeavesOutWhatIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := afero.NewMemMapFs()
		db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10, Sync: SyncEvery(time.Hour)})
		require.NoError(t, db.Set([]byte("synced"), []byte("v")))
		require.NoError(t, db.Sync())
		require.NoError(t, db.Set([]byte("gathered"), []byte("v")))
		time.Sleep(2 * defaultBoundEvery)
		synctest.Wait()
		abandon(db)
		m, _, err := parseManifest(mustRead(t, fsys, onlyFile(t, fsys, "MANIFEST-*")))
		require.NoError(t, err)
		require.EqualValues(t, 1, m.lastSeq())
		requireContents(t, mustOpen(t, fsys, roomy), contents{"synced": "v"})
	})
}

// Whichever read fails as often as it is tried: a damaged store is not opened
// because the proof of it could not be read, and nothing in it is changed.
func TestDamagedStoreIsNotOpenedWhileReadsFail(t *testing.T) {
	m := buildMatrixStore(t, 1, endKilled)
	swapped, holed, unlisted := maps.Clone(m.files), maps.Clone(m.files), maps.Clone(m.files)
	swapped[m.newest], swapped[m.active] = swapped[m.active], swapped[m.newest]
	holed[m.active] = slices.Clone(holed[m.active])
	holed[m.active][segmentHeaderBytes] ^= 1
	unlisted[m.newest] = garbage(1, len(unlisted[m.newest]))
	for name, files := range map[string]map[string][]byte{"swapped": swapped, "holed": holed, "unlisted": unlisted} {
		fired := 1
		for n := 1; fired > 0; n++ {
			base := newMatrixFs(files)
			fsys := faultfs.New(base)
			rule := fsys.Inject(faultfs.MustParse(fmt.Sprintf("read * #%d+ heal=3 EIO", n))[0])
			_, err := Open(fsys, dir, small)
			if fired = rule.Fired(); !errors.Is(err, syscall.EIO) {
				require.ErrorIs(t, err, ErrDamaged, "%s, read %d", name, n)
			}
			require.Zero(t, base.changes, "%s, read %d", name, n)
		}
	}
}

// Close says when it could not note where the log ends: until the next Open
// damage to the last group would look like a torn write.
func TestCloseSaysThatTheEndIsNotNoted(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 3)
	fsys.Inject(faultfs.MustParse("create MANIFEST-* #1 EIO")[0])
	err := db.Close()
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorContains(t, err, "where the log ends")
	require.ErrorIs(t, db.Close(), syscall.EIO, "the same again")
	requireContents(t, mustOpen(t, fsys, roomy), want)
}

// What an interrupted creation left and what cannot be removed is what the error
// names, and not what comes of it.
func TestLeftoverThatCannotBeRemovedStopsACreation(t *testing.T) {
	fsys := faultfs.New(interruptedWorld(t).fs(t), faultfs.MustParse("remove MANIFEST-* #1 EIO")...)
	_, err := Open(fsys, dir, small)
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorContains(t, err, manifestName(1))
	mustOpen(t, fsys, small)
}

// Writes that share a sync do not vouch for each other: none of them was durable
// when the others were written.
func TestRecordsOfOneSyncDoNotVouchForEachOther(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10, Sync: SyncEvery(time.Hour), BoundEvery: time.Hour})
	for _, key := range []string{"a", "b", "c"} {
		require.NoError(t, db.Set([]byte(key), []byte("v")))
	}
	require.NoError(t, db.Sync())
	abandon(db)
	writeBytes(t, fsys, onlyFile(t, fsys, "*.seg"), make([]byte, 48), segmentHeaderBytes)
	db = mustOpen(t, fsys, roomy)
	require.EqualValues(t, 2*48+48, db.Stats().Recovery.CutBytes, "a torn tail, and no damage")
	requireContents(t, db, contents{})
}

// The space of every sealed segment is given back, once.
func TestSpaceIsGivenBackOnce(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	var truncated atomic.Int64
	fsys.OnCall(func(c faultfs.Call) {
		if c.Op == "truncate" {
			truncated.Add(1)
		}
	})
	db := mustOpen(t, fsys, small)
	load(t, db, 200)
	require.Greater(t, db.Stats().Segments, 4)
	require.EqualValues(t, db.Stats().Segments-1, truncated.Load())
}

// A manifest whose sync failed may be on disk, and goes when a newer one is.
func TestManifestsThatFailedAreRemoved(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, &Options{SegmentBytes: 4 << 10, BoundEvery: time.Hour, resumeEvery: time.Nanosecond})
	want := load(t, db, 20)
	fsys.Inject(faultfs.MustParse("sync MANIFEST-* #1+ heal=3 EIO")[0])
	for i := 0; len(fsys.Unfired()) > 0 || db.Stats().Fenced != nil; i++ {
		if key := fmt.Sprintf("more-%d", i); db.Set([]byte(key), []byte("v")) == nil {
			want[key] = "v"
		}
	}
	require.Len(t, files(t, fsys, "MANIFEST-*"), 1)
	requireContents(t, reopen(t, db, fsys), want)
}

// A segment was begun and could not be listed; the next write wants more room.
func TestSegmentThatWasBegunIsUsedOnlyIfItIsLargeEnough(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, small)
	want := load(t, db, 20)
	fsys.Inject(faultfs.MustParse("create MANIFEST-* #1 EMFILE")[0])
	for i := 0; len(fsys.Unfired()) > 0; i++ {
		if key := fmt.Sprintf("more-%d", i); db.Set([]byte(key), []byte("v")) == nil {
			want[key] = "v"
		}
	}
	want["large"] = strings.Repeat("v", 20_000)
	require.NoError(t, db.Set([]byte("large"), []byte(want["large"])))
	requireContents(t, reopen(t, db, fsys), want)
}

// The bound follows the log for as long as there are writes.
func TestBoundIsRaisedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := afero.NewMemMapFs()
		db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10})
		for i := range 4 {
			require.NoError(t, db.Set([]byte{byte(i)}, nil))
			time.Sleep(defaultBoundEvery)
			synctest.Wait()
			m, _, err := parseManifest(mustRead(t, fsys, onlyFile(t, fsys, "MANIFEST-*")))
			require.NoError(t, err)
			require.EqualValues(t, i+1, m.lastSeq())
		}
	})
}

// While an older group waits to be published a newer one waits behind it.
func TestGroupsArePublishedInOrder(t *testing.T) {
	p := &publisher{groups: make(chan *group, 1)}
	p.behind.Store(1)
	c := &committer{db: &DB{queue: newQueue()}, publisher: p}
	g := new(group)
	c.deliver(g)
	require.Same(t, g, <-p.groups)
}

// A fence stays until an attempt to end it has succeeded, whether the write that
// brought it about is unknown or, once it was cut off, has failed.
func TestFailedAttemptLeavesTheFence(t *testing.T) {
	for _, rule := range []string{"sync|syncdir * EIO", "sync *.seg EIO"} {
		fsys := faultfs.New(afero.NewMemMapFs())
		db := mustOpen(t, fsys, &Options{SegmentBytes: 64 << 10, BoundEvery: time.Hour, resumeEvery: time.Nanosecond})
		want := load(t, db, 3)
		broken := fsys.Inject(faultfs.MustParse(rule)[0])
		for range 4 {
			require.Error(t, db.Set([]byte("refused"), []byte("v")), rule)
			require.ErrorIs(t, db.Stats().Fenced, ErrFenced, rule)
		}
		broken.Remove()
		require.NoError(t, db.Set([]byte("resumed"), []byte("v")), rule)
		want["resumed"] = "v"
		require.NoError(t, db.Stats().Fenced)
		requireContents(t, reopen(t, db, fsys), want)
	}
}

// A disk without room for a segment of the usual size gets a small one.
func TestSmallSegmentWhereThereIsNoRoomForALargeOne(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("preallocate *.seg #1 ENOSPC")...)
	db := mustOpen(t, fsys, &Options{SegmentBytes: 1 << 20, BoundEvery: time.Hour})
	want := load(t, db, 3)
	fsys.CheckFired(t)
	require.EqualValues(t, smallSegmentBytes, db.committer.active.header.capacity)
	requireContents(t, reopen(t, db, fsys), want)
}

// A manifest that the listing has hidden stands where the next one would go. It
// is neither written over nor removed.
func TestManifestThatIsNotListedIsNotRemoved(t *testing.T) {
	fsys := afero.NewMemMapFs()
	const hidden = "MANIFEST-00000006"
	db := mustOpen(t, &shortList{fsys, []string{hidden}}, small)
	require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, hidden), []byte("evidence"), 0o644))
	for i := 0; db.Stats().Segments < 12; i++ {
		_ = db.Set(fmt.Append(nil, i), make([]byte, 1000)) // one of them finds the name taken
	}
	require.NoError(t, db.Close())
	require.Equal(t, "evidence", string(mustRead(t, fsys, filepath.Join(dir, hidden))))
}
