package faultfs

import (
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// This file brings names to the base. All of it needs the tree locked, and
// where it says so the data of the file as well.

func isReadOnlyFS(err error) bool { return errIs(err, syscall.EROFS) }

// park gives a node that is nowhere below a hidden home there, in the nearest
// directory above it that is below. The data of a file is locked.
func (n *vnode) park() error {
	if n.below() {
		return nil
	}
	dir := n.parent
	for !dir.below() {
		dir = dir.parent
	}
	h := home{dir, n.v.hiddenName()}
	if err := n.makeBelow(h.path()); err != nil {
		return fmt.Errorf("making a place below: %w", cause(err))
	}
	n.homes = append(n.homes, h)
	n.v.hidden[n] = struct{}{}
	return nil
}

// makeBelow makes an empty file or directory below.
func (n *vnode) makeBelow(path string) error {
	if n.isDir {
		return n.v.base.Mkdir(path, n.mode.Perm()|0o700)
	}
	// Whoever creates a file may write to it, whatever its mode.
	f, err := n.v.base.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, n.mode.Perm()|0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// syncDir forces the dirty names of a directory, in alphabetical order. When
// one cannot be brought below, it and the ones after it stay dirty.
func (n *vnode) syncDir() error {
	if len(n.entries) == 0 {
		return nil
	}
	for _, name := range n.names(true) {
		s := n.entries[name]
		if s == nil || !s.dirty { // a rename below may have settled it with another
			continue
		}
		if err := n.settle(name, s.now); err != nil {
			return err
		}
	}
	return nil
}

// settle brings one name below: it will stand for want there.
func (n *vnode) settle(name string, want *vnode) error {
	s := n.entries[name]
	if s.disk != want {
		if err := n.lockedPark(n); err != nil {
			return err
		}
		var err error
		if want == nil {
			err = n.vacate(name)
		} else {
			err = n.occupy(name, want)
		}
		if err != nil {
			return fmt.Errorf("bringing the name %q below: %w", name, cause(err))
		}
	}
	n.settled(name)
	return nil
}

// lockedPark is park for a node whose data is not locked.
func (n *vnode) lockedPark(child *vnode) error {
	child.mu.Lock()
	defer child.mu.Unlock()
	return child.park()
}

// occupy makes a name below stand for child.
func (n *vnode) occupy(name string, child *vnode) error {
	// Before the data is locked: this may let go of child's other names.
	if err := n.clear(name, child); err != nil {
		return err
	}
	child.mu.Lock()
	defer child.mu.Unlock()
	to := home{n, name}
	if len(child.homes) == 0 && n.entries[name].disk == nil {
		if err := child.makeBelow(to.path()); err != nil {
			return err
		}
		child.homes = []home{to}
		child.enterSlot(to)
		return nil
	}
	if err := child.park(); err != nil {
		return err
	}
	i := child.movable(n)
	if i < 0 {
		if err := child.copyBelow(n); err != nil {
			return err
		}
		i = len(child.homes) - 1
	}
	return child.move(i, to)
}

// clear makes way for another meaning of a name below. What is there and still
// needed goes to a hidden name; a file that is not needed is replaced by what
// comes, in one step.
func (n *vnode) clear(name string, next *vnode) error {
	old := n.entries[name].disk
	if old == nil || !old.isDir && !next.isDir && !old.onlyCopy() {
		return nil
	}
	return n.vacate(name)
}

// onlyCopy reports whether a file that is still needed is at one place below.
func (n *vnode) onlyCopy() bool { return n.needed() && len(n.homes) == 1 }

// movable returns which home of n may be renamed to a name in dir: a hidden one,
// or a name that the same sync of dir takes away; a directory can only move. It
// returns -1 when there is none.
func (n *vnode) movable(dir *vnode) int {
	return slices.IndexFunc(n.homes, func(h home) bool {
		if n.isDir || isHidden(h.name) || !h.dir.reachable() {
			return true
		}
		s := h.dir.entries[h.name]
		return h.dir == dir && s.dirty && s.now != n
	})
}

// move renames what is below. Both ends know of it afterwards.
func (n *vnode) move(i int, to home) error {
	from := n.homes[i]
	n.closeBase() // some systems do not rename what is open
	if err := n.v.base.Rename(from.path(), to.path()); err != nil {
		return err
	}
	n.leaveSlot(from)
	if isHidden(to.name) {
		n.v.hidden[n] = struct{}{}
	} else {
		n.enterSlot(to)
		delete(n.v.hidden, n)
	}
	n.homes[i] = to
	return nil
}

// leaveSlot notes that the name from is gone below.
func (n *vnode) leaveSlot(from home) {
	s := from.dir.entries[from.name]
	if s == nil || s.disk != n || isHidden(from.name) {
		return
	}
	s.disk = nil
	n.v.tally(s)
}

// enterSlot notes that the name to stands for n below.
func (n *vnode) enterSlot(to home) {
	s := to.dir.entries[to.name]
	if old := s.disk; old != nil {
		old.removeHome(to)
	}
	s.disk = n
	n.v.tally(s)
}

// removeHome forgets a place below, in which n is no longer. A node that has
// none and is not needed is left to the garbage collector.
func (n *vnode) removeHome(h home) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.homes = slices.DeleteFunc(slices.Clone(n.homes), func(other home) bool { return other == h })
	if len(n.homes) == 0 {
		n.diskSize, n.written = 0, 0
	}
	n.closeBase()
}

// vacate takes a name away below. A file that is needed and has no other home
// is kept under a hidden name, and so is a directory, which takes everything
// in it along in one step.
func (n *vnode) vacate(name string) error {
	h := home{n, name}
	old := n.entries[name].disk
	if old.isDir || old.onlyCopy() {
		old.mu.Lock()
		err := old.move(slices.Index(old.homes, h), home{n, n.v.hiddenName()})
		old.mu.Unlock()
		if err == nil && !old.needed() {
			old.releaseDir()
		}
		return err
	}
	if err := n.v.base.Remove(h.path()); err != nil {
		return err
	}
	old.leaveSlot(h)
	old.removeHome(h)
	return nil
}

// copyBelow gives n, which has durable names already, one more home: a copy
// under a hidden name in dir.
func (n *vnode) copyBelow(dir *vnode) error {
	h := home{dir, n.v.hiddenName()}
	if err := n.makeBelow(h.path()); err != nil {
		return err
	}
	if err := copyFile(n.v.base, n.path(), h.path()); err != nil {
		_ = n.v.base.Remove(h.path()) // the copying has failed already
		return err
	}
	n.homes = append(n.homes, h)
	n.v.hidden[n] = struct{}{}
	return nil
}

func copyFile(fsys afero.Fs, from, to string) (err error) {
	src, err := fsys.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := fsys.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if closeErr := dst.Close(); err == nil {
		err = closeErr
	}
	return err
}

// dropHidden removes a file from below that nobody can ask for any more. A
// failure leaves a file that is hidden, and goes when its directory is loaded.
// The data is locked.
func (n *vnode) dropHidden() {
	for _, h := range n.homes {
		if !isHidden(h.name) {
			return
		}
	}
	for _, h := range n.homes {
		_ = n.v.base.Remove(h.path())
	}
	n.homes, n.diskSize, n.written = nil, 0, 0
	delete(n.v.hidden, n)
}

// releaseDir removes a directory that is hidden and not needed from below,
// unless a file in it still is; then it goes when its directory is loaded. Its
// names are forgotten: nobody can see or sync them any more.
func (n *vnode) releaseDir() {
	if n.reachable() {
		return
	}
	for _, name := range n.names(true) {
		n.forget(name)
	}
	if len(n.homes) == 1 && !n.keepsContent() {
		_ = n.v.base.RemoveAll(n.path())
		n.homes = nil
		delete(n.v.hidden, n)
	}
}

// reachable reports whether a power cut now or later could show the node: it has
// a durable name, or one in a directory that may get one.
func (n *vnode) reachable() bool {
	return n.root != "" || n.needed() || slices.ContainsFunc(n.homes, func(h home) bool {
		return !isHidden(h.name) && h.dir.reachable()
	})
}

// keepsContent reports whether the only content of something that is needed is
// in the directory n below.
func (n *vnode) keepsContent() bool {
	for other := range n.v.hidden {
		if other.needed() && slices.ContainsFunc(other.homes, func(h home) bool { return h.under(n) }) {
			return true
		}
	}
	for _, s := range n.entries {
		if s.disk != nil && (s.disk.needed() || s.disk.isDir && s.disk.keepsContent()) {
			return true
		}
	}
	return false
}

// under reports whether the place is in dir or below it.
func (h home) under(dir *vnode) bool {
	for h.dir != dir {
		if len(h.dir.homes) == 0 {
			return false
		}
		h = h.dir.homes[0]
	}
	return true
}

// forget gives up a name in a directory that is gone.
func (n *vnode) forget(name string) {
	s := n.entries[name]
	if old := s.now; old != nil {
		s.now = nil
		old.links--
		n.v.release(old)
	}
	if old := s.disk; old != nil && old.isDir && !old.needed() {
		old.releaseDir() // it was removed before, and that was not synced
	}
	s.dropPast(len(s.past))
	if s.counted {
		n.v.entries.Add(-1)
	}
	if s.charged {
		n.v.held.Add(-entryBytes)
	}
	s.dirty, s.counted, s.charged = false, false, false
}

// failSyncDir does to the pending names of n what a failed sync does.
func (n *vnode) failSyncDir(p vfs.Personality) error {
	if p != vfs.PagesClean && p != vfs.CacheReverted {
		return fmt.Errorf("%q: %w", p, errPersonality)
	}
	names := n.names(true)
	if p == vfs.CacheReverted {
		// A file that was renamed in here gets its old name back, whichever of
		// the two names has its turn first, and is in use until then.
		for _, name := range names {
			if disk := n.entries[name].disk; disk != nil {
				disk.links++
				defer func() { disk.links-- }()
			}
		}
	}
	for _, name := range names {
		n.entries[name].dirty = false
		if p == vfs.CacheReverted {
			n.revertName(name)
		}
	}
	return nil
}

// revertName makes a name stand for what it stands for below.
func (n *vnode) revertName(name string) {
	s := n.entries[name]
	if old := s.now; old != s.disk {
		if s.now = s.disk; s.now != nil {
			s.now.links++
			s.now.parent = n
			n.v.recount(s.now)
		}
		if old != nil {
			old.links--
			n.v.release(old)
		}
	}
	n.settled(name)
}

// inside reports whether n is dir or in a directory under it.
func (n *vnode) inside(dir *vnode) bool {
	for ; n != nil; n = n.parent {
		if n == dir {
			return true
		}
	}
	return false
}
