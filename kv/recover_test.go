package kv

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
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

func requireDamage(t *testing.T, fsys afero.Fs, file string) *DamageError {
	t.Helper()
	before := listing(t, fsys)
	_, err := Open(fsys, dir, nil)
	require.ErrorIs(t, err, ErrDamaged)
	var damage *DamageError
	require.ErrorAs(t, err, &damage)
	require.Equal(t, file, damage.File, "%v", err)
	require.NotEmpty(t, damage.Reason)
	require.Equal(t, before, listing(t, fsys), "a refused store must stay as it was")
	return damage
}

// listing is every file's name, and what tells its content from another.
func listing(t *testing.T, fsys afero.Fs) contents {
	t.Helper()
	all := contents{}
	for _, name := range files(t, fsys, "*") {
		b, err := afero.ReadFile(fsys, name)
		require.NoError(t, err)
		all[filepath.Base(name)] = fmt.Sprintf("%d bytes, checksum %x", len(b), checksum(b))
	}
	return all
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

// Every bit of every record but those of the last group: refuse, and say where.
func TestDamageToAcknowledgedRecordsIsRefused(t *testing.T) {
	const n = 12
	fsys, _ := killed(t, n, roomy)
	name := onlyFile(t, fsys, "*.seg")
	pristine, err := afero.ReadFile(fsys, name)
	require.NoError(t, err)
	ends := recordEnds(t, fsys, name)
	require.Len(t, ends, n+1)
	for i := range n - 1 { // the last record is the last group: see below
		for _, at := range []int64{ends[i], ends[i] + 17, ends[i] + 39, ends[i] + 40, ends[i] + 48} {
			clone := snapshotFiles(t, fsys)
			b := bytes.Clone(pristine[at : at+1])
			b[0] ^= 0x10
			writeBytes(t, clone, name, b, at)
			damage := requireDamage(t, clone, filepath.Base(name))
			require.Equal(t, ends[i], damage.Offset)
			require.EqualValues(t, i+1, damage.FirstSeq)
			require.GreaterOrEqual(t, damage.LastSeq, damage.FirstSeq)
			require.Less(t, damage.LastSeq, uint64(n))
		}
	}
}

// recordEnds are the offsets of the first record and behind each record.
func recordEnds(t *testing.T, fsys afero.Fs, name string) []int64 {
	t.Helper()
	file, err := fsys.Open(name)
	require.NoError(t, err)
	defer file.Close()
	h, err := readSegmentHeader(file, name)
	require.NoError(t, err)
	ends := []int64{segmentHeaderBytes}
	rp := newReplay(newSegment(h, file), segmentHeaderBytes, h.capacity, func(h *recordHeader, _ []byte, at int64) {
		ends = append(ends, at+h.size())
	})
	require.NoError(t, rp.run())
	return ends
}

// Without a clean close, damage to the last group of all cannot be told from a
// torn write. It is reported, never silent.
func TestDamageToTheVeryLastGroupIsReportedAsACut(t *testing.T) {
	fsys, want := killed(t, 12, roomy)
	name := onlyFile(t, fsys, "*.seg")
	ends := recordEnds(t, fsys, name)
	require.NoError(t, faultfs.FlipBit(fsys, name, (ends[11]+50)*8))
	delete(want, "key-0011")
	db := mustOpen(t, fsys, roomy)
	requireContents(t, db, want)
	require.Equal(t, ends[11], db.Stats().Recovery.CutOffset)
}

// After a clean close, and after a recovery, nothing is in doubt: damage to any
// record is refused.
func TestCleanCloseCoversTheLastGroup(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, roomy)
	load(t, db, 12)
	require.NoError(t, db.Close())
	name := onlyFile(t, fsys, "*.seg")
	ends := recordEnds(t, fsys, name)
	for _, damage := range []func(afero.Fs){
		func(f afero.Fs) { require.NoError(t, faultfs.FlipBit(f, name, (ends[11]+50)*8)) },
		func(f afero.Fs) { writeBytes(t, f, name, make([]byte, ends[12]-ends[11]), ends[11]) },
	} {
		clone := snapshotFiles(t, fsys)
		damage(clone)
		require.Equal(t, ends[11], requireDamage(t, clone, filepath.Base(name)).Offset)
	}
}

