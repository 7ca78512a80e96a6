package kv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// location is where a Set record stands.
type location struct {
	seg      *segment
	seq      uint64
	slot     uint32 // offset in the segment, in units of recordAlign
	valueLen uint32 // bytes
}

func newLocation(seg *segment, h *recordHeader, offset int64) location {
	return location{seg: seg, seq: h.seq, slot: uint32(offset / recordAlign), valueLen: h.valueLen}
}

// place is an offset in a segment.
type place struct {
	seg    *segment
	offset int64
}

// move says that the records of a segment from an offset on were written to
// another one instead, in the same order.
type move struct {
	from int64
	to   place
}

// now returns where the record of l stands by now. An interval policy lets
// readers see records before they are in their file; when that file fails they
// are written to another. The caller holds db.mu.
func (l location) now() location {
	for m := l.seg.moved; m != nil && l.offset() >= m.from; m = l.seg.moved {
		l.slot = uint32((l.offset() - m.from + m.to.offset) / recordAlign)
		l.seg = m.to.seg
	}
	return l
}

func (l location) offset() int64 { return int64(l.slot) * recordAlign }

// readValue reads the record at l, verifies all of it, and returns its value,
// which the caller owns.
func (l location) readValue(key []byte) ([]byte, error) {
	b := make([]byte, recordHeaderBytes+len(key)+int(l.valueLen))
	n, err := readAt(l.seg.file, b, l.offset())
	if err == nil && !l.holds(b, key) {
		// A read can return what the disk held before; once more tells.
		n, err = readAt(l.seg.file, b, l.offset())
	}
	switch {
	case err == nil && l.holds(b, key):
		return b[recordHeaderBytes+len(key):], nil
	case err == nil:
		return nil, l.damage(key, "the record here is not what was written")
	case errors.Is(err, io.EOF):
		return nil, l.damage(key, fmt.Sprintf("the file ends %d bytes into the record", n))
	}
	return nil, fmt.Errorf("reading key %q from %s at offset %d: %w", key, l.seg.name, l.offset(), err)
}

// holds reports whether b is the whole record of key at l.
func (l location) holds(b, key []byte) bool {
	h, ok := parseHeader(b, l.seg.identity, l.offset())
	return ok && h.kind == kindSet && h.seq == l.seq && h.valueLen == l.valueLen &&
		int(h.keyLen) == len(key) && bytes.Equal(b[recordHeaderBytes:recordHeaderBytes+len(key)], key) &&
		h.payloadIntact(b[recordHeaderBytes:])
}

func (l location) damage(key []byte, reason string) error {
	return &DamageError{
		File: l.seg.name, Offset: l.offset(), FirstSeq: l.seq, LastSeq: l.seq,
		Keys: []string{string(key)}, Reason: reason,
	}
}
