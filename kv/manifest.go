package kv

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A manifest says which segments belong to the store. It is a file that is
// written once, under a name with its generation, and never changed. It holds
// its body twice, so that one bad place in it costs nothing: the first copy at
// offset 0, the second at half the file's size, each padded with zeros to 512
// bytes. Integers of the body are little-endian.
//
//	offset  size
//	     0     8  magic "HFMANIFT"
//	     8     4  format version, 1
//	    12     4  number of entries
//	    16     8  generation
//	    24    16  store id
//	    40     8  next segment number: no segment of this number or above was
//	              ever listed
//	    48  56×n  the entries, oldest segment first
//	 48+56n    4  CRC-32C of everything before
//
// An entry is one segment:
//
//	 0     8  segment number
//	 8     8  segment id
//	16     8  sequence number of its first record
//	24     8  length: bytes known durable, from the start of the file to the
//	          end of a record
//	32     8  sequence number of the last record within length, one less
//	          than the first when there is none
//	40     8  capacity in bytes
//	48     4  header checksum of the last record within length, or the
//	          checksum of the segment's header
//	52     2  kind, as in the segment's header
//	54     2  1 sealed: exactly length bytes count; 0 active: records
//	          follow, as far as they are whole
const (
	manifestMagic       = "HFMANIFT"
	manifestPrefix      = "MANIFEST-"
	manifestHeaderBytes = 48
	manifestEntryBytes  = 56
	manifestAlign       = 512

	// maxManifestBytes bounds what is read of a file that claims to be a
	// manifest: a million segments.
	maxManifestBytes = 128 << 20
)

// manifest is the decoded body. At most its last entry is active.
type manifest struct {
	generation  uint64
	store       storeID
	nextSegment uint64
	entries     []manifestEntry
}

type manifestEntry struct {
	number   uint64
	id       uint64
	firstSeq uint64
	length   int64
	lastSeq  uint64
	capacity int64
	chain    uint32
	kind     uint32
	sealed   bool
}

func manifestName(generation uint64) string {
	return fmt.Sprintf("%s%08d", manifestPrefix, generation)
}

// manifestGeneration is the inverse of manifestName.
func manifestGeneration(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, manifestPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && manifestName(n) == name
}

// encode returns the content of the whole file.
func (m *manifest) encode() []byte {
	b := make([]byte, 0, manifestHeaderBytes+len(m.entries)*manifestEntryBytes+4)
	b = append(b, manifestMagic...)
	b = le.AppendUint32(b, FormatVersion)
	b = le.AppendUint32(b, uint32(len(m.entries)))
	b = le.AppendUint64(b, m.generation)
	b = append(b, m.store[:]...)
	b = le.AppendUint64(b, m.nextSegment)
	for i := range m.entries {
		b = m.entries[i].append(b)
	}
	b = le.AppendUint32(b, checksum(b))

	half := alignUp(int64(len(b)), manifestAlign)
	file := make([]byte, 2*half)
	copy(file, b)
	copy(file[half:], b)
	return file
}

func (e *manifestEntry) append(b []byte) []byte {
	b = le.AppendUint64(b, e.number)
	b = le.AppendUint64(b, e.id)
	b = le.AppendUint64(b, e.firstSeq)
	b = le.AppendUint64(b, uint64(e.length))
	b = le.AppendUint64(b, e.lastSeq)
	b = le.AppendUint64(b, uint64(e.capacity))
	b = le.AppendUint32(b, e.chain)
	b = le.AppendUint16(b, uint16(e.kind))
	sealed := uint16(0)
	if e.sealed {
		sealed = 1
	}
	return le.AppendUint16(b, sealed)
}

// errNotAManifest is returned for bytes that are no whole manifest, such as
// one that was being written when the power went.
var errNotAManifest = errors.New("no intact manifest")

// parseManifest decodes a file from whichever copy is whole. healed says that
// the other copy is not.
func parseManifest(file []byte) (m manifest, healed bool, err error) {
	first, err := parseManifestCopy(file)
	second, err2 := parseManifestCopy(file[len(file)/2:])
	switch {
	case err == nil:
		return first, err2 != nil, nil
	case err2 == nil:
		return second, true, nil
	}
	if errors.Is(err2, ErrFormatTooNew) {
		err = err2
	}
	return manifest{}, false, err
}

func parseManifestCopy(b []byte) (manifest, error) {
	if len(b) < manifestHeaderBytes+4 || string(b[:8]) != manifestMagic {
		return manifest{}, errNotAManifest
	}
	count := int64(le.Uint32(b[12:]))
	end := manifestHeaderBytes + count*manifestEntryBytes
	if end+4 > int64(len(b)) || le.Uint32(b[end:]) != checksum(b[:end]) {
		return manifest{}, errNotAManifest
	}
	if v := le.Uint32(b[8:]); v > FormatVersion {
		return manifest{}, fmt.Errorf("%w: manifest version %d, this program knows %d", ErrFormatTooNew, v, FormatVersion)
	}
	m := manifest{
		generation:  le.Uint64(b[16:]),
		nextSegment: le.Uint64(b[40:]),
	}
	copy(m.store[:], b[24:40])
	for at := int64(manifestHeaderBytes); at < end; at += manifestEntryBytes {
		e, err := parseManifestEntry(b[at:])
		if err != nil {
			return manifest{}, err
		}
		m.entries = append(m.entries, e)
	}
	return m, nil
}

func parseManifestEntry(b []byte) (manifestEntry, error) {
	e := manifestEntry{
		number:   le.Uint64(b),
		id:       le.Uint64(b[8:]),
		firstSeq: le.Uint64(b[16:]),
		length:   int64(le.Uint64(b[24:])),
		lastSeq:  le.Uint64(b[32:]),
		capacity: int64(le.Uint64(b[40:])),
		chain:    le.Uint32(b[48:]),
		kind:     uint32(le.Uint16(b[52:])),
		sealed:   le.Uint16(b[54:]) == 1,
	}
	if e.length < segmentHeaderBytes || e.capacity < e.length || e.capacity > math.MaxInt64/2 {
		return e, fmt.Errorf("%w: segment %d has length %d and capacity %d", errNotAManifest, e.number, e.length, e.capacity)
	}
	return e, nil
}

// active is the entry that the committer appends to, or nil.
func (m *manifest) active() *manifestEntry {
	if n := len(m.entries); n > 0 && !m.entries[n-1].sealed {
		return &m.entries[n-1]
	}
	return nil
}

// lastSeq is the last sequence number that the manifest knows to be durable.
func (m *manifest) lastSeq() uint64 {
	if n := len(m.entries); n > 0 {
		return m.entries[n-1].lastSeq
	}
	return 0
}

// newEntry lists a segment that has no records yet.
func newEntry(h *segmentHeader) manifestEntry {
	return manifestEntry{
		number: h.number, id: h.id, kind: h.kind, capacity: h.capacity,
		firstSeq: h.firstSeq, lastSeq: h.firstSeq - 1,
		length: segmentHeaderBytes, chain: h.chainStart(),
	}
}

// setDurable raises what is known to be durable of an active segment.
func (e *manifestEntry) setDurable(p position) {
	e.length, e.lastSeq, e.chain = p.offset, p.lastSeq, p.chain
}

// seal ends a segment at p.
func (e *manifestEntry) seal(p position) {
	e.setDurable(p)
	e.sealed = true
}
