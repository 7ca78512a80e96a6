package kv

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// The four scenarios that every store must meet come first; what is asserted is
// the promise, on the running store and on the next open.

func TestFailedSyncIsNeverAcknowledgedAndNeverTriedAgain(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 5)
	first := fsys.Inject(faultfs.MustParse(`sync 00000001.seg #1 EIO`)[0])
	every := fsys.Inject(faultfs.MustParse(`sync * EIO`)[0])

	err := db.Set([]byte("unknown"), []byte("v"))
	require.ErrorIs(t, err, ErrOutcomeUnknown)
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorContains(t, err, "syncing 00000001.seg")
	requireContents(t, db, want) // it is not visible, and reads go on

	every.Remove()
	for range 3 { // the disk would say OK now; that file is not asked
		err = db.Set([]byte("fenced"), []byte("v"))
		require.ErrorIs(t, err, ErrFenced)
		require.ErrorIs(t, err, syscall.EIO)
		require.NotErrorIs(t, err, ErrOutcomeUnknown)
	}
	require.ErrorIs(t, db.Sync(), ErrFenced)
	require.ErrorIs(t, db.Stats().Fenced, syscall.EIO)
	require.NoError(t, db.Close())
	require.Equal(t, 1, first.Calls(), "the file was synced again")
	fsys.CheckFired(t)

	db = mustOpen(t, fsys, roomy)
	_, err = db.Get([]byte("fenced"))
	require.ErrorIs(t, err, ErrNotFound)
	if _, err := db.Get([]byte("unknown")); err == nil {
		want["unknown"] = "v"
	}
	requireContents(t, db, want)
	requireContents(t, reopen(t, db, fsys), want) // decided is decided
}

// The kernel has the record in its cache and has forgotten to write it: the
// failed sync marked its page clean. A later sync of the file would say OK.
// Recovery must not serve such a record before it has written it again.
func TestRecordBehindAFailedSyncIsWrittenAgainBeforeItIsServed(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	load(t, db, 5)
	fsys.Inject(faultfs.MustParse(`sync *.seg #1 EIO`)[0])
	creating := fsys.Inject(faultfs.MustParse(`create * EIO`)[0])
	require.ErrorIs(t, db.Set([]byte("unknown"), []byte("v")), ErrOutcomeUnknown)
	abandon(db)
	creating.Remove()
	db = mustOpen(t, fsys, roomy)
	require.EqualValues(t, 1, db.Stats().Recovery.Rewritten)
	db.mu.RLock()
	l, ok := db.index.get([]byte("unknown"))
	db.mu.RUnlock()
	require.True(t, ok)
	require.EqualValues(t, segmentCopy, l.seg.header.kind)
}

func TestTornWriteIsUnknownAndNothingAcknowledgedIsLost(t *testing.T) {
	for _, tear := range []int{0, 1, 39, 40, 50, 60} {
		t.Run(fmt.Sprintf("after %d bytes", tear), func(t *testing.T) {
			fsys := faultfs.New(afero.NewMemMapFs())
			db := mustOpen(t, fsys, roomy)
			want := load(t, db, 5)
			fsys.Inject(faultfs.Rule{Op: faultfs.OpWrite, Path: "*.seg", N: 1, Err: syscall.EIO, TearBytes: tear})
			creating := fsys.Inject(faultfs.MustParse(`create * EIO`)[0])

			require.ErrorIs(t, db.Set([]byte("torn"), []byte("a value of some length")), ErrOutcomeUnknown)
			require.ErrorIs(t, db.Set([]byte("fenced"), nil), ErrFenced)
			requireContents(t, db, want)
			require.NoError(t, db.Close())
			fsys.CheckFired(t)
			creating.Remove()

			db = mustOpen(t, fsys, roomy)
			requireContents(t, db, want)
			require.Equal(t, tear > 0, db.Stats().Recovery.CutBytes > 0)
			requireContents(t, reopen(t, db, fsys), want)
		})
	}
}

