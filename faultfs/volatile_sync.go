package faultfs

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"math/bits"
	"os"
	"sync"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

func ones(mask uint8) int { return bits.OnesCount8(mask) }

// lockData locks the data of a file that is open here, with what is below open
// as well. On success the caller unlocks n.mu.
func (n *vnode) lockData(lock sync.Locker) error {
	for {
		lock.Lock()
		switch {
		case n.v.crashed.Load():
			lock.Unlock()
			return vfs.ErrCrashed
		case n.base != nil || len(n.homes) == 0:
			return nil
		}
		lock.Unlock()
		if err := n.openBase(); err != nil {
			return err
		}
	}
}

// openBase opens what is below, for writing too where that is allowed.
func (n *vnode) openBase() error {
	if err := n.v.enter(); err != nil {
		return err
	}
	defer n.v.tree.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.handles == 0 {
		return iofs.ErrClosed
	}
	return n.reopen()
}

// reopen needs the tree and the data locked.
func (n *vnode) reopen() error {
	if n.base != nil || len(n.homes) == 0 {
		return nil
	}
	path, writable := n.path(), true
	f, err := n.v.base.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, iofs.ErrPermission) || isReadOnlyFS(err) {
		writable = false
		f, err = n.v.base.Open(path)
	}
	if err != nil {
		return cause(err)
	}
	n.base, n.writable = vfs.Overlapping(f), writable
	n.v.opened[n] = struct{}{}
	return nil
}

// closeBase needs the tree and the data locked. What is below was only read, or
// its writes have returned, so that a failing close says nothing.
func (n *vnode) closeBase() {
	if n.base == nil {
		return
	}
	_ = n.base.Close()
	n.base = nil
	delete(n.v.opened, n)
}

// sync forces data and size.
func (n *vnode) sync() error {
	if err := n.lockData(&n.mu); err != nil {
		return err
	}
	if len(n.homes) != 1 && n.dirty() {
		n.mu.Unlock()
		return n.syncWithTree()
	}
	err := n.flush()
	n.report(n.named)
	n.mu.Unlock()
	n.v.notify()
	return err
}

// dirty reports whether a sync has anything to force. The data is locked.
func (n *vnode) dirty() bool {
	if n.sizeDirty || n.trimDirty {
		return true
	}
	for _, pg := range n.pages {
		if pg.dirty != 0 {
			return true
		}
	}
	return false
}

// syncWithTree is sync for a file that has no place below, or several: the tree
// has to be asked.
func (n *vnode) syncWithTree() error {
	if err := n.v.enter(); err != nil {
		return err
	}
	defer n.v.leave()
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.park(); err != nil {
		return err
	}
	if err := n.reopen(); err != nil {
		return err
	}
	err := n.flushCopies()
	if err == nil {
		err = n.flush()
	}
	n.report(n.named)
	return err
}

