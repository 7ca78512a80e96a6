package litmus

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// Op is the call that a Step makes. Each opens what it needs, and closes it.
type Op string

// The calls. The text of a step is the call and its operands.
const (
	Create      Op = "create"      // create NAME: a new, empty file
	Mkdir       Op = "mkdir"       // mkdir NAME
	Write       Op = "write"       // write NAME OFFSET+BYTES
	Truncate    Op = "truncate"    // truncate NAME BYTES
	Preallocate Op = "preallocate" // preallocate NAME BYTES
	Sync        Op = "sync"        // sync NAME: fsync of a file
	DataSync    Op = "datasync"    // datasync NAME: fdatasync of a file
	SyncDir     Op = "syncdir"     // syncdir NAME: fsync of a directory
	Rename      Op = "rename"      // rename NAME NAME
	Remove      Op = "remove"      // remove NAME: a file or an empty directory

	// Writeback is writeback NAME OFFSET+BYTES: the kernel writes these bytes
	// now, as it may at any time. It promises nothing, so it is no call of the
	// program: Do ignores it, and who runs a program on a kernel does it himself.
	// Of 0 bytes it is nothing.
	Writeback Op = "writeback"
)

// maxBytes bounds sizes and offsets: the file systems are of a few MiB.
const maxBytes = 1 << 20

// Step is one call of a Program.
type Step struct {
	Op   Op
	Name string // relative to the directory of the program; "." is that itself
	To   string // of a Rename: the new name
	Off  int64  // of a Write or Writeback
	N    int64  // bytes of a Write or Writeback, or the size of the file
}

func (s Step) String() string {
	switch s.Op {
	case Write, Writeback:
		return fmt.Sprintf("%s %s %d+%d", s.Op, s.Name, s.Off, s.N)
	case Truncate, Preallocate:
		return fmt.Sprintf("%s %s %d", s.Op, s.Name, s.N)
	case Rename:
		return fmt.Sprintf("%s %s %s", s.Op, s.Name, s.To)
	}
	return string(s.Op) + " " + s.Name
}

var errStep = errors.New("want a call and its operands")

// ParseStep is the inverse of Step.String.
func ParseStep(text string) (Step, error) {
	s, err := parseStep(strings.Fields(text))
	if err != nil {
		return Step{}, fmt.Errorf("step %q: %w", text, err)
	}
	return s, nil
}

func parseStep(words []string) (s Step, err error) {
	if len(words) < 2 {
		return s, errStep
	}
	s.Op, s.Name = Op(words[0]), words[1]
	operands := words[2:]
	switch s.Op {
	case Create, Mkdir, Sync, DataSync, SyncDir, Remove:
		if len(operands) != 0 {
			return s, errStep
		}
		return s, nil
	case Rename, Write, Writeback, Truncate, Preallocate:
		if len(operands) != 1 {
			return s, errStep
		}
	default:
		return s, errors.New("there is no such call")
	}
	if s.Op == Rename {
		s.To = operands[0]
		return s, nil
	}
	size := operands[0]
	if s.Op == Write || s.Op == Writeback {
		off, n, ok := strings.Cut(size, "+")
		if !ok {
			return s, errors.New("want OFFSET+BYTES")
		}
		if s.Off, err = parseBytes(off); err != nil {
			return s, err
		}
		size = n
	}
	s.N, err = parseBytes(size)
	return s, err
}

func parseBytes(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (n < 0 || n > maxBytes) {
		err = fmt.Errorf("%d: want 0 to %d bytes", n, maxBytes)
	}
	return n, err
}

// Do makes the call on fsys, which must have directory syncs. A Write writes
// bytes that no other number, and no other sector of the file, has.
func (s Step) Do(fsys afero.Fs, number int) error {
	err := s.do(fsys, number)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

func (s Step) do(fsys afero.Fs, number int) error {
	switch s.Op {
	case Create:
		f, err := fsys.OpenFile(s.Name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		return f.Close()
	case Mkdir:
		return fsys.Mkdir(s.Name, 0o755)
	case SyncDir:
		return vfs.SyncDir(fsys, s.Name)
	case Rename:
		return fsys.Rename(s.Name, s.To)
	case Remove:
		return fsys.Remove(s.Name)
	case Writeback:
		return nil
	}
	f, err := fsys.OpenFile(s.Name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(s.onFile(f, number), f.Close())
}

func (s Step) onFile(f afero.File, number int) error {
	switch s.Op {
	case Write:
		_, err := f.WriteAt(s.data(number), s.Off)
		return err
	case Truncate:
		return f.Truncate(s.N)
	case Preallocate:
		return vfs.Preallocate(f, s.N)
	case Sync:
		return f.Sync()
	case DataSync:
		return vfs.SyncData(f)
	}
	return fmt.Errorf("%q is no call on a file", s.Op)
}

// data returns what a Write with this number writes: never zeros.
func (s Step) data(number int) []byte {
	b := make([]byte, s.N)
	for i := range b {
		sector := (s.Off + int64(i)) / 512
		b[i] = byte(1 + (int64(number)*37+sector)%255)
	}
	return b
}
