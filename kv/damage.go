package kv

import "fmt"

// Torn tail or damage?
//
// Behind the last whole record of the active segment there may be anything: the
// group that was being written when the power went may have reached the disk in
// part, sectors in any order. That is a torn tail: its writes were not
// acknowledged, and recovery cuts it.
//
// It is damage when that place had been synced. Four things say so:
//
//  1. the manifest, which holds a lower bound of what is durable, raised by
//     every clean close, every recovery, every new segment, and once a second
//     while there are writes;
//  2. a whole record before the place that says the log was durable up to a
//     point behind it (impossible unless somebody put it there, and refused);
//  3. a whole record anywhere behind the place that says so: it was written
//     after the sync that covered the place;
//  4. the file being shorter than it was preallocated to.
//
// What is left is damage, in a store that was not closed, to groups of the last
// second that takes everything written after them along: the last group, or the
// last few if they share a bad sector. No single machine can tell that from a
// torn write. It is cut, counted in RecoveryReport and logged; if zeros are all
// that is left of them, they look like space that was never written, and there
// is nothing to count.

// remainder is what stands behind the last whole record of a segment.
type remainder struct {
	end      int64         // offset behind the last byte that is not zero
	witness  *recordHeader // a record that proves that what was before it had been synced
	witnessA int64         // its offset
}

// examine reads the rest of a segment from offset on, through w. It looks for a
// record that was written when the log was known to be durable beyond limit, and
// ends at the first.
func (s *segment) examine(w *window, offset, limit int64) (remainder, error) {
	rem := remainder{end: offset}
	for at := offset; at < s.header.capacity; at += windowBytes {
		n := int(min(windowBytes, s.header.capacity-at))
		// A header may begin in this piece and end in the next.
		b, err := w.bytes(at, n+recordHeaderBytes)
		if err != nil {
			return rem, err
		}
		if s.examinePiece(b, min(n, len(b)), at, limit, &rem) {
			return rem, nil
		}
	}
	return rem, nil
}

// examinePiece looks at the first n bytes of b, which stand at offset at, and
// reports whether it met a record that says it was written after everything up
// to beyond limit was durable.
func (s *segment) examinePiece(b []byte, n int, at, limit int64, rem *remainder) bool {
	for i := 0; i+recordAlign <= n; i += recordAlign {
		if le.Uint64(b[i:]) == 0 {
			continue
		}
		rem.end = at + int64(i) + recordAlign
		if i+recordHeaderBytes > len(b) {
			continue
		}
		h, ok := parseHeader(b[i:], s.identity, at+int64(i))
		if ok && int64(h.durable) > limit {
			witness := h // or every h would be one to allocate
			rem.witness, rem.witnessA = &witness, at+int64(i)
			return true
		}
	}
	return false
}

// damageAt describes a place of the active segment that was synced and is not
// whole any more.
func (r *replay) damageAt(rem *remainder) error {
	e := &DamageError{
		File: r.seg.name, Offset: r.next.offset,
		FirstSeq: r.next.seq, LastSeq: r.next.seq,
		Reason: fmt.Sprintf("no whole record stands here, and the log was synced up to offset %d", r.durable),
	}
	if rem.witness != nil {
		e.LastSeq = max(e.FirstSeq, rem.witness.seq-1)
		e.Reason = fmt.Sprintf("no whole record stands here, and the record at offset %d was written after the log was synced up to offset %d",
			rem.witnessA, rem.witness.durable)
	}
	return e
}

// checkSealed refuses a sealed segment whose replay did not end exactly where
// the manifest says.
func (r *replay) checkSealed(e *manifestEntry) error {
	if r.end == e.position() {
		return nil
	}
	return &DamageError{
		File: r.seg.name, Offset: r.next.offset,
		FirstSeq: r.next.seq, LastSeq: max(r.next.seq, e.lastSeq),
		Reason: fmt.Sprintf("no whole record that follows the one before stands here, and the segment was sealed at offset %d with sequence number %d", e.length, e.lastSeq),
	}
}

func (e *manifestEntry) position() position {
	return position{offset: e.length, lastSeq: e.lastSeq, chain: e.chain}
}
