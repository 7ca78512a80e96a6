package faultfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"holdfast/internal/vfs"
)

// What a power cut may keep of what was pending, for Volatile.Crash.
const (
	KeepNothing = "nothing" // only what was synced
	KeepWhole   = "whole"   // each name, size and sector, or not
	KeepTorn    = "torn"    // the same, but of neighbouring sectors only the first ones
	KeepZeros   = "zeros"   // each size; sectors that are lost read as zeros where there was nothing
	KeepGarbage = "garbage" // the same with random bytes
	KeepAny     = "any"     // for each file one of the above
)

var keeps = []string{KeepNothing, KeepWhole, KeepTorn, KeepZeros, KeepGarbage, KeepAny}

// CheckKeep returns an error when keep is none of the Keep constants nor empty.
func CheckKeep(keep string) error {
	if keep != "" && !slices.Contains(keeps, keep) {
		return fmt.Errorf("faultfs: a power cut keeps one of %s, not %q", strings.Join(keeps, ", "), keep)
	}
	return nil
}

// crash is one power cut under way. It draws from rng in an order that depends
// on what is pending alone.
type crash struct {
	rng  *rand.Rand
	keep string
	kept Pending
	seen map[*vnode]bool
	errs []error
}

// Crash cuts the power: what was synced is below, of what was pending a part
// that the seed and keep choose, and every later call returns an error that is
// [ErrCrashed]. A new layer over the base sees what survived. Each directory
// entry that is kept has one of the meanings that it had since the last sync,
// or none. It is an error when keep is none of the Keep constants, and then
// nothing has happened; after other errors the base may show less than was
// chosen, but never less than was synced.
func (v *Volatile) Crash(seed uint64, keep string) (vfs.Lost, error) {
	if err := CheckKeep(keep); err != nil {
		return vfs.Lost{}, err
	}
	if err := v.enter(); err != nil {
		return vfs.Lost{}, err
	}
	defer v.tree.Unlock()
	v.stop()
	before := v.Pending()
	c := &crash{rng: rand.New(rand.NewPCG(seed, 0x686f6c6466617374)), keep: keep, seen: map[*vnode]bool{}}
	if keep != "" && keep != KeepNothing {
		c.eachRoot(v, c.names)
		c.eachRoot(v, c.contents)
	}
	v.cleanUp()
	return vfs.Lost{Bytes: before.Bytes - c.kept.Bytes, Entries: before.Entries - c.kept.Entries}, errors.Join(c.errs...)
}

// stop lets no call begin, waits for those under way, and closes what is open
// below.
func (v *Volatile) stop() {
	v.crashed.Store(true)
	for _, root := range v.roots {
		root.awaitCalls()
	}
	for n := range v.opened {
		n.mu.Lock()
		n.closeBase()
		n.mu.Unlock()
	}
	for f := range v.locked {
		f.release()
	}
}

// awaitCalls waits for the calls under way on the files in a directory.
func (n *vnode) awaitCalls() {
	n.mu.Lock()
	n.mu.Unlock() //lint:ignore SA2001 whoever holds it began before the cut
	for _, s := range n.entries {
		if s.now != nil {
			s.now.awaitCalls()
		}
	}
}

// cleanUp removes the hidden files. One that stays is hidden from the next
// layer too.
func (v *Volatile) cleanUp() {
	for n := range v.hidden {
		for _, h := range n.homes {
			if isHidden(h.name) {
				_ = v.base.RemoveAll(h.path())
			}
		}
	}
}

func (c *crash) eachRoot(v *Volatile, do func(*vnode)) {
	var tops []string
	for top := range v.roots {
		tops = append(tops, top)
	}
	slices.Sort(tops)
	for _, top := range tops {
		do(v.roots[top])
	}
}

// names chooses what the names in a directory that survives stand for, then
// those in the directories in it that survive.
func (c *crash) names(dir *vnode) {
	keep := c.mode()
	for _, s := range dir.entries {
		s.dirty = false // no name comes below by taking another one away
	}
	for _, name := range dir.names(true) {
		s := dir.entries[name]
		if s == nil || s.now == s.disk && len(s.past) == 0 {
			continue
		}
		now, pending, want := s.now, s.counted, c.meaning(s, keep)
		if err := dir.settle(name, want); err != nil {
			c.errs = append(c.errs, err)
		} else if pending && want == now {
			c.kept.Entries++
		}
	}
	for _, name := range dir.names(true) {
		if s := dir.entries[name]; s != nil && s.disk != nil && s.disk.isDir {
			c.names(s.disk)
		}
	}
}

// mode is the way in which one file or directory is treated.
func (c *crash) mode() string {
	if c.keep == KeepAny {
		return keeps[c.rng.IntN(len(keeps)-1)]
	}
	return c.keep
}

