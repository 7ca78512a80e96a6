package faultfs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// ErrVolatileFull is returned, inside a *PathError, by a call that would hold
// more un-synced data than VolatileOptions.LimitBytes. The call had no effect.
// Syncing, and removing what was never synced, make room.
var ErrVolatileFull = errors.New("the volatile layer is full of un-synced data")

// VolatileOptions are the options of NewVolatile; the zero value is good.
type VolatileOptions struct {
	// LimitBytes bounds the memory for pending data and names; 0: 256 MiB.
	LimitBytes int64

	// OnPending is called after every change of what is pending, one call at a
	// time and under no lock that guards a file. It must not change files of
	// the layer. The call that made the change returns only after it.
	OnPending func(Pending)
}

const defaultVolatileLimit = 256 << 20

// Pending is what a power cut now would cost. Every 512-byte sector whose
// content is not below counts 512 bytes, every file whose size differs from
// the one below 8, every name that stands for something else than below 1
// entry. Files without a name count nothing.
type Pending = vfs.Lost

// Volatile is an afero.Fs over another one that holds back what was not
// synced. Data, sizes, and directory entries (create, rename, remove, mkdir)
// live in the memory of the process until a sync covers them; then exactly
// what it covers is written to the base. To end the process with SIGKILL is
// therefore a power cut: the base shows what a disk without any luck would.
//
// Sync of a file forces its data and size, not its name. SyncDir, or Sync of an
// open directory, forces the names in that directory, not what is in the files
// nor the name of the directory itself. A rename has two halves, one for each
// directory: when only the new directory is synced, the file has both names
// below. A directory that is renamed never has two: whichever half is synced
// first moves it, or takes it away.
//
// A cut in the middle of a sync leaves a part of what that sync covers, and
// changes nothing else. Nothing is fsynced below: the layer outlives the
// process, not the machine. Three things reach the base before a sync asks for
// it, as they may on any disk: modes, owners and times; the name of a file that
// is locked, with the names of its directories; and files of its own, under
// names that start with HiddenPrefix, which hold synced data that has no
// durable name yet. Those are never listed, cannot be named by a caller, and
// are removed when the next layer lists their directory.
//
// There must be one layer at a time over the same files, and nobody else may
// change them meanwhile. Links are followed below and cannot be made; a file
// reached by two paths is two files.
//
// All methods of the layer and of its files may be called concurrently. Data
// calls on different files do not wait for each other; calls that need the tree
// of names do. Lock order: the cursor of a file, the tree, the data of a file.
type Volatile struct {
	base  afero.Fs
	limit int64
	on    func(Pending)
	onMu  sync.Mutex // makes the calls of on one at a time

	crashed atomic.Bool
	held    atomic.Int64 // bytes of memory charged to limit
	bytes   atomic.Int64 // pending, as Pending counts
	entries atomic.Int64

	// tree guards all names, and the fields of vnode that say so.
	tree   sync.Mutex
	roots  map[string]*vnode
	opened map[*vnode]struct{}        // have a handle below
	locked map[*volatileFile]struct{} // hold a lock below
	hidden map[*vnode]struct{}        // have or had a home under a hidden name
	tag    string                     // tells this layer's hidden names from those of others
	serial int
}

var (
	_ afero.Fs          = (*Volatile)(nil)
	_ afero.Lstater     = (*Volatile)(nil)
	_ vfs.DirSyncer     = (*Volatile)(nil)
	_ vfs.DirSyncFailer = (*Volatile)(nil)
	_ vfs.Crasher       = (*Volatile)(nil)
)

// HiddenPrefix starts the names of the files that the volatile layer keeps
// below for itself.
const HiddenPrefix = ".volatile-"

// NewVolatile puts a volatile layer over base. Making one reads nothing, and
// one that is not needed any more, its files closed, is simply dropped.
func NewVolatile(base afero.Fs, o VolatileOptions) *Volatile {
	if o.LimitBytes == 0 {
		o.LimitBytes = defaultVolatileLimit
	}
	return &Volatile{
		base: base, limit: o.LimitBytes, on: o.OnPending,
		roots: map[string]*vnode{}, opened: map[*vnode]struct{}{},
		locked: map[*volatileFile]struct{}{}, hidden: map[*vnode]struct{}{},
		tag: rand.Text()[:12],
	}
}

// Name returns the name of the file system below in "volatile(…)".
func (v *Volatile) Name() string { return "volatile(" + v.base.Name() + ")" }

// Pending returns what a power cut now would cost.
func (v *Volatile) Pending() Pending {
	return Pending{Bytes: v.bytes.Load(), Entries: v.entries.Load()}
}

// notify tells the owner what is pending. The lock makes the last call the one
// that knows the most.
func (v *Volatile) notify() {
	if v.on == nil {
		return
	}
	v.onMu.Lock()
	defer v.onMu.Unlock()
	v.on(v.Pending())
}

// reserve charges n bytes of memory, or returns ErrVolatileFull.
func (v *Volatile) reserve(n int64) error {
	if n == 0 {
		return nil
	}
	if v.held.Add(n) > v.limit {
		v.held.Add(-n)
		return fmt.Errorf("%w: the limit is %d bytes", ErrVolatileFull, v.limit)
	}
	return nil
}

// enter locks the tree for a call on it, unless the power is cut.
func (v *Volatile) enter() error {
	v.tree.Lock()
	if v.crashed.Load() {
		v.tree.Unlock()
		return vfs.ErrCrashed
	}
	return nil
}

// leave unlocks the tree and reports what the call has changed.
func (v *Volatile) leave() {
	v.tree.Unlock()
	v.notify()
}

// hiddenName returns a new name that nobody sees. The caller holds the tree.
func (v *Volatile) hiddenName() string {
	v.serial++
	return fmt.Sprintf("%s%s-%d", HiddenPrefix, v.tag, v.serial)
}

// split cuts a path into the directory that it starts at and the names to
// follow. The caller holds the tree.
func (v *Volatile) split(name string) (root *vnode, parts []string, err error) {
	path := filepath.Clean(name)
	if _, ok := v.base.(*afero.OsFs); ok { // so that relative and absolute paths meet
		if path, err = filepath.Abs(path); err != nil {
			return nil, nil, err
		}
	}
	top := filepath.VolumeName(path)
	rest := path[len(top):]
	if rest != "" && rest[0] == filepath.Separator {
		top += string(filepath.Separator)
	}
	if top == "" {
		top = "."
	}
	root = v.roots[top]
	if root == nil {
		root = &vnode{v: v, isDir: true, root: top, entries: map[string]*slot{}, links: 1}
		v.roots[top] = root
	}
	return root, pathParts(rest), nil
}
