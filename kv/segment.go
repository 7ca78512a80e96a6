package kv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// FormatVersion is the version of the files that this package writes, and the
// newest that it reads.
const FormatVersion = 1

// A segment file begins with a header in a 512-byte block of its own; records
// follow from offset 512. Integers are little-endian.
//
//	offset  size
//	     0     8  magic "HFSEGMNT"
//	     8     4  format version, 1
//	    12     4  kind: 1 log, 2 copy
//	    16    16  store id
//	    32     8  segment number
//	    40     8  segment id, drawn at random when the file was created
//	    48     8  sequence number of the first record
//	    56     8  capacity: the size the file was preallocated to, in bytes
//	    64     4  CRC-32C of bytes 0 to 64
//	    68        zeros
//
// A log segment is appended to by the committer. A copy segment is written
// once, by recovery, and holds records that still stand in the segment before
// it; so a copy that no manifest lists can be dropped, and a log segment with
// records that no manifest lists means that a manifest was lost.
const (
	segmentMagic       = "HFSEGMNT"
	segmentHeaderBytes = 512
	segmentHeaderUsed  = 68

	segmentLog  = 1
	segmentCopy = 2

	segmentSuffix = ".seg"
)

// storeID tells one store's files from another's. It is drawn at random when
// the store is created.
type storeID [16]byte

type segmentHeader struct {
	kind     uint32
	store    storeID
	number   uint64
	id       uint64
	firstSeq uint64
	capacity int64 // bytes
}

func (h *segmentHeader) encode() []byte {
	b := make([]byte, segmentHeaderBytes)
	h.put(b)
	return b
}

// put encodes the bytes that are not zero.
func (h *segmentHeader) put(b []byte) {
	copy(b, segmentMagic)
	le.PutUint32(b[8:], FormatVersion)
	le.PutUint32(b[12:], h.kind)
	copy(b[16:32], h.store[:])
	le.PutUint64(b[32:], h.number)
	le.PutUint64(b[40:], h.id)
	le.PutUint64(b[48:], h.firstSeq)
	le.PutUint64(b[56:], uint64(h.capacity))
	le.PutUint32(b[64:], checksum(b[:64]))
}

// errNotASegment is returned for bytes that are no whole segment header.
var errNotASegment = errors.New("no intact segment header")

func parseSegmentHeader(b []byte) (segmentHeader, error) {
	if len(b) < segmentHeaderUsed || string(b[:8]) != segmentMagic ||
		le.Uint32(b[64:]) != checksum(b[:64]) {
		return segmentHeader{}, errNotASegment
	}
	if v := le.Uint32(b[8:]); v > FormatVersion {
		return segmentHeader{}, fmt.Errorf("%w: segment version %d, this program knows %d", ErrFormatTooNew, v, FormatVersion)
	}
	h := segmentHeader{
		kind:     le.Uint32(b[12:]),
		number:   le.Uint64(b[32:]),
		id:       le.Uint64(b[40:]),
		firstSeq: le.Uint64(b[48:]),
		capacity: int64(le.Uint64(b[56:])),
	}
	copy(h.store[:], b[16:32])
	return h, nil
}

// identity is what every record's checksum in this segment begins with.
func (h *segmentHeader) identity() uint32 {
	var b [32]byte
	copy(b[:], h.store[:])
	le.PutUint64(b[16:], h.number)
	le.PutUint64(b[24:], h.id)
	return checksum(b[:])
}

// chainStart is what the first record has in place of the checksum of the
// record before.
func (h *segmentHeader) chainStart() uint32 {
	b := make([]byte, segmentHeaderUsed)
	h.put(b)
	return le.Uint32(b[64:])
}

// segment is an open segment file. Its fields, but for moved, do not change
// once it is published to readers; file is safe for concurrent ReadAt.
type segment struct {
	header   segmentHeader
	identity uint32
	name     string // inside the store's directory
	file     afero.File
	moved    *move // guarded by db.mu; nil: every record is where it was placed
}

func newSegment(h segmentHeader, file afero.File) *segment {
	return &segment{header: h, identity: h.identity(), name: segmentName(h.number), file: file}
}

// start is where the first record of s goes.
func (s *segment) start() placement {
	return placement{
		identity: s.identity,
		offset:   segmentHeaderBytes,
		seq:      s.header.firstSeq,
		durable:  segmentHeaderBytes,
		prev:     s.header.chainStart(),
	}
}