func TestDamageToASealedSegmentIsRefused(t *testing.T) {
	fsys, _ := killed(t, 200, small)
	abandon(mustOpen(t, fsys, small))
	m, _, err := parseManifest(mustRead(t, fsys, onlyFile(t, fsys, "MANIFEST-*")))
	require.NoError(t, err)
	require.Greater(t, len(m.entries), 3)
	for _, e := range m.entries {
		require.True(t, e.sealed)
		name := filepath.Join(dir, segmentName(e.number))
		ends := recordEnds(t, fsys, name)
		ends = ends[:e.lastSeq-e.firstSeq+2] // what recovery copied still stands behind the end
		first, last := ends[0], ends[len(ends)-1]
		require.Equal(t, e.length, last)
		for what, damage := range map[string]func(afero.Fs){
			"a bit of a record":   func(f afero.Fs) { require.NoError(t, faultfs.FlipBit(f, name, ends[len(ends)-2]*8+100)) },
			"a bit of the header": func(f afero.Fs) { require.NoError(t, faultfs.FlipBit(f, name, 33*8)) },
			"no header":           func(f afero.Fs) { writeBytes(t, f, name, make([]byte, 512), 0) },
			"no first record":     func(f afero.Fs) { writeBytes(t, f, name, make([]byte, ends[1]-first), first) },
			"one byte short":      func(f afero.Fs) { truncate(t, f, name, last-1) },
			"not even a header":   func(f afero.Fs) { truncate(t, f, name, 100) },
			"no file":             func(f afero.Fs) { require.NoError(t, f.Remove(name)) },
		} {
			clone := snapshotFiles(t, fsys)
			damage(clone)
			t.Run(what, func(t *testing.T) { requireDamage(t, clone, filepath.Base(name)) })
		}
	}
}

func truncate(t *testing.T, fsys afero.Fs, name string, size int64) {
	t.Helper()
	file, err := fsys.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, file.Truncate(size))
	require.NoError(t, file.Close())
}

// The active segment keeps its preallocated size from the sync that made it, so
// even the loss of its whole tail shows.
func TestShortenedActiveSegmentIsRefused(t *testing.T) {
	fsys, _ := killed(t, 12, roomy)
	name := onlyFile(t, fsys, "*.seg")
	ends := recordEnds(t, fsys, name)
	for _, size := range []int64{0, 100, 512, ends[3], ends[3] + 5, ends[12], roomy.SegmentBytes - 1} {
		clone := snapshotFiles(t, fsys)
		truncate(t, clone, name, size)
		requireDamage(t, clone, filepath.Base(name))
	}
}

func TestSwappedAndForeignSegmentsAreRefused(t *testing.T) {
	fsys, _ := killed(t, 200, small)
	other, _ := killed(t, 200, small)
	first := filepath.Join(dir, segmentName(1))
	second := filepath.Join(dir, segmentName(2))

	clone := snapshotFiles(t, fsys)
	require.NoError(t, clone.Rename(first, dir+"/x"))
	require.NoError(t, clone.Rename(second, first))
	require.NoError(t, clone.Rename(dir+"/x", second))
	require.Contains(t, requireDamage(t, clone, segmentName(1)).Reason, "segment 2 under the name of another")

	clone = snapshotFiles(t, fsys)
	b, err := afero.ReadFile(other, first)
	require.NoError(t, err)
	require.NoError(t, afero.WriteFile(clone, first, b, 0o644))
	require.Contains(t, requireDamage(t, clone, segmentName(1)).Reason, "belongs to store")

	clone = snapshotFiles(t, fsys)
	require.NoError(t, afero.WriteFile(clone, filepath.Join(dir, segmentName(99)), b, 0o644))
	require.Contains(t, requireDamage(t, clone, segmentName(99)).Reason, "belongs to store")
}

