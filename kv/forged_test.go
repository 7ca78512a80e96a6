package kv

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// What the checksums let pass, because somebody wrote it with checksums that fit,
// is held against the rest all the same. Bit flips never get here: each check
// alone would go unnoticed without these tests.

// reforge changes the newest manifest and writes it with a checksum that fits.
func reforge(t *testing.T, fsys afero.Fs, change func(m *manifest)) (name string) {
	t.Helper()
	name = onlyFile(t, fsys, "MANIFEST-*")
	m, _, err := parseManifest(mustRead(t, fsys, name))
	require.NoError(t, err)
	change(&m)
	require.NoError(t, afero.WriteFile(fsys, name, m.encode(), 0o644))
	return filepath.Base(name)
}

func TestForgedManifestIsRefused(t *testing.T) {
	whole := afero.NewMemMapFs()
	db := mustOpen(t, whole, small)
	load(t, db, 90)
	require.NoError(t, db.Close())
	require.Len(t, files(t, whole, "*.seg"), 3)
	const active = 2
	for name, c := range map[string]struct {
		file   int // the segment that is named; -1: the manifest
		change func(m *manifest)
	}{
		"a gap between two segments":       {-1, func(m *manifest) { m.entries[1].firstSeq++ }},
		"a segment less":                   {-1, func(m *manifest) { m.entries = append(m.entries[:1], m.entries[2]) }},
		"an open segment in the middle":    {-1, func(m *manifest) { m.entries[1].sealed = false }},
		"an end before the beginning":      {-1, func(m *manifest) { m.entries[0].lastSeq = 0; m.entries[0].firstSeq = 2 }},
		"another last record when sealed":  {1, func(m *manifest) { m.entries[1].chain++ }},
		"another last record when open":    {active, func(m *manifest) { m.entries[active].chain++ }},
		"a bound inside a record":          {active, func(m *manifest) { m.entries[active].length -= 8 }},
		"a bound behind the last record":   {active, func(m *manifest) { m.entries[active].length += 48 }},
		"another file of that number":      {1, func(m *manifest) { m.entries[1].id++ }},
		"a segment of another size":        {active, func(m *manifest) { m.entries[active].capacity += 4096 }},
		"a segment of another kind":        {1, func(m *manifest) { m.entries[1].kind = segmentCopy }},
		"a sealed end inside a record":     {1, func(m *manifest) { m.entries[1].length -= 8 }},
		"a sealed end behind what follows": {1, func(m *manifest) { m.entries[1].length += 8; m.entries[1].capacity += 8 }},
	} {
		clone := snapshotFiles(t, whole)
		file := reforge(t, clone, c.change)
		if c.file >= 0 {
			file = segmentName(uint64(c.file + 1))
		}
		t.Log(name)
		requireDamage(t, clone, file)
	}
}

// Records that follow the last one as to their place, and not as to what they
// say, are a torn tail: they were written and never acknowledged.
func TestForgedRecordsAreNotApplied(t *testing.T) {
	for name, forge := range map[string]func(p *placement){
		"a number too high":   func(p *placement) { p.seq++ },
		"a number too low":    func(p *placement) { p.seq-- },
		"behind another":      func(p *placement) { p.prev++ },
		"durable beyond here": func(p *placement) { p.durable = p.offset + 8 },
	} {
		fsys, want := killed(t, 3, roomy)
		seg := onlyFile(t, fsys, "*.seg")
		h, err := parseSegmentHeader(mustRead(t, fsys, seg))
		require.NoError(t, err)
		ends := recordEnds(t, fsys, seg)
		last, _ := parseHeader(mustRead(t, fsys, seg)[ends[2]:], h.identity(), ends[2])
		p := placement{identity: h.identity(), offset: ends[3], seq: last.seq + 1, durable: ends[3], prev: last.crc}
		forge(&p)
		rec := appendRecord(nil, kindSet, 0, []byte("forged"), []byte("v"))
		at := p.offset
		p.place(rec)
		writeBytes(t, fsys, seg, rec, at)
		db := mustOpen(t, fsys, roomy)
		require.EqualValues(t, len(rec), db.Stats().Recovery.CutBytes, name)
		requireContents(t, db, want)
	}
}

// A record that lies about what is durable is not made good by a later one.
func TestForgedClaimIsRefusedEvenWhenALaterOneIsTrue(t *testing.T) {
	fsys, _ := killed(t, 3, roomy)
	seg := onlyFile(t, fsys, "*.seg")
	end := logEnd(t, fsys, seg)
	h, err := parseSegmentHeader(mustRead(t, fsys, seg))
	require.NoError(t, err)
	ends := recordEnds(t, fsys, seg)
	last, _ := parseHeader(mustRead(t, fsys, seg)[ends[2]:], h.identity(), ends[2])
	p := placement{identity: h.identity(), offset: end, seq: 4, durable: end - 8, prev: last.crc}
	for range 2 {
		rec := appendRecord(nil, kindSet, 0, []byte("k"), nil)
		at := p.offset
		p.place(rec)
		writeBytes(t, fsys, seg, rec, at)
		p.durable = p.offset
	}
	require.Contains(t, requireDamage(t, fsys, filepath.Base(seg)).Reason, "no record ends here")
}

