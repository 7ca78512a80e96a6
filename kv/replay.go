package kv

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/afero"
)

// position is the end of a record, and what the record after it builds on.
type position struct {
	offset  int64  // of the byte behind the record
	lastSeq uint64 // of the record; one less than the first before any
	chain   uint32 // its header checksum, the segment header's before any
}

func (p placement) position() position {
	return position{offset: p.offset, lastSeq: p.seq - 1, chain: p.prev}
}

// applyFunc takes one record of a whole batch. key is only valid during the
// call.
type applyFunc func(h *recordHeader, key []byte, offset int64)

// replay reads the records of a segment from the first on, as far as they are
// whole and follow each other, and hands over every record whose batch is
// complete.
type replay struct {
	seg    *segment
	window *window
	limit  int64 // no record may reach beyond this offset
	apply  applyFunc

	next placement // where the next record should be
	end  position  // of the last complete batch
	// durable is the greatest offset that the manifest or a record says was
	// synced; ends are the record ends from there on, in order.
	durable int64
	ends    []position
	batch   []replayed // the records of a batch that is not complete yet
	records uint64     // handed over
}

// replayed is a record that waits for the end of its batch.
type replayed struct {
	header recordHeader
	key    []byte
	offset int64
}

// newReplay begins a replay of seg up to limit, durable bytes of which are
// known to be durable.
func newReplay(seg *segment, durable, limit int64, apply applyFunc) *replay {
	start := seg.start()
	return &replay{
		seg: seg, window: newWindow(seg), limit: limit, apply: apply,
		next: start, end: start.position(),
		durable: durable, ends: []position{start.position()},
	}
}

// replayUnlisted replays a segment of a size that no manifest lists, to see what
// it holds. What its headers claim is worth no more than the file has.
func replayUnlisted(h segmentHeader, file afero.File, size int64) (*replay, error) {
	rp := newReplay(newSegment(h, file), segmentHeaderBytes, min(h.capacity, size), func(*recordHeader, []byte, int64) {})
	return rp, rp.run()
}

// run replays to the first record that is not whole. Its error is a failed
// read, or a record that contradicts itself; everything else is for the caller
// to judge by end, durable and limit.
func (r *replay) run() error {
	for {
		h, payload, ok, err := r.read()
		if err != nil || !ok {
			return err
		}
		if err := r.take(h, payload); err != nil {
			return err
		}
	}
}

// read returns the record at r.next, or false when no whole record that
// follows the one before stands there.
func (r *replay) read() (h recordHeader, payload []byte, ok bool, err error) {
	at := r.next.offset
	if at+recordHeaderBytes > r.limit {
		return h, nil, false, nil
	}
	b, err := r.window.bytes(at, recordHeaderBytes)
	if err != nil || len(b) < recordHeaderBytes {
		return h, nil, false, err
	}
	h, ok = parseHeader(b, r.seg.identity, at)
	if !ok || h.seq != r.next.seq || h.prev != r.next.prev || h.size() > r.limit-at {
		return h, nil, false, nil
	}
	// The header is whole, so its lengths can be trusted with memory.
	n := int(h.keyLen) + int(h.valueLen)
	payload, err = r.window.bytes(at+recordHeaderBytes, n)
	if err != nil || len(payload) < n {
		return h, nil, false, err
	}
	return h, payload, h.payloadIntact(payload), nil
}

func (r *replay) take(h recordHeader, payload []byte) error {
	at := r.next.offset
	r.next.offset += h.size()
	r.next.seq++
	r.next.prev = h.crc
	if err := r.believe(int64(h.durable)); err != nil {
		return err
	}
	if r.next.offset >= r.durable {
		r.ends = append(r.ends, r.next.position())
	}
	key := payload[:h.keyLen]
	if h.more() {
		r.batch = append(r.batch, replayed{h, append([]byte(nil), key...), at})
		return nil
	}
	for i := range r.batch {
		r.apply(&r.batch[i].header, r.batch[i].key, r.batch[i].offset)
	}
	r.apply(&h, key, at)
	r.records += uint64(len(r.batch)) + 1
	r.batch = r.batch[:0]
	r.end = r.next.position()
	return nil
}

// believe raises durable to what a record claims.
func (r *replay) believe(durable int64) error {
	if durable <= r.durable {
		return nil
	}
	r.durable = durable
	for len(r.ends) > 0 && r.ends[0].offset < durable {
		r.ends = r.ends[1:]
	}
	if len(r.ends) == 0 || r.ends[0].offset != durable {
		return &DamageError{
			File: r.seg.name, Offset: durable, FirstSeq: r.next.seq, LastSeq: r.next.seq,
			Reason: "a record says that the log was synced up to here, and no record ends here",
		}
	}
	return nil
}

// durablePosition is the position at r.durable. It is meaningful once run has
// returned with end at or behind durable.
func (r *replay) durablePosition() (position, error) {
	for _, p := range r.ends {
		if p.offset == r.durable {
			return p, nil
		}
	}
	return position{}, &DamageError{
		File: r.seg.name, Offset: r.durable, FirstSeq: r.end.lastSeq, LastSeq: r.end.lastSeq,
		Reason: "the log was synced up to here, and no record ends here",
	}
}

// window reads a file front to back in large pieces.
type window struct {
	seg  *segment
	base int64 // offset of buf[0]
	buf  []byte
}

const windowBytes = 1 << 20

func newWindow(seg *segment) *window { return &window{seg: seg} }

// bytes returns n bytes from offset, fewer at the end of the file. They are
// valid until the next call.
func (w *window) bytes(offset int64, n int) ([]byte, error) {
	from := offset - w.base
	if from >= 0 && from+int64(n) <= int64(len(w.buf)) {
		return w.buf[from : from+int64(n)], nil
	}
	want := max(n, int(min(windowBytes, w.seg.header.capacity)))
	if cap(w.buf) < want {
		w.buf = make([]byte, 0, want)
	}
	got, err := readAt(w.seg.file, w.buf[:want], offset)
	w.base, w.buf = offset, w.buf[:got]
	if err != nil && !errors.Is(err, io.EOF) {
		w.buf = w.buf[:0]
		return nil, fmt.Errorf("reading %s at offset %d: %w", w.seg.name, offset, err)
	}
	return w.buf[:min(n, got)], nil
}
