package kv

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// killed returns the files of a store that n keys were written to, one group
// each, and that was then killed.
func killed(t *testing.T, n int, opts *Options) (afero.Fs, contents) {
	t.Helper()
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, opts)
	want := load(t, db, n)
	abandon(db)
	return fsys, want
}

// logEnd is the offset behind the last byte of a segment that is not zero.
func logEnd(t *testing.T, fsys afero.Fs, name string) int64 {
	t.Helper()
	b, err := afero.ReadFile(fsys, name)
	require.NoError(t, err)
	return alignUp(int64(len(bytes.TrimRight(b, "\x00"))), recordAlign)
}

func TestKilledStoreHasEverythingAcknowledged(t *testing.T) {
	for _, n := range []int{1, 2, 50, 51, 52, 53, 54, 55, 300} {
		fsys, want := killed(t, n, small)
		db := mustOpen(t, fsys, small)
		requireContents(t, db, want)
		require.Zero(t, db.Stats().Recovery.CutBytes)
		require.NoError(t, db.Set([]byte("again"), []byte("x")))
		want["again"] = "x"
		requireContents(t, reopen(t, db, fsys), want)
	}
}

// The last group may have been read from the kernel's cache only: recovery
// writes it again, elsewhere, and leaves the old bytes alone until the new ones
// are durable.
func TestRecoveryWritesTheLastGroupAgain(t *testing.T) {
	fsys, want := killed(t, 10, roomy)
	db := mustOpen(t, fsys, roomy)
	require.EqualValues(t, 1, db.Stats().Recovery.Rewritten)
	require.Equal(t, 2, db.Stats().Segments, "the sealed log and the copy")
	requireContents(t, db, want)
	abandon(db)

	db = mustOpen(t, fsys, roomy)
	require.Zero(t, db.Stats().Recovery.Rewritten, "nothing was written in between")
	requireContents(t, db, want)
}

// Crash, recover, crash, recover …: the same store, and nothing grows.
func TestRecoveringAgainAndAgainChangesNothing(t *testing.T) {
	fsys, want := killed(t, 120, small)
	abandon(mustOpen(t, fsys, small))
	names := files(t, fsys, "*.seg")
	for range 20 {
		db := mustOpen(t, fsys, small)
		requireContents(t, db, want)
		abandon(db)
		require.Equal(t, names, files(t, fsys, "*.seg"))
		require.Len(t, files(t, fsys, "MANIFEST-*"), 1)
	}
}

// A power cut may leave any part of the group that was in flight. Whatever it
// is, the acknowledged data is there, the cut is counted, and what was cut does
// not come back.
func TestTornTailIsCutDurably(t *testing.T) {
	for _, tail := range []struct {
		name string
		tear func(rec []byte) []byte
	}{
		{"one byte", func(rec []byte) []byte { return rec[:1] }},
		{"half a header", func(rec []byte) []byte { return rec[:20] }},
		{"a header", func(rec []byte) []byte { return rec[:40] }},
		{"all but the last byte", func(rec []byte) []byte { return rec[:len(rec)-9] }},
		{"no header", func(rec []byte) []byte { clear(rec[:40]); return rec }},
		{"garbage", func([]byte) []byte { return bytes.Repeat([]byte{0xa5}, 300) }},
	} {
		t.Run(tail.name, func(t *testing.T) {
			fsys, want := killed(t, 20, roomy)
			name := onlyFile(t, fsys, "*.seg")
			rec := inFlight(t, fsys, name, "torn", "never acknowledged", 0)
			end := logEnd(t, fsys, name)
			writeBytes(t, fsys, name, tail.tear(rec), end)

			db := mustOpen(t, fsys, roomy)
			requireContents(t, db, want)
			report := db.Stats().Recovery
			require.Equal(t, filepath.Base(name), report.CutFile)
			require.Equal(t, end, report.CutOffset)
			require.Positive(t, report.CutBytes)

			require.NoError(t, db.Set([]byte("next"), []byte("x")))
			want["next"] = "x"
			db = reopen(t, db, fsys)
			requireContents(t, db, want)
			require.Zero(t, db.Stats().Recovery.CutBytes, "the cut was made for good")
		})
	}
}

