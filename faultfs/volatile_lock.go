package faultfs

import (
	iofs "io/fs"
	"os"

	"holdfast/internal/vfs"
)

// TryLock locks the file below, so that it keeps out other processes too. For
// that the name of the file is brought below.
func (f *volatileFile) TryLock() error {
	if err := f.v.enter(); err != nil {
		return f.error("lock", err)
	}
	defer f.v.leave()
	if f.closed.Load() {
		return f.error("lock", iofs.ErrClosed)
	}
	if f.lock != nil {
		return nil // it has the lock
	}
	if err := f.node.forceNames(); err != nil {
		return f.error("lock", err)
	}
	path := f.node.path()
	below, err := f.v.base.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return f.error("lock", cause(err))
	}
	unlock, err := vfs.TryLock(f.v.base, below, path)
	if err != nil {
		_ = below.Close() // it was only opened for the lock
		return f.error("lock", err)
	}
	f.lock, f.unlock = below, unlock
	f.v.locked[f] = struct{}{}
	return nil
}

// forceNames brings the names of a file below.
func (n *vnode) forceNames() error {
	for _, name := range n.parent.names(false) {
		if n.parent.entries[name].now == n {
			return n.parent.force(name)
		}
	}
	return iofs.ErrNotExist
}

// release gives the lock back. The tree is locked.
func (f *volatileFile) release() {
	if f.lock == nil {
		return
	}
	f.unlock()
	_ = f.lock.Close() // it was only opened for the lock
	f.lock = nil
	delete(f.v.locked, f)
}

// force brings a name below at once, with the names of the directories above,
// which any disk may do at any time.
func (n *vnode) force(name string) error {
	if n.root == "" && !n.lasting() {
		for other, s := range n.parent.entries {
			if s.now == n {
				if err := n.parent.force(other); err != nil {
					return err
				}
				break
			}
		}
	}
	s := n.entries[name]
	if s == nil || s.now == nil || s.now == s.disk {
		return nil
	}
	return n.settle(name, s.now)
}
