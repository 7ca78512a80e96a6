package kv

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// What recovery gives back, when a crash has undone that.

func sizeOf(t *testing.T, fsys afero.Fs, name string) int64 {
	info, err := fsys.Stat(name)
	require.NoError(t, err)
	return info.Size()
}

// undoTruncate makes a file as large as the segment in it once was.
func undoTruncate(t *testing.T, fsys afero.Fs, name string) (capacity int64) {
	h, err := parseSegmentHeader(mustRead(t, fsys, name))
	require.NoError(t, err)
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(h.capacity))
	require.NoError(t, f.Close())
	return h.capacity
}

// A crash can undo that the reserved space of a sealed segment was given back.
func TestReservedSpaceIsNotLostToACrash(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, small)
	want := contents{"first": "1"}
	require.NoError(t, db.Set([]byte("first"), []byte("1")))
	value := string(make([]byte, 4000)) // does not fit behind it
	want["second"] = value
	require.NoError(t, db.Set([]byte("second"), []byte(value)))
	require.NoError(t, db.Close())
	sealed := filepath.Join(dir, segmentName(1))
	size := sizeOf(t, fsys, sealed)
	for range 3 {
		require.Greater(t, undoTruncate(t, fsys, sealed), size)
		openOnce(t, fsys, want)
		require.Equal(t, size, sizeOf(t, fsys, sealed))
	}
}

// openOnce opens a store, holds it against want, and closes it.
func openOnce(t *testing.T, fsys afero.Fs, want contents) RecoveryReport {
	db, err := Open(fsys, dir, small)
	require.NoError(t, err)
	requireContents(t, db, want)
	require.NoError(t, db.Close())
	return db.Stats().Recovery
}

// What was cut off behind a seal is evidence, and stays while the space behind it
// goes.
func TestEvidenceStaysWhereSpaceIsGivenBack(t *testing.T) {
	fsys, want := killed(t, 3, small)
	name := onlyFile(t, fsys, "*.seg")
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	const torn = 1000 // where nothing was written yet
	_, err = f.WriteAt([]byte("torn"), torn)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for range 3 {
		openOnce(t, fsys, want)
		require.EqualValues(t, 1024, sizeOf(t, fsys, name), "to the end of the sector")
		require.Equal(t, []byte("torn"), mustRead(t, fsys, name)[torn:torn+4])
		undoTruncate(t, fsys, name)
	}
}

// A record that was cut off says, in its header, that the ones before it were
// durable, which the seal did not know.
func TestWhatACutRecordSaysKeepsNoSpace(t *testing.T) {
	fsys, want := killed(t, 3, small)
	name := onlyFile(t, fsys, "*.seg")
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	whole := mustRead(t, fsys, name)
	h, err := parseSegmentHeader(whole)
	require.NoError(t, err)
	rp := newReplay(newSegment(h, f), segmentHeaderBytes, h.capacity, func(*recordHeader, []byte, int64) {})
	require.NoError(t, rp.run())
	torn := appendRecord(nil, kindSet, 0, []byte("torn"), make([]byte, 600))
	next := rp.next
	next.durable = next.offset
	next.place(torn)
	_, err = f.WriteAt(torn[:recordHeaderBytes], rp.next.offset)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("garbage"), rp.next.offset+2*512)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	openOnce(t, fsys, want)
	size := sizeOf(t, fsys, name)
	require.Less(t, size, undoTruncate(t, fsys, name))
	openOnce(t, fsys, want)
	require.Equal(t, size, sizeOf(t, fsys, name))
}

// A crash can undo the removal of a segment whose records recovery has put into
// another one. It must not stay then, and one more after each such crash.
func TestReplacedSegmentDoesNotComeBackForGood(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, small)
	require.NoError(t, db.Set([]byte("key"), []byte("value"))) // nothing later says that it is durable
	want := contents{"key": "value"}
	old := onlyFile(t, fsys, "*.seg")
	replaced := mustRead(t, fsys, old)
	crashed := snapshotFiles(t, fsys)
	require.NoError(t, db.Set([]byte("key"), []byte("newer")))
	another := mustRead(t, fsys, old)

	require.EqualValues(t, 1, openOnce(t, crashed, want).Rewritten)
	require.NotEqual(t, old, onlyFile(t, crashed, "*.seg"))
	require.NoError(t, afero.WriteFile(crashed, old, replaced, 0o644))
	require.Equal(t, 1, openOnce(t, crashed, want).Removed)
	require.NotEqual(t, old, onlyFile(t, crashed, "*.seg"))

	// One that holds what no other segment does is evidence of something else.
	require.NoError(t, afero.WriteFile(crashed, old, another, 0o644))
	require.Contains(t, openOnce(t, crashed, want).Notes[0], "left alone")
	require.Equal(t, another, mustRead(t, crashed, old))
}