// flushCopies writes what is dirty to the other names of a file that a rename
// has left with two below.
func (n *vnode) flushCopies() error {
	n.forceTrim()
	for _, h := range n.homes[1:] {
		f, err := n.v.base.OpenFile(h.path(), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = n.writeDirty(f, n.diskSize, func(int64) {})
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flush writes what is dirty to the first home and forgets it. When that fails
// all of it stays dirty, and is written again by the next sync. The data is
// locked.
func (n *vnode) flush() error {
	if !n.dirty() {
		return nil
	}
	if !n.writable {
		return iofs.ErrPermission
	}
	n.forceTrim()
	resized := func(size int64) { n.diskSize, n.written = size, min(n.written, size) }
	if err := n.writeDirty(n.base, n.diskSize, resized); err != nil {
		return fmt.Errorf("writing to the file below: %w", cause(err))
	}
	for i, pg := range n.pages {
		n.clean(i, pg)
	}
	n.trim, n.sizeDirty, n.trimDirty = untrimmed, false, false
	return nil
}

// forceTrim takes a shortening that a failed sync has left along with what is
// written now: else old bytes would be below between new ones, and zeros here.
func (n *vnode) forceTrim() {
	if n.trim < n.diskSize {
		n.trimDirty, n.sizeDirty = true, true
	}
}

// clean forgets the dirty sectors of one page.
func (n *vnode) clean(i int64, pg *page) {
	if pg.dirty == 0 {
		return
	}
	end := i*pageSize + int64(bits.Len8(pg.dirty))*sectorSize
	n.written = max(n.written, min(end, n.diskSize))
	n.sectors -= int64(ones(pg.dirty))
	pg.present &^= pg.dirty
	pg.dirty = 0
	if pg.present == 0 {
		n.dropPage(i)
	}
}

// writeDirty makes f, which is size bytes long, what the dirty part says. The
// order makes every prefix of it legal: first the file is as short as it ever
// was, so that what grows again reads as zeros; then it is as long as it is;
// then the sectors, in order.
func (n *vnode) writeDirty(f afero.File, size int64, resized func(int64)) error {
	truncate := func(to int64) error {
		if err := f.Truncate(to); err != nil {
			return err
		}
		size = to
		resized(to)
		return nil
	}
	if n.trimDirty && n.trim < size {
		if err := truncate(n.trim); err != nil {
			return err
		}
	}
	if n.sizeDirty && size != n.size {
		if err := truncate(n.size); err != nil {
			return err
		}
	}
	return n.writeRuns(f, size)
}

var runPool = sync.Pool{New: func() any { b := make([]byte, 0, maxRunBytes); return &b }}

// writeRuns writes the dirty sectors to f, neighbours together, none of it
// beyond size.
func (n *vnode) writeRuns(f afero.File, size int64) error {
	buffer := runPool.Get().(*[]byte)
	defer runPool.Put(buffer)
	run, start := (*buffer)[:0], int64(0)
	flush := func() error {
		b := run[:max(0, min(int64(len(run)), size-start))]
		run = run[:0]
		return writeAll(f, b, start)
	}
	for _, i := range n.pageNumbers() {
		pg := n.pages[i]
		for s := range int64(pageSectors) {
			if pg.dirty&(1<<s) == 0 {
				continue
			}
			at := i*pageSize + s*sectorSize
			if at != start+int64(len(run)) || len(run) == maxRunBytes {
				if err := flush(); err != nil {
					return err
				}
				start = at
			}
			run = append(run, pg.data[s*sectorSize:(s+1)*sectorSize]...)
		}
	}
	return flush()
}

func writeAll(f io.WriterAt, b []byte, off int64) error {
	if len(b) == 0 {
		return nil
	}
	n, err := f.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// failSync does to pending data what a failed sync does.
func (n *vnode) failSync(p vfs.Personality) error {
	if p != vfs.PagesClean && p != vfs.CacheReverted {
		return fmt.Errorf("%q: %w", p, errPersonality)
	}
	if err := n.lockData(&n.mu); err != nil {
		return err
	}
	if p == vfs.CacheReverted {
		n.revert()
	} else {
		for _, pg := range n.pages {
			pg.dirty = 0
		}
		n.sizeDirty, n.trimDirty = false, false
	}
	n.report(n.named)
	n.mu.Unlock()
	n.v.notify()
	return nil
}

var errPersonality = errors.New("not a personality of this layer")

// recount notes that n has or has not a name, which decides whether what is
// pending in it counts. The tree is locked.
func (v *Volatile) recount(n *vnode) {
	if n == nil || n.isDir {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.named = n.links > 0
	n.report(n.named)
}

// release lets go of what nobody needs any more of n. The tree is locked.
func (v *Volatile) release(n *vnode) {
	v.recount(n)
	if n.isDir {
		if !n.needed() {
			n.releaseDir()
		}
		return
	}
	if n.links+n.handles > 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	// A cut may bring back its name, but then without what was never synced:
	// otherwise removing a file would not make room.
	n.revert()
	if !n.needed() {
		n.closeBase()
		n.dropHidden()
	}
}