// A record with checksums that fit, where another one was written.
func TestForgedRecordIsNeverReturned(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 3)
	seg := db.committer.active
	good := mustRead(t, fsys, onlyFile(t, fsys, "*.seg"))
	at := int64(segmentHeaderBytes)
	for name, c := range map[string]struct {
		seq        uint64
		kind       uint8
		key, value string
	}{
		"an older record of the key": {7, kindSet, "key-0000", strings.ToUpper(want["key-0000"])},
		"a longer record of the key": {1, kindSet, "key-0000", want["key-0000"] + "longer"},
		"a record of another key":    {1, kindSet, "key-9999", want["key-0000"]},
		"a delete":                   {1, kindDelete, "key-0000", ""},
	} {
		rec := appendRecord(nil, c.kind, 0, []byte(c.key), []byte(c.value))
		p := placement{identity: seg.identity, offset: at, seq: c.seq, durable: at}
		p.place(rec)
		writeBytes(t, fsys, onlyFile(t, fsys, "*.seg"), rec, at)
		_, err := db.Get([]byte("key-0000"))
		require.ErrorIs(t, err, ErrDamaged, name)
		_, err = db.ScanPage(ScanOptions{})
		require.ErrorIs(t, err, ErrDamaged, name)
		writeBytes(t, fsys, onlyFile(t, fsys, "*.seg"), good[at:at+int64(len(rec))], at)
	}
	requireContents(t, db, want)
	// A read may return what the disk held before, once.
	fsys.Inject(faultfs.MustParse("read *.seg #1 flip=77")[0])
	got, err := db.Get([]byte("key-0000"))
	require.NoError(t, err)
	require.Equal(t, want["key-0000"], string(got))
	fsys.CheckFired(t)
}

// Lengths are bounded even where a checksum vouches for them.
func TestForgedLengthsAreRefused(t *testing.T) {
	for _, c := range []struct {
		key, value uint32
		want       bool
	}{{1, 0, true}, {MaxKeyBytes, 0, true}, {1, MaxBatchBytes, true}, {0, 1, false}, {MaxKeyBytes + 1, 0, false}, {1, MaxBatchBytes + 1, false}} {
		rec := make([]byte, recordHeaderBytes)
		rec[4] = kindSet
		le.PutUint32(rec[8:], c.key)
		le.PutUint32(rec[12:], c.value)
		le.PutUint32(rec, headerChecksum(5, 512, rec))
		_, ok := parseHeader(rec, 5, 512)
		require.Equal(t, c.want, ok, "%d and %d bytes", c.key, c.value)
	}
}

// Every part of what a segment is goes into its identity, and no two segments or
// stores are alike.
func TestIdentityOfASegment(t *testing.T) {
	h := goldenHeader()
	for _, change := range []func(h *segmentHeader){
		func(h *segmentHeader) { h.store[15]++ }, func(h *segmentHeader) { h.number++ }, func(h *segmentHeader) { h.id++ },
	} {
		other := h
		change(&other)
		require.NotEqual(t, h.identity(), other.identity())
	}
	stores, ids := map[storeID]bool{}, map[uint64]bool{}
	for range 3 {
		fsys, _ := killed(t, 100, small)
		for _, name := range files(t, fsys, "*.seg") {
			h, err := parseSegmentHeader(mustRead(t, fsys, name))
			require.NoError(t, err)
			require.False(t, ids[h.id], name)
			ids[h.id], stores[h.store] = true, true
		}
	}
	require.Len(t, stores, 3)
}

// Records that end where their segment does, and some that would not quite.
func TestRecordsFitTheirSegmentToTheByte(t *testing.T) {
	const room = 4096 - segmentHeaderBytes
	for _, first := range []int{room - 40, room - 48, room - 56, room - 64, room, room + 8, 2*4096 - 512, 2*4096 - 504, 3*4096 - 520, 3*4096 - 100} {
		fsys := afero.NewMemMapFs()
		db := mustOpen(t, fsys, small)
		want := contents{"a": strings.Repeat("v", first-recordHeaderBytes-1), "b": "seven b", "c": ""}
		for _, key := range []string{"a", "b", "c"} {
			require.NoError(t, db.Set([]byte(key), []byte(want[key])), fmt.Sprint(first))
		}
		for i, seg := range db.committer.manifest.entries {
			require.LessOrEqual(t, seg.length, seg.capacity, "%d: segment %d", first, i)
		}
		requireContents(t, reopen(t, db, fsys), want)
	}
}
