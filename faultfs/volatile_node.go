package faultfs

import (
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/afero"
)

// vnode is a file or a directory of a volatile layer, with or without a name.
type vnode struct {
	v     *Volatile
	isDir bool
	root  string // path below of a directory that has no parent here; else ""

	// Guarded by v.tree; homes is changed under mu as well, so that either
	// lock is enough to read it.
	homes   []home // where it is below: durable names, and at most one hidden one
	parent  *vnode // the directory that named it last
	links   int    // slots that show it
	past    int    // slots that showed it since they were last synced
	handles int    // open files

	// Of a directory, guarded by v.tree.
	entries  map[string]*slot
	complete bool // what is not in entries is not below either

	mu sync.RWMutex // guards what follows
	vattr
	vdata
}

// vattr is what Stat says beside name and size.
type vattr struct {
	mode  os.FileMode
	mtime time.Time
}

// home is a place below: a name in a directory that is below itself.
type home struct {
	dir  *vnode
	name string
}

func (h home) path() string { return filepath.Join(h.dir.path(), h.name) }

// lasting reports whether what is there would be seen after a power cut.
func (h home) lasting() bool { return !isHidden(h.name) && h.dir.lasting() }

// slot is one name in a directory.
type slot struct {
	now     *vnode   // what callers see; nil: nothing
	disk    *vnode   // what the base shows
	past    []*vnode // what callers saw since the last sync, oldest first
	dirty   bool     // the next sync forces now
	charged bool     // entryBytes are reserved for it
	counted bool     // it is one of v.entries
}

// maxPast bounds the earlier meanings of a name that a power cut may bring
// back; older ones are forgotten.
const maxPast = 4

// entryBytes is what a pending name is charged for: slot, vnode, and name.
const entryBytes = 1024

func isHidden(name string) bool { return strings.HasPrefix(name, HiddenPrefix) }

func pathParts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

// path returns where the node is below. It must be there.
func (n *vnode) path() string {
	if n.root != "" {
		return n.root
	}
	return n.homes[0].path()
}

// below reports whether the node is anywhere in the base.
func (n *vnode) below() bool { return n.root != "" || len(n.homes) > 0 }

// lasting reports whether the node has a durable name.
func (n *vnode) lasting() bool {
	return n.root != "" || slices.ContainsFunc(n.homes, home.lasting)
}

// needed reports whether anything could still ask for the node's content.
func (n *vnode) needed() bool { return n.links+n.past+n.handles > 0 }

// lookup returns the slot of a name that is there, or nil.
func (n *vnode) lookup(name string) (*slot, error) {
	s := n.entries[name]
	if s == nil && !n.complete && n.below() {
		info, err := n.v.base.Stat(filepath.Join(n.path(), name))
		if errors.Is(err, iofs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		s = n.adopt(name, info)
	}
	if s == nil || s.now == nil {
		return nil, nil
	}
	return s, nil
}

// adopt takes over what the base shows under a name.
func (n *vnode) adopt(name string, info os.FileInfo) *slot {
	child := n.v.newNode(n, info.IsDir(), info.Mode())
	child.mtime = info.ModTime()
	child.homes = []home{{n, name}}
	child.links = 1
	child.named = true
	if !child.isDir {
		child.size, child.diskSize, child.written = info.Size(), info.Size(), info.Size()
	}
	s := &slot{now: child, disk: child}
	n.entries[name] = s
	return s
}

// newNode returns a node that is nowhere below yet.
func (v *Volatile) newNode(parent *vnode, isDir bool, mode os.FileMode) *vnode {
	n := &vnode{v: v, isDir: isDir, parent: parent}
	n.mode, n.mtime, n.trim = mode, time.Now(), untrimmed
	if isDir {
		n.mode |= os.ModeDir
		n.entries = map[string]*slot{}
	}
	return n
}

// load makes the entries of a directory complete, and removes hidden files
// that a layer before this one left there.
func (n *vnode) load() error {
	if n.complete {
		return nil
	}
	if n.below() {
		infos, err := afero.ReadDir(n.v.base, n.path())
		if err != nil {
			return err
		}
		for _, info := range infos {
			n.meet(info)
		}
	}
	n.complete = true
	return nil
}

// meet takes over one name that the base lists.
func (n *vnode) meet(info os.FileInfo) {
	name := info.Name()
	path := filepath.Join(n.path(), name)
	if isHidden(name) {
		if !strings.HasPrefix(name, HiddenPrefix+n.v.tag) {
			_ = n.v.base.RemoveAll(path) // nobody sees it either way
		}
		return
	}
	if n.entries[name] != nil {
		return
	}
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := n.v.base.Stat(path)
		if err != nil {
			return // it leads nowhere
		}
		info = target
	}
	n.adopt(name, info)
}

