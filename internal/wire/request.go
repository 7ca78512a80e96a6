package wire

import "encoding/binary"

// Request is one request. Fields that its Op does not use are ignored and parse as zero.
type Request struct {
	ID    uint64 // from 1 up; 0 is malformed
	Op    Op
	Key   []byte // Set, Get, Delete, Exists: 1 to MaxKeyBytes bytes
	Value []byte // Set
	Pairs []Pair // BulkSet: at least one; of two with one key the later wins
	Scan  Scan   // Keys, Scan
}

// Scan asks for one page of the keys k with Prefix, Start <= k, and k < End.
type Scan struct {
	// Cursor is 0 to begin, or the Cursor of the last page to go on; then the bounds are ignored.
	Cursor uint64
	Prefix []byte // empty: any
	Start  []byte // inclusive; empty: from the first key
	End    []byte // exclusive; empty: to the last key
	Limit  uint32 // most entries on this page; 0: as many as fit a frame
}

// PayloadBytes is the length that AppendRequest will write before the payload. A caller compares
// it with the frame limit first: beyond 4 GiB the length would not fit its four bytes.
func (r *Request) PayloadBytes() int {
	switch r.Op {
	case OpSet:
		return HeaderBytes + 4 + len(r.Key) + 4 + len(r.Value)
	case OpBulkSet:
		return HeaderBytes + pairsBytes(r.Pairs, true)
	case OpKeys, OpScan:
		return HeaderBytes + 8 + 4 + len(r.Scan.Prefix) + 4 + len(r.Scan.Start) + 4 + len(r.Scan.End) + 4
	case OpGet, OpDelete, OpExists:
		return HeaderBytes + 4 + len(r.Key)
	default:
		return HeaderBytes
	}
}

// AppendRequest appends r as one frame, length included, and returns the longer slice. It checks
// nothing: what it makes of an invalid Op, id 0, an empty or oversized key or an empty BulkSet is a
// frame that the other side refuses.
func AppendRequest(dst []byte, r *Request) []byte {
	dst = appendHeader(dst, r.PayloadBytes(), uint8(r.Op), r.ID)
	switch r.Op {
	case OpSet:
		dst = appendBytes(dst, r.Key)
		dst = appendBytes(dst, r.Value)
	case OpBulkSet:
		dst = appendPairs(dst, r.Pairs, true)
	case OpKeys, OpScan:
		dst = binary.BigEndian.AppendUint64(dst, r.Scan.Cursor)
		dst = appendBytes(dst, r.Scan.Prefix)
		dst = appendBytes(dst, r.Scan.Start)
		dst = appendBytes(dst, r.Scan.End)
		dst = binary.BigEndian.AppendUint32(dst, r.Scan.Limit)
	case OpGet, OpDelete, OpExists:
		dst = appendBytes(dst, r.Key)
	}
	return dst
}

// ParseRequest parses the payload of a request frame; its slices alias payload. The error is an
// [*Error] whose status is the answer to send. ID and Op are filled in beside an error as far as
// the payload shows them.
func ParseRequest(payload []byte) (Request, error) {
	h, err := ParseHeader(payload)
	r := Request{ID: h.ID, Op: Op(h.Kind)}
	if err != nil {
		return r, err
	}
	if r.ID == 0 {
		return r, malformed("a request has an id from 1 up")
	}
	b := body{rest: payload[HeaderBytes:len(payload):len(payload)]}
	r.parseBody(&b)
	return r, b.end()
}

func (r *Request) parseBody(b *body) {
	switch r.Op {
	case OpSet:
		r.Key = b.key()
		r.Value = b.bytes("value")
	case OpGet, OpDelete, OpExists:
		r.Key = b.key()
	case OpBulkSet:
		count := b.u32("count")
		if count == 0 && b.err == nil {
			b.fail(malformed("a BulkSet of no pairs"))
		}
		r.Pairs = b.pairs(count, true)
	case OpKeys, OpScan:
		r.Scan.Cursor = b.u64("cursor")
		r.Scan.Prefix = b.bound("prefix")
		r.Scan.Start = b.bound("start")
		r.Scan.End = b.bound("end")
		r.Scan.Limit = b.u32("limit")
	default:
		b.fail(errorf(StatusUnknownOp, "operation %d", uint8(r.Op)))
	}
}

// PairBound is the most pairs that a BulkSet can have whose payload has payloadBytes and starts with
// head, and 0 for every other operation: ParseRequest allocates [PairBytes] for each. Only the start of
// the payload has to be there, so that a server can reserve the memory before it reads the rest.
func PairBound(head []byte, payloadBytes int) int {
	const (
		countEnd     = HeaderBytes + 4
		smallestPair = 4 + 1 + 4
	)
	if len(head) < countEnd || Op(head[1]) != OpBulkSet || payloadBytes < countEnd {
		return 0
	}
	count := int64(binary.BigEndian.Uint32(head[HeaderBytes:]))
	return int(min(count, int64(payloadBytes-countEnd)/smallestPair))
}
