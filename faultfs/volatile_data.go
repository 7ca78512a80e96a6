package faultfs

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/spf13/afero"
)

const (
	sectorSize     = 512
	pageSize       = 4096
	pageSectors    = pageSize / sectorSize
	pageBytes      = pageSize + 64 // what a page is charged for
	sizeBytes      = 8             // what a pending size counts
	untrimmed      = math.MaxInt64
	maxRunBytes    = 64 << 10 // of one write below
	allSectorsMask = 1<<pageSectors - 1
)

// vdata is the content of a file: what is below, and over it the sectors and
// the size that are not. Guarded by vnode.mu.
//
// A byte at or beyond size is not there. One in a sector that is present comes
// from its page. Else one before diskSize and before trim comes from below, and
// the rest are zeros. Bytes of a present sector beyond size are zeros.
type vdata struct {
	base     afero.File // open while the file is open here and below; else nil
	writable bool       // base may be written to

	pages    map[int64]*page
	sectors  int64 // present ones
	size     int64
	diskSize int64 // size below
	trim     int64 // shortest that the file was since the last sync; untrimmed: never shorter than below

	// What the next sync forces. What is not below and not dirty either is
	// what a failed sync has left: seen here, and forced by no sync.
	sizeDirty, trimDirty bool

	// Below this a lost write must leave what was there. From here to diskSize
	// there is space that never held data, which may turn out to be recycled.
	written int64

	named    bool  // it has a name, so that what is pending counts
	reported int64 // this file's part of v.bytes
}

// page is a piece of content in memory. Bit i of a mask is its sector i.
type page struct {
	present uint8 // newer than below
	dirty   uint8 // the next sync writes it; a subset of present
	data    [pageSize]byte
}

var pagePool = sync.Pool{New: func() any { return new(page) }}

// sectorMask has the bits of the sectors that [from, to) of a page touches.
func sectorMask(from, to int64) uint8 {
	first, end := from/sectorSize, (to+sectorSize-1)/sectorSize
	return uint8(1<<end - 1<<first)
}

