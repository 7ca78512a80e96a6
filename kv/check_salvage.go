package kv

import "fmt"

// salvage reads the records of a damaged segment. Where no whole record stands
// that follows the one before, it looks for the next one whose checksum says
// that it was written to its place in this file, and goes on there.
//
// It does so twice: once to learn how far records say that the log was synced,
// and once to judge every hole. Before that point a hole is damage; behind it
// the first one is the torn tail, and everything from there on counts for
// nothing.
type salvage struct {
	c      *checker
	seg    *segment
	t      *target
	window *window
	size   int64 // of the file
	limit  int64 // no record may reach beyond this offset

	next    placement // where the next record should be
	proved  int64     // everything before this offset was synced once
	judging bool      // the second time

	batch   []replayed // the records of a batch that is not complete yet
	records uint64
	last    uint64 // sequence number of the last record that counts
}

func newSalvage(c *checker, seg *segment, t *target, size int64) *salvage {
	s := &salvage{c: c, seg: seg, t: t, size: size, proved: t.length, limit: min(size, t.header.capacity)}
	if t.sealed {
		s.limit = min(size, t.length)
	}
	s.rewind()
	return s
}

func (s *salvage) rewind() {
	s.next = placement{
		identity: s.seg.identity, offset: segmentHeaderBytes,
		seq: s.t.header.firstSeq, prev: s.t.header.chainStart(),
	}
	s.window = newWindow(s.seg)
	s.last = s.next.seq - 1
}

func (s *salvage) run() {
	if !s.t.sealed {
		s.c.failed(s.pass())
		s.rewind()
	}
	s.judging = true
	if err := s.pass(); s.c.failed(err) {
		s.endBatch()
		d := Damage{File: s.seg.name, Offset: s.next.offset, FirstSeq: s.next.seq, Reason: err.Error()}
		if s.t.sealed {
			d.LastSeq = s.t.stop - 1
		}
		s.c.lose(d)
		return
	}
	s.judgeEnd()
}

// pass reads from the first record to the last that counts.
func (s *salvage) pass() error {
	for s.next.seq < s.t.stop {
		if more, err := s.step(); err != nil || !more {
			return err
		}
	}
	return nil
}

// step reads the record at next, or finds where to go on. It returns false at
// the end.
func (s *salvage) step() (more bool, err error) {
	at := s.next.offset
	h, ok, err := s.header(at)
	if err != nil {
		return false, err
	}
	if !ok || h.seq != s.next.seq || h.prev != s.next.prev {
		return s.resume(at)
	}
	payload, err := s.payload(&h, at)
	if err != nil {
		return false, err
	}
	intact := h.payloadIntact(payload)
	if !intact && s.judging && at >= s.proved {
		return false, nil
	}
	s.proved = max(s.proved, int64(h.durable))
	s.next.offset, s.next.seq, s.next.prev = at+h.size(), h.seq+1, h.crc
	if s.judging {
		s.judge(&h, string(payload[:h.keyLen]), at, intact)
	}
	return true, nil
}

// header returns the header at an offset if it is one that was written there,
// of a record that the file has room for.
func (s *salvage) header(at int64) (h recordHeader, ok bool, err error) {
	if at+recordHeaderBytes > s.limit {
		return h, false, nil
	}
	b, err := s.window.bytes(at, recordHeaderBytes)
	if err != nil || len(b) < recordHeaderBytes {
		return h, false, err
	}
	h, ok = parseHeader(b, s.seg.identity, at)
	return h, ok && h.size() <= s.limit-at, nil
}

// payload returns key and value of the record at an offset.
func (s *salvage) payload(h *recordHeader, at int64) ([]byte, error) {
	n := int(h.keyLen) + int(h.valueLen)
	b, err := s.window.bytes(at+recordHeaderBytes, n)
	if err == nil && len(b) < n {
		err = fmt.Errorf("reading %s at offset %d: the file was %d bytes long, and is shorter now", s.seg.name, at, s.size)
	}
	return b, err
}

