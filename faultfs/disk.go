package faultfs

import (
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
// addresses, no random numbers. Modification times count calls. All
// methods may be called concurrently; callers that overlap get the order in
// which they arrive.
//
// Every byte ever written is kept until the Disk is dropped: it is for
// workloads of kilobytes and megabytes.
type Disk struct{ todo }

type todo struct{ afero.Fs }

// NewDisk returns an empty disk with a root directory "/". Relative names are
// names in the root.
func NewDisk() *Disk { panic("todo") }

// Points returns the number of the last crash point: 0 is before the first
// call, and each call that changed something or synced added one when it
// returned.
func (d *Disk) Points() int { panic("todo") }

// Call describes the call that made crash point k, 1 to Points, for example
// "write 00000001.seg 4096+512" or "syncdir /".
func (d *Disk) Call(k int) string { panic("todo") }

// PowerOff ends the life of this disk: every later call fails with
// vfs.ErrCrashed, changes nothing and makes no point. Closing files still works.
func (d *Disk) PowerOff() { panic("todo") }

// Space returns the legal contents of the disk after a crash at point k: the
// base with all that was forced by syncs that had returned by then, and any
// choice of the rest that the profile allows.
func (d *Disk) Space(k int, p Profile) *Space { panic("todo") }

// Killed returns the disk as a process finds it that starts after the one
// before was killed at point k: the cache is intact, and what was pending then
// is still pending, so that a power cut later may still drop it. It is a disk
// of its own; its points begin at 0 again.
func (d *Disk) Killed(k int) *Disk { panic("todo") }

// Crash implements vfs.Crasher: it cuts the power and becomes what a seeded
// choice of the legal contents is.
func (d *Disk) Crash(seed uint64, keep string) (vfs.Lost, error) { panic("todo") }

// Reads returns what the callers of this disk have learnt of the content that
// it started with, in the order in which they first learnt it. A program that
// depends on nothing but its file system does the same on every disk that
// gives the same [State.Value] to each of these facts.
func (d *Disk) Reads() []Fact { panic("todo") }

// Fact is one thing that can be learnt of a disk's content.
type Fact struct {
	Kind FactKind
	Path string // where the content was when the disk started
	At   int64  // FactSector: its number
}

// FactKind says what a Fact is about.
type FactKind uint8

const (
	FactName   FactKind = iota // whether there is something called Path, and what kind
	FactNames                  // the names in the directory Path
	FactSize                   // the size of the file Path
	FactSector                 // the bytes of one sector of the file Path
)
