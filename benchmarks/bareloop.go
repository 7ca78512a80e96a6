package benchmarks

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// BareLoop is the limit that a durable store can be held against: it gathers
// the callers that wait into one write and one data-only sync on a preallocated
// file, and does nothing else. There is no checksum, no index, no framing, and
// nothing can be read back.
//
// It has no goroutine of its own. The first caller of a group leads it: it
// waits for its turn, writes and syncs what has gathered until then, and wakes
// the group. While it is in the sync, the next group gathers. With one caller
// that saves two switches between threads for each write; with many it is as
// fast as a goroutine that owns the file.
//
// When it comes to the end of its file it begins at the start again. There it
// overwrites blocks that have been written before, which disks do a little
// faster: the limit becomes stricter, never more lenient.
type BareLoop struct {
	file  afero.File
	bytes int64

	// mu is not held during I/O. The leader alone uses offset.
	mu        sync.Mutex
	gathering *group
	leading   bool   // somebody writes, or has been told that it is his turn
	spare     []byte // buffer of the group that was done last, for the next to gather in
	err       error  // the first; nothing is written after it

	offset int64
}

// group is the callers that share one write and one sync.
type group struct {
	callers int
	records []byte
	turn    chan struct{} // receives when the leader of this group may write
	done    chan struct{} // closed once err is set
	err     error
}

func newGroup(buf []byte) *group {
	return &group{records: buf[:0], turn: make(chan struct{}, 1), done: make(chan struct{})}
}

// gatherYields is how often a leader lets others run before it takes what has
// gathered. Those whom the group before has just woken come back with their
// next record then, instead of missing this group and sitting out a sync. With
// 16 callers that is worth half as much again; nobody waits on a timer.
const gatherYields = 4

// errFull is returned for a record that is larger than the whole file.
var errFull = errors.New("the record is larger than the file of the bare loop")

// NewBareLoop creates the file name, which must not exist, and preallocates
// size bytes for it. The file and its size are durable on return.
func NewBareLoop(fsys afero.Fs, name string, size int64) (*BareLoop, error) {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("creating the file of the bare loop: %w", err)
	}
	err = vfs.Preallocate(f, size)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close() // the first error says what went wrong
		return nil, fmt.Errorf("preallocating %d bytes for the bare loop: %w", size, err)
	}
	return &BareLoop{file: f, bytes: size, gathering: newGroup(nil)}, nil
}

// Set writes key and value and returns once they are synced. It may be called
// from any goroutine, and copies what it is given. After the first error every
// call returns that error.
func (l *BareLoop) Set(key, value []byte) error {
	l.mu.Lock()
	g := l.gathering
	leader := g.callers == 0
	g.callers++
	g.records = append(append(g.records, key...), value...)
	if leader {
		l.lead(g)
	} else {
		l.mu.Unlock()
		<-g.done
	}
	return g.err
}

// lead waits until it is the turn of g, and makes it durable. The caller holds
// mu, which lead releases.
func (l *BareLoop) lead(g *group) {
	wait := l.leading
	l.leading = true
	l.mu.Unlock()
	if wait {
		<-g.turn
	}
	for range gatherYields {
		runtime.Gosched()
	}
	l.mu.Lock()
	l.gathering = newGroup(l.spare)
	g.err = l.err
	l.mu.Unlock()
	if g.err == nil {
		g.err = l.commit(g.records)
	}
	l.handOver(g)
}

// commit makes the records durable.
func (l *BareLoop) commit(records []byte) error {
	if int64(len(records)) > l.bytes {
		return errFull
	}
	if l.offset+int64(len(records)) > l.bytes {
		l.offset = 0
	}
	if _, err := l.file.WriteAt(records, l.offset); err != nil {
		return fmt.Errorf("bare loop: writing %d bytes: %w", len(records), err)
	}
	l.offset += int64(len(records))
	if err := vfs.SyncData(l.file); err != nil {
		return fmt.Errorf("bare loop: syncing: %w", err)
	}
	return nil
}

// handOver wakes g, which is done, and the leader of the next group.
func (l *BareLoop) handOver(g *group) {
	l.mu.Lock()
	l.err = g.err
	l.spare = g.records
	l.leading = l.gathering.callers > 0
	if l.leading {
		l.gathering.turn <- struct{}{}
	}
	l.mu.Unlock()
	close(g.done)
}

// Close closes the file. No Set may be under way.
func (l *BareLoop) Close() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("closing the file of the bare loop: %w", err)
	}
	return nil
}