// judge takes a record whose header is whole.
func (s *salvage) judge(h *recordHeader, key string, at int64, intact bool) {
	if !intact {
		s.endBatch()
		s.c.keys.lose(h.seq, key, s.seg.name, at)
		s.c.report.damage(Damage{
			File: s.seg.name, Offset: at, Length: h.size(), FirstSeq: h.seq, LastSeq: h.seq,
			Reason: fmt.Sprintf("the record's key or value is not what was written; the key reads %.200q", key),
		})
		return
	}
	s.batch = append(s.batch, replayed{header: *h, key: []byte(key), offset: at})
	if !h.more() {
		s.endBatch()
	}
}

// endBatch lets the records that waited count.
func (s *salvage) endBatch() {
	for i := range s.batch {
		s.c.keys.apply(&s.batch[i].header, string(s.batch[i].key))
		s.last = s.batch[i].header.seq
	}
	s.records += uint64(len(s.batch))
	s.batch = s.batch[:0]
}

// resume finds the next record behind a hole that begins at offset at. It
// returns false when there is none, or when none of them counts.
func (s *salvage) resume(at int64) (more bool, err error) {
	if s.judging && at >= s.proved {
		return false, nil
	}
	found, h, err := s.search(at)
	if err != nil || found < 0 {
		return false, err
	}
	if s.judging {
		s.endBatch()
		d := Damage{File: s.seg.name, Offset: at, Length: found - at, Reason: "no whole record that follows the one before stands here"}
		if h.seq > s.next.seq {
			d.FirstSeq, d.LastSeq = s.next.seq, h.seq-1
		}
		s.c.lose(d)
	}
	s.next.offset, s.next.seq, s.next.prev = found, h.seq, h.prev
	return true, nil
}

// searchBytes is how much is searched at a time. It is little, because the
// search usually ends soon, and the window behind it reads ahead anyway.
const searchBytes = 4 << 10

// search returns the first offset from at on where a record stands that is not
// older than the one expected, -1 if there is none.
func (s *salvage) search(at int64) (int64, recordHeader, error) {
	for ; at+recordHeaderBytes <= s.limit; at += searchBytes {
		n := min(searchBytes+recordHeaderBytes-recordAlign, s.limit-at)
		b, err := s.window.bytes(at, int(n))
		if err != nil {
			return -1, recordHeader{}, err
		}
		for i := 0; i+recordHeaderBytes <= len(b); i += recordAlign {
			h, ok := parseHeader(b[i:], s.seg.identity, at+int64(i))
			if ok && h.seq >= s.next.seq && h.seq < s.t.stop && h.size() <= s.limit-at-int64(i) {
				return at + int64(i), h, nil
			}
		}
	}
	return -1, recordHeader{}, nil
}

// judgeEnd judges where the records end. Behind the end of an active segment
// that is whole so far there is the torn tail, with what began a batch there.
func (s *salvage) judgeEnd() {
	d := Damage{File: s.seg.name, Offset: s.next.offset, FirstSeq: s.next.seq}
	switch {
	case s.t.sealed && !s.endsAsSealed():
		d.Length, d.LastSeq = max(0, s.t.length-d.Offset), s.t.stop-1
		if d.LastSeq < d.FirstSeq {
			d.FirstSeq, d.LastSeq = 0, 0
		}
		d.Reason = fmt.Sprintf("the records end here, and the segment was sealed at offset %d with sequence number %d; the file has %d bytes",
			s.t.length, s.t.stop-1, s.size)
	case !s.t.sealed && d.Offset < s.proved:
		d.Length = s.proved - d.Offset
		d.Reason = fmt.Sprintf("the records end here, and the log was synced up to offset %d", s.proved)
	case s.t.state == stateActive && s.size < s.t.header.capacity:
		d.Offset, d.Length = s.size, s.t.header.capacity-s.size
		d.Reason = fmt.Sprintf("it has %d bytes, and had %d", s.size, s.t.header.capacity)
	default:
		return
	}
	s.endBatch()
	s.c.lose(d)
}

// endsAsSealed reports whether the records end as the manifest says.
func (s *salvage) endsAsSealed() bool {
	return s.next.offset == s.t.length && s.next.seq == s.t.stop && s.next.prev == s.t.chain
}
