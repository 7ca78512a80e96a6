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
		damage := requireDamage(t, clone, manifestPrefix+"*")
		require.Contains(t, damage.Reason, "no manifest is whole")
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
			for _, name := range []string{store, manifest, filepath.Join(dir, segmentName(1))} {
				require.NoError(t, f.Remove(name))
			}
		},
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