func TestCopyOfASegmentUnderAnotherNameIsLeftAlone(t *testing.T) {
	fsys, want := killed(t, 200, small)
	b, err := afero.ReadFile(fsys, filepath.Join(dir, segmentName(1)))
	require.NoError(t, err)
	stray := filepath.Join(dir, segmentName(50))
	require.NoError(t, afero.WriteFile(fsys, stray, b, 0o644))
	db := mustOpen(t, fsys, small)
	requireContents(t, db, want)
	require.Contains(t, fmt.Sprint(db.Stats().Recovery.Notes), "copy of segment 1")
	require.Contains(t, files(t, fsys, "*.seg"), stray)
	for i := range 300 {
		require.NoError(t, db.Set(fmt.Appendf(nil, "more-%d", i), []byte("x")))
	}
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

func TestLostManifestIsRefused(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, small)
	load(t, db, 10)
	old := onlyFile(t, fsys, "MANIFEST-*")
	content, err := afero.ReadFile(fsys, old)
	require.NoError(t, err)
	for i := 0; len(files(t, fsys, "*.seg")) < 3; i++ {
		require.NoError(t, db.Set(fmt.Appendf(nil, "more-%d", i), []byte("x")))
	}
	abandon(db)
	newest := onlyFile(t, fsys, "MANIFEST-*")

	t.Run("the newest is replaced by an older one", func(t *testing.T) {
		clone := snapshotFiles(t, fsys)
		require.NoError(t, clone.Remove(newest))
		require.NoError(t, afero.WriteFile(clone, old, content, 0o644))
		require.Contains(t, requireDamage(t, clone, segmentName(1)).Reason, "had at least 4096",
			"the older one knows the first segment before it was cut to its length")
		truncate(t, clone, filepath.Join(dir, segmentName(1)), 4096)
		require.Contains(t, requireDamage(t, clone, segmentName(2)).Reason, "no manifest lists it")
		require.NoError(t, clone.Remove(filepath.Join(dir, segmentName(2))))
		requireDamage(t, clone, segmentName(3))
	})
	t.Run("none is left", func(t *testing.T) {
		clone := snapshotFiles(t, fsys)
		require.NoError(t, clone.Remove(newest))
		requireDamage(t, clone, "MANIFEST-*")
	})
	t.Run("both copies are bad", func(t *testing.T) {
		clone := snapshotFiles(t, fsys)
		require.NoError(t, faultfs.FlipBit(clone, newest, 200))
		require.NoError(t, faultfs.FlipBit(clone, newest, 512*8+200))
		requireDamage(t, clone, "MANIFEST-*")
	})
	t.Run("it stands under another name", func(t *testing.T) {
		clone := snapshotFiles(t, fsys)
		require.NoError(t, clone.Rename(newest, filepath.Join(dir, manifestName(77))))
		requireDamage(t, clone, manifestName(77))
	})
	t.Run("one copy is bad", func(t *testing.T) {
		clone := snapshotFiles(t, fsys)
		require.NoError(t, faultfs.FlipBit(clone, newest, 200))
		db := mustOpen(t, clone, small)
		require.Contains(t, fmt.Sprint(db.Stats().Recovery.Notes), "two copies")
	})
}

func TestManifestThatContradictsItselfIsRefused(t *testing.T) {
	fsys, _ := killed(t, 60, small)
	name := onlyFile(t, fsys, "MANIFEST-*")
	b, err := afero.ReadFile(fsys, name)
	require.NoError(t, err)
	m, _, err := parseManifest(b)
	require.NoError(t, err)
	m.entries[1].firstSeq++
	require.NoError(t, afero.WriteFile(fsys, name, m.encode(), 0o644))
	requireDamage(t, fsys, filepath.Base(name))
}

