package faultfs

import (
	"math/bits"
	"slices"
)

// Bounds of what is listed in full. Beyond them the choices are all prefixes,
// each single change alone, each left out, nothing and everything; and Count is
// capped.
const (
	maxFreeSizes = 6
	maxFreeData  = 4
)

// fileSpace is all that may be left of one file, given that it has a name.
type fileSpace struct {
	view     view
	variants []variant
	sizes    []int  // the changes of the size that are free, by seq
	index    []int  // the variant of each subset of sizes; nil if there are too many
	count    uint64 // saturates
	capped   bool
}

// variant is a shape of the file, with all that its sectors may hold.
type variant struct {
	shape
	fixed    []*sector // where there is no choice; nil elsewhere
	fixedSum uint64
	units    []unit
	slot     []int32 // the unit of each sector up to the last that has one, -1 for none
	count    uint64
	capped   bool
}

// unit is a stretch of sectors that one choice is made for.
type unit struct {
	first, width int
	free         []int // the changes that are, by seq
	options      []option
	// index has, for each subset of free and each fill, the option that it
	// amounts to. It is nil if there are too many.
	index []uint16
}

type option struct {
	sectors []*sector
	sum     uint64
	chosen  uint64 // the subset of free that gives it, with the lowest fill
	fill    fill
}

// blend makes one number of two, for hashes.
func blend(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xc2b2ae3d27d4eb4f)
	return hi ^ lo
}

// sumOf is what sector i adds to the sum of a file.
func sumOf(i int, s *sector) uint64 {
	if s == nil {
		return 0
	}
	return blend(s.hash, uint64(i)+1)
}

// rules is what a profile adds to the choices within a file.
type fileRules struct {
	profile Profile
	must    int // every change of the file up to this seq is on the disk
}

func (r fileRules) flushed(c *change) bool { return c.seq <= r.must }

// fileSpace lists what may be left of n at point k.
func (d *Disk) fileSpace(n *node, k int, r fileRules) *fileSpace {
	f := &fileSpace{view: n.at(k)}
	for i := range n.sizes {
		if there, free := n.sizes[i].at(k); there && free && n.sizes[i].seq > r.must {
			f.sizes = append(f.sizes, n.sizes[i].seq)
		}
	}
	subsets, capped := subsetsOf(len(f.sizes), maxFreeSizes)
	if r.profile != Weak {
		subsets, capped = prefixesOf(len(f.sizes)), false
	}
	f.capped = capped
	known := f.view.shape(r.flushed)
	for _, set := range subsets {
		chosen := set.chooser(f.sizes)
		s := f.view.shape(func(c *change) bool { return chosen(c) || r.flushed(c) })
		at := f.find(&s)
		if at < 0 {
			at = len(f.variants)
			f.add(d.variant(&f.view, s, known.size, r))
		}
		if !capped && r.profile == Weak {
			f.index = append(f.index, at)
		}
	}
	return f
}

// find returns the variant of a shape, or -1.
func (f *fileSpace) find(s *shape) int {
	return slices.IndexFunc(f.variants, func(v variant) bool { return v.shape.same(s) })
}

func (f *fileSpace) add(v variant) {
	f.variants = append(f.variants, v)
	f.count = addSat(f.count, v.count)
	f.capped = f.capped || v.capped
}

// variant lists what the sectors of n may hold, for one shape. shown is the
// size that is durable.
func (d *Disk) variant(n *view, s shape, shown int64, r fileRules) variant {
	v := variant{shape: s, count: 1}
	v.fixed = n.contents(&s, r.flushed)
	width := 1
	if r.profile == Btrfs {
		width = PageBytes / SectorBytes
	}
	unsettled := n.unsettled(&s, width)
	if len(unsettled) > 0 {
		v.fixed = slices.Clone(v.fixed)
	}
	for _, first := range unsettled {
		u, capped := d.unit(n, &v.shape, first, width, shown, r)
		v.capped = v.capped || capped
		if len(u.options) == 1 {
			for j, sec := range u.options[0].sectors {
				v.setFixed(first+j, sec)
			}
			continue
		}
		for j := range u.width {
			v.setFixed(first+j, nil)
			for len(v.slot) <= first+j {
				v.slot = append(v.slot, -1)
			}
			v.slot[first+j] = int32(len(v.units))
		}
		v.units = append(v.units, u)
		v.count = mulSat(v.count, uint64(len(u.options)))
	}
	v.fixed = trimmed(v.fixed)
	for i, sec := range v.fixed {
		v.fixedSum += sumOf(i, sec)
	}
	return v
}

func (v *variant) setFixed(i int, s *sector) {
	for s != nil && i >= len(v.fixed) {
		v.fixed = append(v.fixed, nil)
	}
	if i < len(v.fixed) {
		v.fixed[i] = s
	}
}

