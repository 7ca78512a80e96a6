package wire

import (
	"encoding/binary"
	"math"
)

// Pair is a key and its value.
type Pair struct{ Key, Value []byte }

// PairBytes is the size of a Pair in memory on a 64-bit machine, besides its key and value.
const PairBytes = 48

// body is a reader over the body of a payload. The first thing that is wrong sticks in err, and
// every later read yields zero, so that a parse function can read straight on and look once.
type body struct {
	rest []byte
	err  *Error
}

func (b *body) fail(e *Error) {
	if b.err == nil {
		b.err = e
	}
	b.rest = nil
}

// take cuts the next n bytes off, with no capacity beyond them.
func (b *body) take(n int, what string) []byte {
	if len(b.rest) < n {
		if b.err == nil {
			b.fail(malformed("%s needs %d bytes, %d left", what, n, len(b.rest)))
		}
		return nil
	}
	p := b.rest[:n:n]
	b.rest = b.rest[n:]
	return p
}

func (b *body) u8(what string) uint8 {
	if p := b.take(1, what); p != nil {
		return p[0]
	}
	return 0
}

func (b *body) u32(what string) uint32 {
	if p := b.take(4, what); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (b *body) u64(what string) uint64 {
	if p := b.take(8, what); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (b *body) bytes(what string) []byte {
	n := b.u32(what)
	if uint64(n) > math.MaxInt32 {
		b.fail(malformed("%s claims %d bytes", what, n))
		return nil
	}
	return b.take(int(n), what)
}

// bound is a prefix, start or end of a scan: a key that may be empty.
func (b *body) bound(what string) []byte {
	p := b.bytes(what)
	if len(p) > MaxKeyBytes {
		b.fail(errorf(StatusKeyTooLarge, "%s of %d bytes, at most %d", what, len(p), MaxKeyBytes))
	}
	return p
}

func (b *body) key() []byte {
	p := b.bound("key")
	if len(p) == 0 && b.err == nil {
		b.fail(errorf(StatusEmptyKey, "a key has 1 to %d bytes", MaxKeyBytes))
	}
	return p
}

// flag is a u8 that says no or yes; anything but 0 and 1 is malformed.
func (b *body) flag(what string) bool {
	v := b.u8(what)
	if v > 1 {
		b.fail(malformed("%s is %d, must be 0 or 1", what, v))
	}
	return v == 1
}

// pairs reads count pairs, or count keys. The list is walked once before anything is allocated, so
// that a count the payload does not hold costs nothing.
func (b *body) pairs(count uint32, values bool) []Pair {
	check := *b
	for range count {
		check.pair(values)
		if check.err != nil {
			b.fail(check.err)
			return nil
		}
	}
	if count == 0 {
		return nil
	}
	pairs := make([]Pair, count)
	for i := range pairs {
		pairs[i] = b.pair(values)
	}
	return pairs
}

func (b *body) pair(values bool) Pair {
	p := Pair{Key: b.key()}
	if values {
		p.Value = b.bytes("value")
	}
	return p
}

// end reports what was wrong with the body, trailing bytes included.
func (b *body) end() error {
	if b.err == nil && len(b.rest) > 0 {
		b.fail(malformed("%d bytes after the body", len(b.rest)))
	}
	if b.err == nil {
		return nil // not b.err: a nil *Error would be an error
	}
	return b.err
}

func appendBytes(dst, p []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(p)))
	return append(dst, p...)
}

func appendPairs(dst []byte, pairs []Pair, values bool) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(pairs)))
	for _, p := range pairs {
		dst = appendBytes(dst, p.Key)
		if values {
			dst = appendBytes(dst, p.Value)
		}
	}
	return dst
}

func pairsBytes(pairs []Pair, values bool) int {
	n := 4
	for _, p := range pairs {
		n += 4 + len(p.Key)
		if values {
			n += 4 + len(p.Value)
		}
	}
	return n
}