// An empty store is never created over what is left of a full one.
func TestNoEmptyStoreOverTheRemainsOfAFullOne(t *testing.T) {
	fsys, _ := killed(t, 60, small)
	store := filepath.Join(dir, storeFile)
	manifest := onlyFile(t, fsys, "MANIFEST-*")
	for _, lose := range []func(afero.Fs){
		func(f afero.Fs) { require.NoError(t, f.Remove(store)) },
		func(f afero.Fs) { require.NoError(t, faultfs.FlipBit(f, store, 99)) },
		func(f afero.Fs) { require.NoError(t, f.Remove(store)); require.NoError(t, f.Remove(manifest)) },
		func(f afero.Fs) {
			require.NoError(t, f.Remove(store))
			for _, seg := range files(t, f, "*.seg") {
				require.NoError(t, f.Remove(seg))
			}
		},
	} {
		clone := snapshotFiles(t, fsys)
		lose(clone)
		requireDamage(t, clone, storeFile)
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

func TestLaterFormatIsRefused(t *testing.T) {
	fsys, _ := killed(t, 5, roomy)
	for _, c := range []struct {
		glob    string
		at, sum int
	}{{storeFile, 8, 28}, {"*.seg", 8, 64}} {
		clone := snapshotFiles(t, fsys)
		name := onlyFile(t, clone, c.glob)
		b, err := afero.ReadFile(clone, name)
		require.NoError(t, err)
		require.NoError(t, afero.WriteFile(clone, name, withVersion(b, c.at, c.sum, 2), 0o644))
		_, err = Open(clone, dir, nil)
		require.ErrorIs(t, err, ErrFormatTooNew)
		require.ErrorContains(t, err, filepath.Base(name))
	}
	name := onlyFile(t, fsys, "MANIFEST-*")
	b, err := afero.ReadFile(fsys, name)
	require.NoError(t, err)
	end := manifestHeaderBytes + manifestEntryBytes*int(le.Uint32(b[12:]))
	half := withVersion(b[:len(b)/2], 8, end, 2)
	require.NoError(t, afero.WriteFile(fsys, name, append(half, half...), 0o644))
	_, err = Open(fsys, dir, nil)
	require.ErrorIs(t, err, ErrFormatTooNew)
}

// A record can only lie about how far the log was durable if somebody forged
// it; recovery refuses what it cannot make sense of.
func TestRecordThatSaysItIsDurableNowhereIsRefused(t *testing.T) {
	fsys, _ := killed(t, 3, roomy)
	name := onlyFile(t, fsys, "*.seg")
	rec := inFlight(t, fsys, name, "k", "v", 0)
	end := logEnd(t, fsys, name)
	h, err := parseSegmentHeader(mustRead(t, fsys, name))
	require.NoError(t, err)
	le.PutUint64(rec[24:], uint64(end-4))
	le.PutUint32(rec, headerChecksum(h.identity(), end, rec))
	writeBytes(t, fsys, name, rec, end)
	require.Contains(t, requireDamage(t, fsys, filepath.Base(name)).Reason, "no record ends here")
}

func mustRead(t *testing.T, fsys afero.Fs, name string) []byte {
	t.Helper()
	b, err := afero.ReadFile(fsys, name)
	require.NoError(t, err)
	return b
}

// A value that rots while the store is open is never returned.
func TestGetNeverReturnsAWrongValue(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 5)
	name := onlyFile(t, fsys, "*.seg")
	ends := recordEnds(t, fsys, name)
	for bit := ends[2] * 8; bit < (ends[2]+recordHeaderBytes+int64(len("key-0002")+len(want["key-0002"])))*8; bit++ {
		require.NoError(t, faultfs.FlipBit(fsys, name, bit))
		_, err := db.Get([]byte("key-0002"))
		var damage *DamageError
		require.ErrorAs(t, err, &damage, "bit %d", bit)
		require.Equal(t, []string{"key-0002"}, damage.Keys)
		require.Equal(t, ends[2], damage.Offset)
		require.NoError(t, faultfs.FlipBit(fsys, name, bit))
	}
	require.NoError(t, faultfs.FlipBit(fsys, name, (ends[2]+50)*8))
	for _, err := range db.Scan(ScanOptions{Start: []byte("key-0002"), Limit: 1}) {
		require.ErrorIs(t, err, ErrDamaged)
	}
	delete(want, "key-0002")
	for key, value := range want {
		got, err := db.Get([]byte(key))
		require.NoError(t, err)
		require.Equal(t, value, string(got))
	}
	truncate(t, fsys, name, ends[4]+3)
	_, err := db.Get([]byte("key-0004"))
	require.ErrorIs(t, err, ErrDamaged, "the file ends in the record")
}