// unsettled returns the first sectors of the units in which there may be a choice.
func (v *view) unsettled(s *shape, width int) []int {
	var list []int
	last := sectorsOf(s.size)
	for i, changes := range v.data {
		if i < last && v.touched(i) && slices.ContainsFunc(changes, func(c dataChange) bool {
			there, free := c.at(v.k)
			return there && free
		}) {
			list = append(list, i/width*width)
		}
	}
	if s.grown < s.size {
		for i := int(s.grown / SectorBytes); i < last; i++ {
			list = append(list, i/width*width)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// unit lists what the sectors from first on may hold.
func (d *Disk) unit(n *view, s *shape, first, width int, shown int64, r fileRules) (unit, bool) {
	u := unit{first: first, width: min(width, sectorsOf(s.size)-first)}
	for i := first; i < first+u.width; i++ {
		for j := range n.data[i] {
			c := &n.data[i][j]
			if there, free := c.at(n.k); there && free && !r.forces(c, i, shown, s.size) {
				u.free = append(u.free, c.seq)
			}
		}
	}
	slices.Sort(u.free)
	subsets, capped := subsetsOf(len(u.free), maxFreeData)
	last := fills
	if r.profile != Weak {
		last = fillGarbage
	}
	if r.profile == Btrfs {
		subsets, capped = prefixesOf(len(u.free)), false
	}
	if !capped {
		u.index = make([]uint16, (1<<len(u.free))*int(fills))
	}
	for _, set := range subsets {
		chosen := set.chooser(u.free)
		parts := make([]*composed, u.width)
		for j := range parts {
			parts[j] = n.compose(first+j, s, func(c *change) bool { return chosen(c) || !slices.Contains(u.free, c.seq) })
		}
		for f := range fills {
			at := 0
			if f < last {
				at = u.add(d.option(n, s, first, parts, f), uint64(set), f)
			} else {
				at = int(u.index0(uint64(set)))
			}
			if u.index != nil {
				u.index[int(set)*int(fills)+int(f)] = uint16(at)
			}
		}
	}
	if r.profile == Btrfs {
		u.index = nil
	}
	return u, capped
}

func (u *unit) index0(set uint64) uint16 {
	if u.index == nil {
		return 0
	}
	return u.index[int(set)*int(fills)]
}

// forces reports whether the profile rules out that a change is lost, given
// the size: data reaches new blocks before the size that shows them.
func (r fileRules) forces(c *dataChange, i int, shown, size int64) bool {
	if r.profile == Weak {
		return false
	}
	end := int64(i)*SectorBytes + int64(c.hi)
	return c.seq <= r.must || end > shown && int64(i)*SectorBytes+int64(c.lo) < size
}

func (d *Disk) option(n *view, s *shape, first int, parts []*composed, f fill) option {
	o := option{sectors: make([]*sector, len(parts))}
	for j, part := range parts {
		var with *sector
		if i := first + j; part.open(i, s) {
			switch f {
			case fillGarbage:
				with = garbage(n.node, i)
			case fillStale:
				with = d.stale(n.k, i)
			}
		}
		o.sectors[j] = part.filled(first+j, s.size, with)
		o.sum += sumOf(first+j, o.sectors[j])
	}
	return o
}

// add returns the place of an option, which is new or not.
func (u *unit) add(o option, chosen uint64, f fill) int {
	for i := range u.options {
		if u.options[i].sum == o.sum {
			return i
		}
	}
	o.chosen, o.fill = chosen, f
	u.options = append(u.options, o)
	return len(u.options) - 1
}

// subset is a choice among the changes of a list, by their place in it. Those
// from the 64th on are chosen together.
type subset uint64

// chooser returns the chooser of a list of changes by seq.
func (s subset) chooser(list []int) chooser {
	return func(c *change) bool {
		i := slices.Index(list, c.seq)
		return i >= 0 && s.has(i)
	}
}

func (s subset) has(i int) bool { return s>>min(i, 63)&1 != 0 }

// subsetsOf lists subsets of n changes, all of them up to limit.
func subsetsOf(n, limit int) (list []subset, capped bool) {
	if n <= limit {
		for s := range subset(1) << n {
			list = append(list, s)
		}
		return list, false
	}
	list = prefixesOf(n)
	all := list[len(list)-1]
	for i := range min(n, 64) {
		list = append(list, 1<<i, all&^(1<<i))
	}
	slices.Sort(list)
	return slices.Compact(list), true
}

// prefixesOf lists the beginnings of n changes.
func prefixesOf(n int) []subset {
	list := []subset{0}
	for i := range min(n, 64) {
		list = append(list, list[i]|1<<i)
	}
	return list
}

const saturated = 1<<64 - 1

func addSat(a, b uint64) uint64 {
	if sum, carry := bits.Add64(a, b, 0); carry == 0 {
		return sum
	}
	return saturated
}

func mulSat(a, b uint64) uint64 {
	if hi, lo := bits.Mul64(a, b); hi == 0 {
		return lo
	}
	return saturated
}
