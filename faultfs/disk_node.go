package faultfs

import (
	"maps"
	"os"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"holdfast/internal/vfs"
)

// sector is 512 bytes that are never changed. A nil sector has zeros.
type sector struct {
	bytes [SectorBytes]byte
	hash  uint64
}

var zeroSector sector

// newSector seals b; it must not be changed afterwards.
func newSector(b *sector) *sector {
	if b.bytes == zeroSector.bytes {
		return nil
	}
	b.hash = xxhash.Sum64(b.bytes[:])
	return b
}

func (s *sector) sum() uint64 {
	if s == nil {
		return 0
	}
	return s.hash
}

func (s *sector) content() *[SectorBytes]byte {
	if s == nil {
		return &zeroSector.bytes
	}
	return &s.bytes
}

// image is the durable content of a node at some time.
type image struct {
	size    int64
	sectors []*sector        // of a file; those behind the end of the slice have zeros
	written int64            // of a file: no byte was ever written behind it
	names   map[string]*node // of a directory
	point   int              // from which on it was durable
	seq     int              // of the last change that is in it
}

// node is a file or a directory. All fields are guarded by Disk.mu.
type node struct {
	num   int // its place in Disk.nodes
	isDir bool
	mode  os.FileMode
	mtime time.Time
	base  image   // when the disk started
	bases []image // later ones, with nothing else on the disk but what came after
	old   bool    // it was there when the disk started, as origin
	// origin is the first path, in alphabetical order, that it had then.
	origin string

	// What callers see.
	size    int64
	sectors []*sector
	shared  bool // sectors is also that of others
	entries map[string]*node
	links   int
	parent  *node
	locked  *diskFile
	written int64 // no synced byte stands behind it

	// What happened since the start, in order.
	sizes []sizeChange
	data  map[int][]dataChange // by sector

	seenSize  bool
	seenNames bool
	seenName  map[string]bool
	seen      []uint64 // one bit for each sector
}

// sizeKind says what a sizeChange does.
type sizeKind uint8

const (
	sizeExtend  sizeKind = iota // at least this size, by a write behind the end
	sizeReserve                 // the same, by preallocation: what is new reads as zeros
	sizeSet                     // exactly this size
)

type sizeChange struct {
	change
	kind sizeKind
	size int64
}

// dataChange is the part of one write that lies in one sector.
type dataChange struct {
	change
	lo, hi int // bytes of the sector
	data   *[SectorBytes]byte
	fresh  bool // touches bytes that were never durable: losing it may show anything
}

func (d *Disk) newNode(isDir bool) *node {
	n := &node{num: len(d.nodes), isDir: isDir, mode: 0o666, mtime: epoch}
	if isDir {
		n.mode = os.ModeDir | 0o777
		n.entries = map[string]*node{}
	}
	d.nodes = append(d.nodes, n)
	return n
}

func sectorsOf(size int64) int { return int((size + SectorBytes - 1) / SectorBytes) }

// sector returns what callers see of sector i.
func (n *node) sector(i int) *sector {
	if i < len(n.sectors) {
		return n.sectors[i]
	}
	return nil
}

func (n *node) setSector(i int, s *sector) {
	if n.shared {
		n.sectors, n.shared = slices.Clone(n.sectors), false
	}
	for s != nil && i >= len(n.sectors) {
		n.sectors = append(n.sectors, nil)
	}
	if i < len(n.sectors) {
		n.sectors[i] = s
	}
}

// readAt copies what callers see from off on, as far as it goes.
func (d *Disk) readAt(n *node, p []byte, off int64) int {
	d.learnSize(n)
	done := 0
	for done < len(p) && off < n.size {
		i, at := int(off/SectorBytes), off%SectorBytes
		d.learnSector(n, i)
		end := min(SectorBytes, n.size-off+at)
		m := copy(p[done:], n.sector(i).content()[at:end])
		done += m
		off += int64(m)
	}
	return done
}

// writeAt makes the micro-operations of one write: the size if it grows, and
// each sector.
func (d *Disk) writeAt(n *node, p []byte, off int64) {
	d.learnSize(n)
	d.extend(n, off, off+int64(len(p)))
	for len(p) > 0 {
		i, at := int(off/SectorBytes), int(off%SectorBytes)
		m := min(len(p), SectorBytes-at)
		d.putSector(n, i, at, p[:m], off+int64(m) > n.written)
		p, off = p[m:], off+int64(m)
	}
}

// extend makes the size at least end, for a write from off on. Pages are written
// back one by one, and each takes the size along as far as it reaches: the size
// may stop at the end of any of them.
func (d *Disk) extend(n *node, off, end int64) {
	for n.size < end {
		n.size = min(end, (max(n.size, off)/PageBytes+1)*PageBytes)
		n.sizes = append(n.sizes, sizeChange{d.change(), sizeExtend, n.size})
	}
}

// putSector changes the bytes of sector i from at on.
func (d *Disk) putSector(n *node, i, at int, p []byte, fresh bool) {
	data := &sector{bytes: *n.sector(i).content()}
	copy(data.bytes[at:], p)
	if n.data == nil {
		n.data = map[int][]dataChange{}
	}
	n.data[i] = append(n.data[i], dataChange{
		change: d.change(), lo: at, hi: at + len(p), data: &data.bytes, fresh: fresh,
	})
	n.setSector(i, newSector(data))
}