func segmentName(number uint64) string { return fmt.Sprintf("%08d%s", number, segmentSuffix) }

// segmentNumber is the inverse of segmentName.
func segmentNumber(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && segmentName(n) == name
}

// createSegment makes a new segment file of the header's capacity with body
// (whole records, may be empty) behind the header. On return without error the
// file, its size and its directory entry are durable. On an error the file may
// exist, and must not be relied on.
func (st *storage) createSegment(h segmentHeader, body []byte) (*segment, error) {
	name := segmentName(h.number)
	file, err := st.fs.OpenFile(filepath.Join(st.dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", name, err)
	}
	err = vfs.Preallocate(file, h.capacity)
	if err != nil {
		err = fmt.Errorf("reserving %d bytes for %s: %w", h.capacity, name, err)
	}
	if err == nil {
		err = st.writeDurably(file, name, append(h.encode(), body...))
	}
	if err != nil {
		_ = file.Close() // the first error is the one that says what went wrong
		_ = st.fs.Remove(filepath.Join(st.dir, name))
		return nil, err
	}
	return newSegment(h, vfs.Overlapping(file)), nil
}

// openSegment opens a segment that a manifest lists, and holds its header
// against what the manifest says.
func (st *storage) openSegment(e manifestEntry) (*segment, error) {
	name := segmentName(e.number)
	file, err := st.fs.OpenFile(filepath.Join(st.dir, name), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &DamageError{File: name, FirstSeq: e.firstSeq, LastSeq: e.lastSeq, Reason: "the manifest lists it, and it is missing"}
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	h, err := readSegmentHeader(file, name)
	if err == nil {
		err = e.matches(name, st.id, &h)
	}
	if err == nil {
		err = e.longEnough(name, file)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return newSegment(h, vfs.Overlapping(file)), nil
}

// withSegmentFile opens a file to read it as a segment that no manifest vouches
// for, and closes it again. size is what it has, whatever its header claims.
func (st *storage) withSegmentFile(name string, read func(file afero.File, size int64) error) error {
	file, err := st.fs.Open(st.path(name))
	if err != nil {
		return fmt.Errorf("opening %s: %w", name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("asking for the size of %s: %w", name, err)
	}
	return read(file, info.Size())
}

func readSegmentHeader(file afero.File, name string) (segmentHeader, error) {
	b := make([]byte, segmentHeaderBytes)
	n, err := readAt(file, b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return segmentHeader{}, fmt.Errorf("reading the header of %s: %w", name, err)
	}
	h, err := parseSegmentHeader(b[:n])
	if errors.Is(err, errNotASegment) {
		return h, &DamageError{File: name, Reason: err.Error()}
	}
	if err != nil {
		return h, fmt.Errorf("reading the header of %s: %w", name, err)
	}
	return h, nil
}

// matches says in an error how the header of a segment file contradicts the
// manifest, if it does.
func (e *manifestEntry) matches(name string, store storeID, h *segmentHeader) error {
	reason := ""
	switch {
	case h.store != store:
		reason = fmt.Sprintf("it belongs to store %x, not to this store %x", h.store, store)
	case h.number != e.number:
		reason = fmt.Sprintf("it is segment %d under the name of another", h.number)
	case h.id != e.id || h.firstSeq != e.firstSeq || h.capacity != e.capacity || h.kind != e.kind:
		reason = "it is not the file that the manifest lists"
	default:
		return nil
	}
	return &DamageError{File: name, FirstSeq: e.firstSeq, LastSeq: e.lastSeq, Reason: reason}
}

// longEnough refuses a file that lost its end. A sealed segment may have been
// cut to its length; the active one keeps its capacity from the sync that made
// it, so being shorter cannot come from a crash.
func (e *manifestEntry) longEnough(name string, file afero.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("asking for the size of %s: %w", name, err)
	}
	want := e.capacity
	if e.sealed {
		want = e.length
	}
	if info.Size() >= want {
		return nil
	}
	return &DamageError{
		File: name, Offset: info.Size(), FirstSeq: e.firstSeq, LastSeq: e.lastSeq,
		Reason: fmt.Sprintf("it has %d bytes, and had at least %d", info.Size(), want),
	}
}