func TestCorruptedFileIsRefusedByNameAndNeverServed(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, small)
	load(t, db, 100)
	require.NoError(t, db.Close())
	for _, name := range files(t, fsys, "*.seg") {
		clone := snapshotFiles(t, fsys)
		ends := recordEnds(t, clone, name)
		require.NoError(t, faultfs.Corrupt(clone, name, ends[1]+48, func(b []byte) { b[0]++ }, 1))
		_, err := Open(clone, dir, nil)
		var damage *DamageError
		require.ErrorAs(t, err, &damage)
		require.Equal(t, dir+"/"+damage.File, name)
		require.Equal(t, ends[1], damage.Offset)
	}
}

func TestFullDiskFailsWritesKeepsReadsAndHealsByItself(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, small)
	want := load(t, db, 100)
	disk := fsys.Inject(faultfs.Rule{Op: faultfs.OpWrite, Quota: faultfs.Full})

	failed := 0
	for i := range 200 {
		key := fmt.Sprintf("full-%d", i)
		err := db.Set([]byte(key), []byte("v"))
		if err == nil {
			want[key] = "v" // it fits the space that the segment had reserved
			continue
		}
		require.ErrorIs(t, err, ErrDiskFull)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NotErrorIs(t, err, ErrOutcomeUnknown)
		failed++
	}
	require.Positive(t, failed)
	require.NoError(t, db.Stats().Fenced)
	requireContents(t, db, want)

	disk.Remove()
	require.NoError(t, db.Set([]byte("resumed"), []byte("v")))
	want["resumed"] = "v"
	requireContents(t, db, want)
	requireContents(t, reopen(t, db, fsys), want) // and what failed never appears
}

// The space for a segment is reserved before the first record goes into it, but
// not every file system can reserve. Then a write may find the disk full, and
// what it left in the file must never come back.
func TestWriteThatFindsTheDiskFullFailsForCertain(t *testing.T) {
	for _, errno := range []string{"ENOSPC", "EDQUOT"} {
		fsys := faultfs.New(afero.NewMemMapFs())
		db := mustOpen(t, fsys, roomy)
		want := load(t, db, 5)
		fsys.Inject(faultfs.MustParse(`write *.seg #1 tear=60 ` + errno)[0])
		require.ErrorIs(t, db.Set([]byte("whole"), nil), ErrDiskFull) // its 48 bytes are all in the file
		requireContents(t, db, want)
		requireContents(t, mustOpen(t, snapshotFiles(t, fsys), roomy), want) // as after a kill right now
		require.NoError(t, db.Set([]byte("next"), []byte("v")))
		want["next"] = "v"
		requireContents(t, db, want)
		fsys.CheckFired(t)
		requireContents(t, reopen(t, db, fsys), want)
	}
}

// When not even the cut can be made durable, the write is unknown.
func TestWriteThatCannotBeCutOffIsUnknown(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 5)
	fsys.Inject(faultfs.MustParse(`write *.seg #1 tear=10 ENOSPC`)[0])
	fsys.Inject(faultfs.MustParse(`create MANIFEST-* #1 ENOSPC`)[0])
	require.ErrorIs(t, db.Set([]byte("k"), []byte("v")), ErrOutcomeUnknown)
	require.ErrorIs(t, db.Set([]byte("k"), []byte("v")), ErrFenced)
	fsys.CheckFired(t)
	requireContents(t, reopen(t, db, fsys), want)
}