// inFlight encodes a record that follows the last one in the file, as the
// committer would have for the next group.
func inFlight(t *testing.T, fsys afero.Fs, name, key, value string, flags uint8) []byte {
	t.Helper()
	file, err := fsys.Open(name)
	require.NoError(t, err)
	defer file.Close()
	h, err := readSegmentHeader(file, name)
	require.NoError(t, err)
	rp := newReplay(newSegment(h, file), segmentHeaderBytes, h.capacity, func(*recordHeader, []byte, int64) {})
	require.NoError(t, rp.run())
	place := rp.next
	place.durable = place.offset
	rec := appendRecord(nil, kindSet, flags, []byte(key), []byte(value))
	place.place(rec)
	return rec
}

func writeBytes(t *testing.T, fsys afero.Fs, name string, b []byte, offset int64) {
	t.Helper()
	file, err := fsys.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = file.WriteAt(b, offset)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

// A whole record that nobody was told OK for may stay: its outcome was unknown,
// and from now on it is decided.
func TestUnacknowledgedWholeRecordStaysDecided(t *testing.T) {
	fsys, want := killed(t, 20, roomy)
	name := onlyFile(t, fsys, "*.seg")
	rec := inFlight(t, fsys, name, "unknown", "v", 0)
	writeBytes(t, fsys, name, rec, logEnd(t, fsys, name))
	want["unknown"] = "v"
	db := mustOpen(t, fsys, roomy)
	requireContents(t, db, want)
	requireContents(t, reopen(t, db, fsys), want)
}

func TestBatchWithoutItsLastRecordIsCutWhole(t *testing.T) {
	fsys, want := killed(t, 20, roomy)
	name := onlyFile(t, fsys, "*.seg")
	end := logEnd(t, fsys, name)
	writeBytes(t, fsys, name, inFlight(t, fsys, name, "part", "v", flagMore), end)
	db := mustOpen(t, fsys, roomy)
	requireContents(t, db, want)
	require.Equal(t, end, db.Stats().Recovery.CutOffset)
	requireContents(t, reopen(t, db, fsys), want)
}

// Groups in flight reach the disk in any order. A later record of the same
// group behind a hole is no evidence that the hole was ever acknowledged.
func TestHoleInTheGroupInFlightIsCut(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 5)
	require.NoError(t, db.Apply(batchOf("x", "1", "y", "2", "z", "3")))
	abandon(db)
	name := onlyFile(t, fsys, "*.seg")
	hole := logEnd(t, fsys, name) - 3*recordSize(1, 1)
	writeBytes(t, fsys, name, make([]byte, recordSize(1, 1)), hole)

	db = mustOpen(t, fsys, roomy)
	requireContents(t, db, want)
	require.Equal(t, hole, db.Stats().Recovery.CutOffset)
}

// What an interrupted creation of a segment leaves is removed; it never held a
// record.
func TestUnfinishedSegmentsAreRemoved(t *testing.T) {
	fsys, want := killed(t, 60, small)
	next := uint64(len(files(t, fsys, "*.seg"))) + 1
	for i, content := range [][]byte{nil, make([]byte, 4096), bytes.Repeat([]byte{7}, 100)} {
		require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, segmentName(next+uint64(i))), content, 0o644))
	}
	db := mustOpen(t, fsys, small)
	requireContents(t, db, want)
	require.Equal(t, 3, db.Stats().Recovery.Removed)
	for i := range uint64(3) {
		require.NotContains(t, files(t, fsys, "*.seg"), filepath.Join(dir, segmentName(next+i)))
	}
}

// Creating a store can be interrupted anywhere, and is then begun again.
func TestInterruptedCreationIsBegunAgain(t *testing.T) {
	for _, left := range []map[string][]byte{
		{},
		{lockFile: nil},
		{lockFile: nil, manifestName(1): nil},
		{lockFile: nil, manifestName(1): make([]byte, 700)},
		{lockFile: nil, manifestName(1): (&manifest{generation: 1, nextSegment: 1}).encode()},
		{lockFile: nil, manifestName(1): (&manifest{generation: 1, nextSegment: 1}).encode(), storeFile: nil},
		{lockFile: nil, storeFile: []byte("HFSTORE\n")},
		{lockFile: nil, manifestName(1): (&manifest{generation: 1, store: goldenStore, nextSegment: 1}).encode(), storeFile: encodeStoreFile(goldenStore)},
	} {
		fsys := afero.NewMemMapFs()
		for name, content := range left {
			require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, name), content, 0o644))
		}
		db := mustOpen(t, fsys, small)
		want := load(t, db, 5)
		requireContents(t, reopen(t, db, fsys), want)
	}
}