// names returns the names in a directory, or those of all its slots, in order.
func (n *vnode) names(all bool) []string {
	var list []string
	for name, s := range n.entries {
		if all || s.now != nil {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// claim reserves the memory for changing these names, or does nothing.
func (n *vnode) claim(name string) error {
	s := n.entries[name]
	if s == nil {
		s = &slot{}
	}
	if s.charged {
		return nil
	}
	if err := n.v.reserve(entryBytes); err != nil {
		return err
	}
	s.charged = true
	n.entries[name] = s
	return nil
}

// put makes a claimed name stand for child, or for nothing when child is nil.
func (n *vnode) put(name string, child *vnode) {
	s := n.entries[name]
	old := s.now
	if old != s.disk || len(s.past) > 0 {
		s.remember(old)
	}
	s.now, s.dirty = child, true
	if child != nil {
		child.links++
		child.parent = n
	}
	if old != nil {
		old.links--
		n.v.release(old)
	}
	n.v.tally(s)
	n.v.recount(child)
}

func (s *slot) remember(old *vnode) {
	if len(s.past) == maxPast {
		s.dropPast(1)
	}
	s.past = append(s.past, old)
	if old != nil {
		old.past++
	}
}

// dropPast forgets the oldest k meanings.
func (s *slot) dropPast(k int) {
	for _, old := range s.past[:k] {
		if old != nil {
			old.past--
			old.v.release(old)
		}
	}
	s.past = slices.Clone(s.past[k:])
}

// settled notes that the name is below what it is here, and needs no memory.
func (n *vnode) settled(name string) {
	s := n.entries[name]
	s.dirty = false
	s.dropPast(len(s.past))
	n.v.tally(s)
	if s.now != s.disk {
		return
	}
	if s.charged {
		s.charged = false
		n.v.held.Add(-entryBytes)
	}
	if s.now == nil {
		delete(n.entries, name)
	}
}

// tally keeps the count of pending entries.
func (v *Volatile) tally(s *slot) {
	if pending := s.now != s.disk; pending != s.counted {
		s.counted = pending
		if pending {
			v.entries.Add(1)
		} else {
			v.entries.Add(-1)
		}
	}
}

// find follows a path to its last name. dir is nil when the path is a root.
func (v *Volatile) find(name string) (dir *vnode, last string, node *vnode, err error) {
	if name == "" {
		return nil, "", nil, iofs.ErrNotExist
	}
	node, parts, err := v.split(name)
	if err != nil {
		return nil, "", nil, err
	}
	for i, part := range parts {
		if dir = node; dir == nil {
			return nil, "", nil, iofs.ErrNotExist
		}
		if !dir.isDir {
			return nil, "", nil, syscall.ENOTDIR
		}
		if isHidden(part) {
			return nil, "", nil, syscall.EINVAL
		}
		s, err := dir.lookup(part)
		if err != nil {
			return nil, "", nil, cause(err)
		}
		if node, last = nil, parts[i]; s != nil {
			node = s.now
		}
	}
	return dir, last, node, nil
}

// existing is find for a path that must lead to something.
func (v *Volatile) existing(name string) (dir *vnode, last string, node *vnode, err error) {
	dir, last, node, err = v.find(name)
	if err == nil && node == nil {
		err = iofs.ErrNotExist
	}
	return dir, last, node, err
}

// cause takes the path below off an error: the caller's path goes on.
func cause(err error) error {
	var pathErr *iofs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