// resize is truncate.
func (d *Disk) resize(n *node, size int64) {
	d.learnSize(n)
	if size == n.size {
		return
	}
	shrinks := size < n.size
	if shrinks {
		d.free(n)
		d.clearPage(n, size)
	}
	n.sizes = append(n.sizes, sizeChange{d.change(), sizeSet, size})
	if shrinks {
		n.written = min(n.written, size)
		n.cut(size)
	}
	n.size = size
}

// clearPage writes zeros from size to the end of its page. A file system does so
// when it cuts a file off, and may have done it before the new size is on the disk.
func (d *Disk) clearPage(n *node, size int64) {
	end := min(n.size, (size+PageBytes-1)/PageBytes*PageBytes)
	for size < end {
		i, at := int(size/SectorBytes), size%SectorBytes
		m := min(end-size, SectorBytes-at)
		d.putSector(n, i, int(at), zeroSector.bytes[:m], false)
		size += m
	}
}

// cut makes callers see zeros from size on.
func (n *node) cut(size int64) {
	if at := size % SectorBytes; at != 0 {
		if s := n.sector(int(size / SectorBytes)); s != nil {
			rest := &sector{}
			copy(rest.bytes[:at], s.bytes[:])
			n.setSector(int(size/SectorBytes), newSector(rest))
		}
	}
	if keep := sectorsOf(size); keep < len(n.sectors) {
		n.sectors = slices.Clone(n.sectors[:keep])
		n.shared = false
	}
}

func (d *Disk) reserve(n *node, size int64) {
	d.learnSize(n)
	if size <= n.size {
		return
	}
	n.sizes = append(n.sizes, sizeChange{d.change(), sizeReserve, size})
	n.size = size
}

// syncNode forces data and size of a file, or the names in a directory. It
// reports whether anything but whole sectors was pending: what a journal has to
// be written for.
func (d *Disk) syncNode(n *node) (journal bool) {
	k := d.point + 1
	if n.isDir {
		settled := true
		for i := range d.names {
			if c := &d.names[i]; c.dir == n {
				c.force(k)
				settled = settled && c.forced != never
			}
		}
		if settled {
			n.bases = append(n.bases, image{names: maps.Clone(n.entries), point: k, seq: d.seq})
		}
		return true
	}
	settled := len(n.sectors) <= maxKeptSectors
	for i := range n.sizes {
		journal = journal || n.sizes[i].forced == never
		n.sizes[i].force(k)
		settled = settled && n.sizes[i].forced != never
	}
	for i, list := range n.data {
		for j := range list {
			c := &list[j]
			c.force(k)
			settled = settled && c.forced != never
			if c.forced == k {
				n.written = max(n.written, min(n.size, int64(i)*SectorBytes+int64(c.hi)))
			}
		}
	}
	if settled {
		n.shared = true
		n.bases = append(n.bases, image{size: n.size, sectors: trimmed(n.sectors), written: n.written, point: k, seq: d.seq})
	}
	return journal
}

// maxKeptSectors bounds the files of which the content at each sync is kept, to
// save going through all that happened before.
const maxKeptSectors = 4096

// view is a node with what is known of it at a point.
type view struct {
	*node
	k    int
	base image
}

// at returns the node as of point k: the last image that was durable then, and
// the changes after it.
func (n *node) at(k int) view {
	for i := len(n.bases) - 1; i >= 0; i-- {
		if n.bases[i].point <= k {
			return view{n, k, n.bases[i]}
		}
	}
	return view{n, k, n.base}
}

// failNode is a failed sync.
func (d *Disk) failNode(n *node, p vfs.Personality) {
	k := d.point + 1
	if n.isDir {
		for i := range d.names {
			if d.names[i].dir == n {
				d.names[i].fail(k, p)
			}
		}
	} else {
		for i := range n.sizes {
			n.sizes[i].fail(k, p)
		}
		for _, list := range n.data {
			for j := range list {
				list[j].fail(k, p)
			}
		}
	}
	if p == vfs.CacheReverted {
		d.rebuild(k)
	}
}

// rebuild makes callers see what everything that is known at point k amounts to.
func (d *Disk) rebuild(k int) {
	for _, n := range d.nodes {
		n.links = 0
		if n.isDir {
			n.entries = map[string]*node{}
			for name, child := range n.at(k).base.names {
				n.entries[name] = child
			}
			continue
		}
		v := n.at(k)
		s := v.shape(everything)
		n.size, n.sectors, n.shared = s.size, v.contents(&s, everything), true
	}
	for i := range d.names {
		if c := &d.names[i]; c.survives(k) && c.seq > c.dir.at(k).base.seq {
			if c.node == nil {
				delete(c.dir.entries, c.name)
			} else {
				c.dir.entries[c.name] = c.node
			}
		}
	}
	d.root.links = 1
	for _, n := range d.nodes {
		for _, child := range n.entries {
			child.links++
			child.parent = n
		}
	}
}
