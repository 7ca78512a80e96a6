package faultfs

import (
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// Disk is a file system in memory that remembers every call that changed
// something, in order, and what each sync covered. From that it tells which
// contents may legally be on the disk after a crash at any point; see [Disk.Space].
//
// Callers see the cache, as they do on a real system: everything that was
// written, synced or not. Like a layer made by [NewVolatile] it implements the
// optional interfaces of internal/vfs (data-only sync, preallocation, locks,
// directory sync, failed syncs, crashes), so that rules of [New] go above it.
//
// Everything that it says and returns depends on the calls alone: no clock, no
// addresses, no random numbers. Times are those of Chtimes, else the Unix epoch.
// All methods may be called concurrently; callers that overlap get the order in
// which they arrive.
//
// Every byte ever written is kept until the Disk is dropped: it is for
// workloads of kilobytes and megabytes.
type Disk struct {
	mu    sync.Mutex
	root  *node
	nodes []*node // all that there ever were, in the order in which they came
	off   bool
	after *Disk // what a Crash left

	point int        // the last crash point
	calls []diskCall // calls[k-1] made point k
	seq   int        // the last change
	names []nameChange
	syncs []syncCall
	freed []freed

	reads []Fact
}

// never is a point that does not come.
const never = math.MaxInt

var (
	_ afero.Fs          = (*Disk)(nil)
	_ vfs.DirSyncer     = (*Disk)(nil)
	_ vfs.DirSyncFailer = (*Disk)(nil)
	_ vfs.Crasher       = (*Disk)(nil)
)

// change is what all micro-operations have in common. It may be on the disk
// after a crash at a point from issued on, must be from forced on, and cannot
// be from void on. An orphan is one that a failed sync covered: from then on no
// sync forces it.
type change struct {
	seq                           int
	issued, forced, orphan, voids int
}

// at reports whether there is such a change at point k, and whether it is free
// to be on the disk or not.
func (c *change) at(k int) (there, free bool) {
	return c.issued <= k && k < c.voids, c.forced > k
}

func (c *change) force(k int) {
	if c.forced == never && c.orphan == never && c.voids == never {
		c.forced = k
	}
}

// fail is what a failed sync does.
func (c *change) fail(k int, p vfs.Personality) {
	if c.forced != never || c.orphan != never || c.voids != never {
		return
	}
	if p == vfs.CacheReverted {
		c.voids = k
	} else {
		c.orphan = k
	}
}

// nameChange sets or, without a node, removes one name in a directory.
type nameChange struct {
	change
	dir   *node
	name  string
	node  *node
	group int // equal for the parts of one atomic change
}

// syncCall is a sync that returned without an error.
type syncCall struct {
	seq, point int
	node       *node
	journal    bool // it had more to write than sectors of known size
}

// freed is what a file had on disk blocks that it gave back: the source of
// stale bytes.
type freed struct {
	point   int
	sectors []*sector
}

// diskCall describes a call.
type diskCall struct {
	op        string
	name, and string
	off, n    int64
}

func (c diskCall) String() string {
	switch c.op {
	case "write":
		return fmt.Sprintf("write %s %d+%d", c.name, c.off, c.n)
	case "truncate", "preallocate":
		return fmt.Sprintf("%s %s %d", c.op, c.name, c.n)
	case "rename":
		return fmt.Sprintf("rename %s %s", c.name, c.and)
	}
	return c.op + " " + c.name
}

// NewDisk returns an empty disk with a root directory "/". Relative names are
// names in the root.
func NewDisk() *Disk {
	d := &Disk{}
	d.root = d.newNode(true)
	d.root.base.names = map[string]*node{}
	d.root.origin, d.root.old = "/", true
	return d
}

// ReadDisk returns a disk that starts with a copy of what is in the directory
// root of fsys, which becomes "/". It copies directories and regular files, and
// refuses anything else.
func ReadDisk(fsys afero.Fs, root string) (*Disk, error) {
	d := NewDisk()
	err := afero.Walk(fsys, root, func(name string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == "." {
			return err
		}
		switch {
		case info.IsDir():
			return d.Mkdir(rel, info.Mode().Perm())
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory", name)
		}
		b, err := afero.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return afero.WriteFile(d, rel, b, info.Mode().Perm())
	})
	if err != nil {
		return nil, fmt.Errorf("copying %s to a disk: %w", root, err)
	}
	return d.Space(d.Points(), Weak).Everything().Disk(), nil
}

// Points returns the number of the last crash point: 0 is before the first
// call, and each call that changed something or synced added one when it
// returned.
func (d *Disk) Points() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.point
}

// Call describes the call that made crash point k, 1 to Points, for example
// "write 00000001.seg 4096+512" or "syncdir /". For others it is empty.
func (d *Disk) Call(k int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k < 1 || k > len(d.calls) {
		return ""
	}
	return d.calls[k-1].String()
}

// PowerOff ends the life of this disk: every later call fails with
// vfs.ErrCrashed, changes nothing and makes no point. Closing files still gives back their locks.
func (d *Disk) PowerOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
}

// Crash cuts the power. What survives is a choice, by seed, among the states
// that Space gives for the profile Weak at this point: keep is one of the Keep
// constants. After tells what it was.
func (d *Disk) Crash(seed uint64, keep string) (vfs.Lost, error) {
	if err := CheckKeep(keep); err != nil {
		return vfs.Lost{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return vfs.Lost{}, vfs.ErrCrashed
	}
	d.off = true
	space := d.space(d.point, Weak)
	d.mu.Unlock()
	state := space.choose(seed, keep)
	after, lost := state.Disk(), state.lost(space.Everything())
	d.mu.Lock()
	d.after = after
	return lost, nil
}

// After returns the disk that a Crash has left, or nil if there was none.
func (d *Disk) After() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.after
}

// enter begins a call. On success the caller unlocks d.mu.
func (d *Disk) enter() error {
	d.mu.Lock()
	if d.off {
		d.mu.Unlock()
		return vfs.ErrCrashed
	}
	return nil
}

// returns ends a call that changed something, or synced, and makes a point of it.
func (d *Disk) returns(c diskCall) {
	d.point++
	d.calls = append(d.calls, c)
}

// change makes a change that belongs to the call under way.
func (d *Disk) change() change {
	d.seq++
	return change{seq: d.seq, issued: d.point + 1, forced: never, orphan: never, voids: never}
}

// free notes that blocks of n may get into other files from now on.
func (d *Disk) free(n *node) {
	if !n.isDir && len(n.sectors) > 0 {
		n.shared = true
		d.freed = append(d.freed, freed{d.point + 1, n.sectors})
	}
}

// setName changes what callers see under a name, and remembers it.
func (d *Disk) setName(dir *node, name string, n *node, group int) {
	if old := dir.entries[name]; old != nil {
		if old.links--; old.links == 0 {
			d.free(old)
		}
	}
	if n == nil {
		delete(dir.entries, name)
	} else {
		dir.entries[name] = n
		n.links++
		n.parent = dir
	}
	d.names = append(d.names, nameChange{change: d.change(), dir: dir, name: name, node: n, group: group})
}

// clean returns name as a path from the root.
func clean(name string) string {
	name = filepath.ToSlash(name)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return path.Clean(name)
}

var epoch = time.Unix(0, 0).UTC()