// readAt is io.ReaderAt for an n whose data is locked.
func (n *vnode) readAt(p []byte, off int64) (int, error) {
	if off >= n.size {
		return 0, eofUnlessEmpty(p)
	}
	short := int64(len(p)) > n.size-off
	if short {
		p = p[:n.size-off]
	}
	for done := 0; done < len(p); {
		m, err := n.readSome(p[done:], off+int64(done))
		if err != nil {
			return done, err
		}
		done += m
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

func eofUnlessEmpty(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	return io.EOF
}

// readSome reads up to the next change between memory and below.
func (n *vnode) readSome(p []byte, off int64) (int, error) {
	inPage := off % pageSize
	pg := n.pages[off/pageSize]
	switch {
	case len(n.pages) == 0:
		return len(p), n.readBelow(p, off)
	case pg == nil:
		p = p[:min(int64(len(p)), pageSize-inPage)]
		return len(p), n.readBelow(p, off)
	}
	p = p[:min(int64(len(p)), sectorSize-off%sectorSize)]
	if pg.present&sectorMask(inPage, inPage+1) != 0 {
		return copy(p, pg.data[inPage:]), nil
	}
	return len(p), n.readBelow(p, off)
}

// readBelow reads what the base has, and zeros where it has nothing.
func (n *vnode) readBelow(p []byte, off int64) error {
	there := min(int64(len(p)), max(0, min(n.diskSize, n.trim, n.size)-off))
	clear(p[there:])
	if there == 0 {
		return nil
	}
	if n.base == nil {
		return fmt.Errorf("reading %d bytes at %d: no file below", there, off)
	}
	_, err := io.ReadFull(io.NewSectionReader(n.base, off, there), p[:there])
	return err
}

// writeAt writes all of p or, with an error, nothing. The data is locked.
func (n *vnode) writeAt(p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	if err := n.makeRoom(off, off+int64(len(p))); err != nil {
		return err
	}
	end := off + int64(len(p))
	for at := off; at < end; {
		inPage := at % pageSize
		pg := n.pages[at/pageSize]
		m := copy(pg.data[inPage:], p[at-off:])
		mask := sectorMask(inPage, inPage+int64(m))
		n.sectors += int64(ones(mask &^ pg.present))
		pg.present |= mask
		pg.dirty |= mask
		at += int64(m)
	}
	// Data beyond the end of the file below is nothing without the size.
	if end > n.diskSize || end > n.size {
		n.sizeDirty = true
	}
	n.size = max(n.size, end)
	n.touched()
	return nil
}

// makeRoom makes pages for [off, end) and fills the sectors that the range
// covers in part with what they hold.
func (n *vnode) makeRoom(off, end int64) error {
	first, last := off/pageSize, (end-1)/pageSize
	var missing int64
	for i := first; i <= last; i++ {
		if n.pages[i] == nil {
			missing++
		}
	}
	if err := n.v.reserve(missing * pageBytes); err != nil {
		return err
	}
	if n.pages == nil {
		n.pages = map[int64]*page{}
	}
	for i := first; missing > 0 && i <= last; i++ {
		if n.pages[i] == nil {
			n.pages[i] = pagePool.Get().(*page)
		}
	}
	for _, at := range []int64{off, end} {
		if at%sectorSize == 0 {
			continue
		}
		if err := n.fill(at); err != nil {
			n.dropEmptyPages(first, last)
			return err
		}
	}
	return nil
}

// fill brings the sector with the byte at off into its page, unless it is.
// It does not become present by that: the write that follows makes it so.
func (n *vnode) fill(off int64) error {
	pg, from := n.pages[off/pageSize], off%pageSize/sectorSize*sectorSize
	if pg.present&sectorMask(from, from+1) != 0 {
		return nil
	}
	return n.readBelow(pg.data[from:from+sectorSize], off/sectorSize*sectorSize)
}

func (n *vnode) dropEmptyPages(first, last int64) {
	for i := first; i <= last; i++ {
		if pg := n.pages[i]; pg != nil && pg.present == 0 {
			n.dropPage(i)
		}
	}
}

func (n *vnode) dropPage(i int64) {
	pg := n.pages[i]
	n.sectors -= int64(ones(pg.present))
	delete(n.pages, i)
	pg.present, pg.dirty = 0, 0
	pagePool.Put(pg)
	n.v.held.Add(-pageBytes)
}

// resize is truncate(2). The data is locked.
func (n *vnode) resize(size int64) {
	if size == n.size {
		return
	}
	if size < n.size {
		n.shrink(size)
	}
	n.size, n.sizeDirty = size, true
	n.touched()
}

func (n *vnode) shrink(size int64) {
	for i := range n.pages {
		if i*pageSize >= size {
			n.dropPage(i)
		}
	}
	if pg := n.pages[size/pageSize]; pg != nil && size%pageSize != 0 {
		in := size % pageSize
		clear(pg.data[in:])
		beyond := allSectorsMask &^ sectorMask(0, in)
		n.sectors -= int64(ones(pg.present & beyond))
		pg.present &^= beyond
		pg.dirty &^= beyond
		n.dropEmptyPages(size/pageSize, size/pageSize)
	}
	if size < min(n.trim, n.diskSize) {
		n.trim, n.trimDirty = size, true
	}
}

// revert forgets everything that is not below. The data is locked.
func (n *vnode) revert() {
	for i := range n.pages {
		n.dropPage(i)
	}
	n.size, n.trim = n.diskSize, untrimmed
	n.sizeDirty, n.trimDirty = false, false
	n.touched()
}

// touched notes a change of content. The data is locked.
func (n *vnode) touched() { n.mtime = time.Now() }

// pendingBytes is this file's part of Pending.Bytes if it has a name.
func (n *vnode) pendingBytes() int64 {
	pending := n.sectors * sectorSize
	if n.size != n.diskSize || n.trim < n.diskSize {
		pending += sizeBytes
	}
	return pending
}

// report brings v.bytes up to date. The data is locked.
func (n *vnode) report(named bool) {
	var pending int64
	if named {
		pending = n.pendingBytes()
	}
	n.v.bytes.Add(pending - n.reported)
	n.reported = pending
}

// pageNumbers returns the numbers of the pages in memory, in order.
func (n *vnode) pageNumbers() []int64 {
	numbers := make([]int64, 0, len(n.pages))
	for i := range n.pages {
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	return numbers
}
