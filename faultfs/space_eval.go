package faultfs

import (
	"math/bits"
	"slices"
)

// What a choice among the pending changes of one file makes of it. Changes are
// applied in the order in which they were issued, as faults.md has it: the base,
// all that was forced, and what was chosen.

// fill is what stands where something was allocated and its data was lost.
type fill uint8

const (
	fillZeros fill = iota
	fillGarbage
	fillStale // what a file that gave back its space had at the same place
	fills
)

// shape is the size of a file, and what the way to it did to the bytes.
type shape struct {
	size int64
	cuts []cut
	// grown is where truncation that was not synced has made the file longer, so
	// that anything may show from there on; size if it has not.
	grown int64
}

// cut is a truncation that took bytes away.
type cut struct {
	seq int
	at  int64
}

func (s *shape) same(o *shape) bool {
	return s.size == o.size && s.grown == o.grown && slices.Equal(s.cuts, o.cuts)
}

// chooser says of a change that is free whether it is on the disk.
type chooser func(*change) bool

func everything(*change) bool { return true }

// shape applies the changes of the size that are forced or chosen.
func (v *view) shape(chosen chooser) shape {
	s := shape{size: v.base.size, grown: -1}
	for i := range v.sizes {
		c := &v.sizes[i]
		there, free := c.at(v.k)
		if !there || c.seq <= v.base.seq || free && !chosen(&c.change) {
			continue
		}
		switch {
		case c.kind == sizeSet && c.size < s.size:
			s.cuts = append(s.cuts, cut{c.seq, c.size})
			s.size = c.size
			if s.grown > s.size {
				s.grown = -1
			}
		case c.size > s.size:
			if c.kind == sizeSet && free && s.grown < 0 {
				s.grown = s.size
			}
			s.size = c.size
		}
	}
	if s.grown < 0 {
		s.grown = s.size
	}
	return s
}

// bytesKnown has a bit for each byte of a sector that something was written to.
type bytesKnown [SectorBytes / 64]uint64

func (b *bytesKnown) set(lo, hi int, known bool) {
	for w := lo / 64; w < len(b) && w*64 < hi; w++ {
		mask := ^uint64(0)
		if from := lo - w*64; from > 0 {
			mask <<= from
		}
		if to := hi - w*64; to < 64 {
			mask &= 1<<to - 1
		}
		if known {
			b[w] |= mask
		} else {
			b[w] &^= mask
		}
	}
}

// composed is a sector under construction.
type composed struct {
	sector sector
	known  bytesKnown
	lost   bool // a change to bytes that were never durable is not in it
}

// compose applies the changes of sector i that are forced or chosen to its base,
// and the cuts of the shape.
func (v *view) compose(i int, s *shape, chosen chooser) *composed {
	c := &composed{}
	if i < len(v.base.sectors) && v.base.sectors[i] != nil {
		c.sector.bytes = v.base.sectors[i].bytes
	}
	// Zeros that were written are known as well, though no sector is kept of them.
	c.known.set(0, int(min(SectorBytes, v.base.written-int64(i)*SectorBytes)), true)
	cuts := s.cuts
	for j := range v.data[i] {
		w := &v.data[i][j]
		there, free := w.at(v.k)
		if !there || w.seq <= v.base.seq {
			continue
		}
		for len(cuts) > 0 && cuts[0].seq < w.seq {
			c.cut(i, cuts[0].at)
			cuts = cuts[1:]
		}
		if free && !chosen(&w.change) {
			c.lost = c.lost || w.fresh
			continue
		}
		copy(c.sector.bytes[w.lo:w.hi], w.data[w.lo:w.hi])
		c.known.set(w.lo, w.hi, true)
	}
	for _, rest := range cuts {
		c.cut(i, rest.at)
	}
	if end := s.size - int64(i)*SectorBytes; end < SectorBytes {
		clear(c.sector.bytes[max(0, end):])
	}
	return c
}

func (c *composed) cut(i int, at int64) {
	if from := at - int64(i)*SectorBytes; from < SectorBytes {
		from = max(0, from)
		clear(c.sector.bytes[from:])
		c.known.set(int(from), SectorBytes, false)
	}
}

// filled returns the sector with f in the bytes below size that nothing is
// known of.
func (c *composed) filled(i int, size int64, with *sector) *sector {
	b := &sector{bytes: c.sector.bytes}
	end := int(min(SectorBytes, size-int64(i)*SectorBytes))
	if with != nil {
		for w, known := range c.known {
			for unknown := ^known; unknown != 0; unknown &= unknown - 1 {
				if at := w*64 + bits.TrailingZeros64(unknown); at < end {
					b.bytes[at] = with.bytes[at]
				}
			}
		}
	}
	return newSector(b)
}

// open reports whether anything may show in sector i.
func (c *composed) open(i int, s *shape) bool {
	return c.lost || s.grown < s.size && s.grown < int64(i+1)*SectorBytes
}

// contents returns the content of a file of which chosen says what is on the
// disk, with zeros where data was lost.
func (v *view) contents(s *shape, chosen chooser) []*sector {
	last := 0
	for i := range v.data {
		if v.touched(i) {
			last = max(last, i+1)
		}
	}
	if last == 0 && len(s.cuts) == 0 && s.size >= v.base.size {
		return v.base.sectors
	}
	list := make([]*sector, min(max(last, len(v.base.sectors)), sectorsOf(s.size)))
	for i := range list {
		switch {
		case v.touched(i) || len(s.cuts) > 0 || int64(i+1)*SectorBytes > s.size:
			list[i] = v.compose(i, s, chosen).filled(i, s.size, nil)
		case i < len(v.base.sectors):
			list[i] = v.base.sectors[i]
		}
	}
	return trimmed(list)
}

// touched reports whether sector i was written to since the base.
func (v *view) touched(i int) bool {
	list := v.data[i]
	return len(list) > 0 && list[len(list)-1].seq > v.base.seq
}

// trimmed cuts off zeros.
func trimmed(list []*sector) []*sector {
	for len(list) > 0 && list[len(list)-1] == nil {
		list = list[:len(list)-1]
	}
	return list
}

// garbage returns the bytes that fill sector i of file n with garbage: the same
// in every state and every run.
func garbage(n *node, i int) *sector {
	s := &sector{}
	x := uint64(n.num+1)<<32 + uint64(i)
	for at := range s.bytes {
		if at%8 == 0 {
			x += 0x9e3779b97f4a7c15
		}
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		s.bytes[at] = byte(z >> (8 * (at % 8)))
	}
	return newSector(s)
}

// stale returns what may show in sector i of any file at point k, or nil: the
// most recent content that was given back.
func (d *Disk) stale(k, i int) *sector {
	for j := len(d.freed) - 1; j >= 0; j-- {
		if f := d.freed[j]; f.point <= k && i < len(f.sectors) && f.sectors[i] != nil {
			return f.sectors[i]
		}
	}
	return nil
}
