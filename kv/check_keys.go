package kv

import (
	"maps"
	"slices"
)

// keyBook is what the records say about every key.
type keyBook struct {
	states map[string]keyState

	missing uint64 // records that are gone with the name of their key
	newest  uint64 // the greatest sequence number that one of them may have had
	unknown bool   // there may be more of them, newer than all that is there
}

// keyState is a key's newest record that can be read, and its newest that
// cannot. A sequence number of zero means none.
type keyState struct {
	seq   uint64
	alive bool // it sets the key

	lost   uint64
	file   string
	offset int64
}

// apply takes a whole record. Sequence numbers come in rising order.
func (b *keyBook) apply(h *recordHeader, key string) {
	s := b.states[key]
	s.seq, s.alive = h.seq, h.kind == kindSet
	b.states[key] = s
}

// lose takes a record of key that cannot be read.
func (b *keyBook) lose(seq uint64, key, file string, offset int64) {
	s := b.states[key]
	s.lost, s.file, s.offset = seq, file, offset
	b.states[key] = s
}

// miss takes records that are gone, last being zero where the end of them is
// not known.
func (b *keyBook) miss(first, last uint64) {
	switch {
	case first == 0:
	case last == 0:
		b.unknown = true
		b.newest = max(b.newest, first)
	case last >= first:
		b.missing += last - first + 1
		b.newest = max(b.newest, last)
	}
}

// summarise writes down what is known of the keys.
func (b *keyBook) summarise(r *CheckReport) {
	r.MissingRecords, r.MissingUnknown = b.missing, b.unknown
	for _, key := range slices.Sorted(maps.Keys(b.states)) {
		s := b.states[key]
		if s.alive {
			r.Keys++
		}
		if s.alive && (s.seq < b.newest || b.unknown) {
			r.MaybeOlder++
		}
		if s.lost <= s.seq {
			continue
		}
		r.TouchedTotal++
		if len(r.Touched) < maxListed {
			r.Touched = append(r.Touched, TouchedKey{
				Key: []byte(key), File: s.file, Offset: s.offset, Seq: s.lost, OlderSeq: s.seq,
			})
		}
	}
}
