package wire

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Reply is the answer to one request, or with ID 0 a word about the connection.
type Reply struct {
	ID     uint64
	Op     Op // the operation it answers. It does not travel: an OK reply cannot be read without it
	Status Status

	// The fields below count for StatusOK only, each for the operations named.
	Value  []byte // Get
	Exists bool   // Delete: the key was there; Exists: it is
	Cursor uint64 // Keys, Scan: what to ask the next page with; 0: there is none
	Pairs  []Pair // Keys (Key alone), Scan

	Message string // for every status but StatusOK: UTF-8, at most MaxMessageBytes
}

// Err returns nil for StatusOK and the status and message as an [*Error] for every other.
func (r *Reply) Err() error {
	if r.Status == StatusOK {
		return nil
	}
	return &Error{Status: r.Status, Message: r.Message}
}

// PayloadBytes is the length that AppendReply will write before the payload, provided that the
// message keeps its limits.
func (r *Reply) PayloadBytes() int {
	if r.Status != StatusOK {
		return HeaderBytes + 4 + len(r.Message)
	}
	switch r.Op {
	case OpGet:
		return HeaderBytes + 4 + len(r.Value)
	case OpDelete, OpExists:
		return HeaderBytes + 1
	case OpKeys, OpScan:
		return HeaderBytes + 8 + pairsBytes(r.Pairs, r.Op == OpScan)
	default:
		return HeaderBytes
	}
}

// AppendReply appends r as one frame, length included, and returns the longer slice. A message that
// is too long or not UTF-8 is cut and mended.
func AppendReply(dst []byte, r *Reply) []byte {
	head, tail := AppendReplyHead(dst, r)
	return append(head, tail...)
}

// AppendReplyHead appends the frame of r but for its last bytes, which it returns as tail: the value
// of a Get, so that a large one can be sent from where it lies. The tail of all else is empty.
func AppendReplyHead(dst []byte, r *Reply) (head, tail []byte) {
	if r.Status != StatusOK {
		msg := cutMessage(r.Message)
		dst = appendHeader(dst, HeaderBytes+4+len(msg), uint8(r.Status), r.ID)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(msg)))
		return append(dst, msg...), nil
	}
	dst = appendHeader(dst, r.PayloadBytes(), uint8(r.Status), r.ID)
	switch r.Op {
	case OpGet:
		return binary.BigEndian.AppendUint32(dst, uint32(len(r.Value))), r.Value
	case OpDelete, OpExists:
		dst = append(dst, flagByte(r.Exists))
	case OpKeys, OpScan:
		dst = binary.BigEndian.AppendUint64(dst, r.Cursor)
		dst = appendPairs(dst, r.Pairs, r.Op == OpScan)
	}
	return dst, nil
}

// ParseReply parses the payload of a reply to a request of operation op; its slices alias payload.
// A caller who does not know op yet finds the id with [ParseHeader]. Any status but OK parses
// without op, also one that this version does not know. The error is an [*Error] about the bytes,
// never the status that they carry: for that see [Reply.Err].
func ParseReply(op Op, payload []byte) (Reply, error) {
	h, err := ParseHeader(payload)
	r := Reply{ID: h.ID, Op: op, Status: Status(h.Kind)}
	if err != nil {
		return r, err
	}
	b := body{rest: payload[HeaderBytes:len(payload):len(payload)]}
	switch {
	case r.Status != StatusOK:
		r.Message = b.message()
	case r.ID == 0:
		b.fail(malformed("an OK reply with id 0"))
	default:
		r.parseBody(&b)
	}
	if b.err != nil {
		b.err.Status = StatusMalformed // also what a request would be told about a key
	}
	return r, b.end()
}

func (r *Reply) parseBody(b *body) {
	switch r.Op {
	case OpSet, OpBulkSet:
	case OpGet:
		r.Value = b.bytes("value")
	case OpDelete, OpExists:
		r.Exists = b.flag("existed")
	case OpKeys, OpScan:
		r.Cursor = b.u64("cursor")
		r.Pairs = b.pairs(b.u32("count"), r.Op == OpScan)
	default:
		b.fail(malformed("an OK reply to %v", r.Op))
	}
}

func (b *body) message() string {
	p := b.bytes("message")
	if len(p) > MaxMessageBytes {
		b.fail(malformed("message of %d bytes, at most %d", len(p), MaxMessageBytes))
		return ""
	}
	if !utf8.Valid(p) {
		b.fail(malformed("message is not UTF-8"))
		return ""
	}
	return string(p)
}

func cutMessage(s string) string {
	if len(s) <= MaxMessageBytes && utf8.ValidString(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxMessageBytes {
		return s
	}
	n := MaxMessageBytes
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func flagByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}