// A new segment that cannot be made fails the write and nothing else, unless a
// sync failed on the way.
func TestRotationThatFails(t *testing.T) {
	for _, c := range []struct {
		rule   string
		want   error
		fenced bool
	}{
		{`create *.seg #1 EMFILE`, syscall.EMFILE, false},
		{`create *.seg #1+ heal=2 ENOSPC`, ErrDiskFull, false},
		{`preallocate 00000002.seg #1 EIO`, syscall.EIO, false},
		{`write 00000002.seg #1 ENOSPC`, ErrDiskFull, false},
		{`write 00000002.seg #1 EIO`, ErrFenced, true},
		{`sync 00000002.seg #1 EIO`, ErrFenced, true},
		{`syncdir * #1 EIO`, ErrFenced, true},
		{`syncdir * #2 EIO`, ErrFenced, true},
		{`create MANIFEST-* #1 EMFILE`, syscall.EMFILE, false},
		{`create MANIFEST-* #1 ENOSPC`, ErrDiskFull, false},
		{`write MANIFEST-* #1 tear=100 ENOSPC`, ErrDiskFull, false},
		{`write MANIFEST-* #1 EIO`, ErrFenced, true},
		{`sync MANIFEST-* #1 EIO`, ErrFenced, true},
		{`sync MANIFEST-* #1 EIO after`, ErrFenced, true},
		{`close MANIFEST-* #1 EIO`, ErrFenced, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			fsys := faultfs.New(afero.NewMemMapFs())
			db := mustOpen(t, fsys, small)
			want := load(t, db, 30)
			segments := db.Stats().Segments
			fsys.Inject(faultfs.MustParse(c.rule)[0])
			failures := 0
			for i := 0; db.Stats().Segments == segments && i < 200; i++ {
				// Larger than what is left, then smaller: the old segment may
				// be gone on with only if no manifest ever sealed it.
				value := string(make([]byte, 3000*(i%2)))
				key := fmt.Sprintf("more-%d", i)
				err := db.Set([]byte(key), []byte(value))
				if err == nil {
					want[key] = value
					continue
				}
				failures++
				require.ErrorIs(t, err, c.want)
				require.NotErrorIs(t, err, ErrOutcomeUnknown)
				require.True(t, errIsAny(err, ErrFenced, ErrDiskFull), "of no kind: %v", err)
				if c.fenced {
					break
				}
			}
			require.Positive(t, failures)
			fsys.CheckFired(t)
			require.Equal(t, c.fenced, db.Stats().Fenced != nil)
			requireContents(t, db, want)
			db = reopen(t, db, fsys)
			requireContents(t, db, want)
			require.NoError(t, db.Set([]byte("after"), []byte("v")))
			want["after"] = "v"
			requireContents(t, reopen(t, db, fsys), want)
		})
	}
}

// Housekeeping that fails costs space, never an answer.
func TestFailedHousekeepingIsHarmless(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, small)
	want := load(t, db, 30)
	for _, rule := range faultfs.MustParse("truncate *.seg #1 EIO; remove MANIFEST-* #1 EIO") {
		fsys.Inject(rule)
	}
	for i := range 60 {
		key := fmt.Sprintf("more-%d", i)
		require.NoError(t, db.Set([]byte(key), []byte("v")))
		want[key] = "v"
	}
	fsys.CheckFired(t)
	db = reopen(t, db, fsys)
	requireContents(t, db, want)
	require.Len(t, files(t, fsys, "MANIFEST-*"), 1, "the next open cleans up")
}

func TestInterruptedAndShortCallsAreGoneOnWith(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	fsys.Inject(faultfs.MustParse(`write *.seg #3 tear=5 EINTR`)[0])
	fsys.Inject(faultfs.MustParse(`read *.seg #2 EINTR`)[0])
	want := load(t, db, 10)
	requireContents(t, db, want)
	fsys.CheckFired(t)
	requireContents(t, reopen(t, db, fsys), want)
}

// A read that fails is neither the end of the file nor "not found", and
// concerns one key.
func TestReadErrorIsAnErrorOfThatKeyOnly(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 5)
	passing := fsys.Inject(faultfs.MustParse(`read *.seg #1+ heal=2 EIO`)[0])
	requireContents(t, db, want)
	require.Equal(t, 2, passing.Fired(), "a passing error is got over")

	lasting := fsys.Inject(faultfs.MustParse(`read *.seg EIO`)[0])
	_, err := db.Get([]byte("key-0003"))
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorContains(t, err, `"key-0003"`)
	require.NotErrorIs(t, err, ErrNotFound)
	for _, err := range db.Scan(ScanOptions{}) {
		require.ErrorIs(t, err, syscall.EIO)
	}
	exists, err := db.Exists([]byte("key-0003"))
	require.NoError(t, err)
	require.True(t, exists)
	require.NoError(t, db.Set([]byte("more"), []byte("v")), "writes go on")
	want["more"] = "v"
	lasting.Remove()
	requireContents(t, db, want)
}

// requireReadsAreTruthful allows a read to fail, but not to be wrong.
func requireReadsAreTruthful(t *testing.T, db *DB, want contents) {
	t.Helper()
	for key, value := range want {
		got, err := db.Get([]byte(key))
		require.NotErrorIs(t, err, ErrNotFound)
		if err == nil {
			require.Equal(t, value, string(got))
		}
	}
}