// meaning draws what a pending name stands for after the cut.
func (c *crash) meaning(s *slot, keep string) *vnode {
	choices := []*vnode{s.disk, s.now}
	choices = append(choices, s.past...)
	if s.disk != nil { // its removal came before whatever else took its name
		choices = append(choices, nil)
	}
	if keep == KeepNothing {
		return s.disk
	}
	return choices[c.rng.IntN(len(choices))]
}

// contents chooses what survives in the files of a directory that survives.
func (c *crash) contents(dir *vnode) {
	for _, name := range dir.names(true) {
		s := dir.entries[name]
		if s.disk == nil || c.seen[s.disk] {
			continue
		}
		c.seen[s.disk] = true
		if s.disk.isDir {
			c.contents(s.disk)
		} else if s.disk.pendingBytes() > 0 {
			c.file(s.disk)
		}
	}
}

// file writes the surviving part of what was pending in a file to each of its
// places below.
func (c *crash) file(n *vnode) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := c.plan(n)
	for _, h := range n.homes {
		f, err := n.v.base.OpenFile(h.path(), os.O_RDWR, 0)
		if err == nil {
			err = errors.Join(n.writeDirty(f, n.diskSize, func(int64) {}), p.expose(f), f.Close())
		}
		c.errs = append(c.errs, err)
	}
	if n.named {
		c.kept.Bytes += p.kept
	}
}

// survivor is what a cut leaves of the pending part of a file: the file itself
// is dirty where it survives, and exposed are the pieces that read as neither
// old nor new.
type survivor struct {
	kept    int64 // as Pending counts
	exposed []exposure
}

type exposure struct {
	off  int64
	data []byte
}

func (s survivor) expose(f interface {
	WriteAt([]byte, int64) (int, error)
}) error {
	for _, e := range s.exposed {
		if err := writeAll(f, e.data, e.off); err != nil {
			return err
		}
	}
	return nil
}

// plan draws the survivor of a file, and makes dirty what it keeps.
func (c *crash) plan(n *vnode) (s survivor) {
	keep := c.mode()
	pendingSize := n.size != n.diskSize || n.trim < n.diskSize
	exposing := keep == KeepZeros || keep == KeepGarbage
	n.trimDirty = n.trim < n.diskSize && keep != KeepNothing && c.coin()
	n.sizeDirty = n.size != n.diskSize && keep != KeepNothing && (exposing || c.coin())
	if n.trim == n.size { // one call did both
		n.sizeDirty = n.sizeDirty || n.trimDirty
		n.trimDirty = n.sizeDirty && n.trim < n.diskSize
	}
	durable, end := n.diskSize, n.diskSize
	if n.trimDirty {
		durable, end = min(durable, n.trim), n.trim
	}
	if n.sizeDirty {
		durable, end = min(durable, n.size), n.size
	}
	if pendingSize && end == n.size && (n.trimDirty || n.trim >= n.diskSize) {
		s.kept += sizeBytes
	}
	s.kept += c.sectors(n, keep, end) * sectorSize
	if keep == KeepGarbage {
		s.exposed = c.garbage(n, min(durable, n.written), end)
	}
	return s
}

func (c *crash) coin() bool { return c.rng.IntN(2) == 0 }

// sectors draws which pending sectors survive, makes just those dirty, and
// returns how many of them are inside the file, which ends at end.
func (c *crash) sectors(n *vnode, keep string, end int64) (kept int64) {
	odds := c.rng.IntN(5) // of four: all and nothing are likely enough to be seen
	alive, last := false, int64(-2)
	for _, i := range n.pageNumbers() {
		pg := n.pages[i]
		pg.dirty = 0
		for s := range int64(pageSectors) {
			if pg.present&(1<<s) == 0 {
				continue
			}
			number := i*pageSectors + s
			survives := keep != KeepNothing && c.rng.IntN(4) < odds
			if keep == KeepTorn {
				// A run begins alive; once torn it stays so to its end.
				survives = (number != last+1 || alive) && c.rng.IntN(8) > 0
			}
			alive, last = survives, number
			if survives && number*sectorSize < end {
				pg.dirty |= 1 << s
				kept++
			}
		}
	}
	return kept
}

// garbage draws the bytes of pending sectors that did not survive, from where
// the file never held data to its end.
func (c *crash) garbage(n *vnode, from, end int64) (list []exposure) {
	for _, i := range n.pageNumbers() {
		pg := n.pages[i]
		for s := range int64(pageSectors) {
			at := i*pageSize + s*sectorSize
			start, stop := max(at, from), min(at+sectorSize, end)
			if pg.present&^pg.dirty&(1<<s) == 0 || start >= stop {
				continue
			}
			b := make([]byte, stop-start)
			for j := range b {
				b[j] = byte(c.rng.Uint32())
			}
			list = append(list, exposure{start, b})
		}
	}
	return list
}
