package zoo

import (
	"maps"

	"github.com/spf13/afero"

	"holdfast/faultfs"
)

// Change is one write: a key gets a value, or is removed.
type Change struct {
	Key, Value string
	Delete     bool
}

// Store is an open store of the zoo. It is for one goroutine.
type Store interface {
	// Write makes a change. Nil means that the change is durable; an error, that
	// nobody knows.
	Write(Change) error
	// All returns what readers see. The caller must not change it.
	All() map[string]string
	// Close releases the files and does nothing else.
	Close() error
}

// Species is a way to write a store, and what becomes of those who do.
type Species struct {
	Name   string
	Belief string // of those who write it, in a sentence
	Truth  string // what a crash makes of that
	// Open opens the store in the root of fsys, and makes it if there is none.
	// Its error means that the store refuses to open.
	Open func(fsys afero.Fs) (Store, error)
	// Rules are what fails before the first crash, in the grammar of faultfs.
	Rules string

	// Verdict is the kind of the loss that takes the fewest crashes and the
	// shortest plan, [Holds] if there is none.
	Verdict Kind
	// Crashes, kills among them, and Words are how many that are.
	Crashes, Words int
	// Shows are the profiles on which there is a loss of some kind.
	Shows []faultfs.Profile
	// Line is a crash that shows it, for [faultfs.Replay], where the explorer
	// would need more crashes of recoveries than it allows itself.
	Line string
}

// Kind is a kind of broken promise.
type Kind string

const (
	Holds       Kind = "holds"
	Refuses     Kind = "refuses to open" // what a crash has left
	Lost        Kind = "lost"            // an acknowledged write: the key is not there
	RolledBack  Kind = "rolled back"     // an acknowledged write: an older value is there
	Resurrected Kind = "resurrected"     // a key whose removal was acknowledged
	Vanished    Kind = "vanished"        // what was read after one crash, after another
	Phantom     Kind = "phantom"         // a key or a value that was never written
)

// contents is the map that every store keeps.
type contents map[string]string

func (c contents) All() map[string]string { return c }

func (c contents) apply(ch Change) {
	if ch.Delete {
		delete(c, ch.Key)
	} else {
		c[ch.Key] = ch.Value
	}
}

// with returns a copy in which the change is made.
func (c contents) with(ch Change) contents {
	next := maps.Clone(c)
	next.apply(ch)
	return next
}

// syncDir makes the names in dir durable, as one does it in C.
func syncDir(fsys afero.Fs, dir string) error {
	d, err := fsys.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		_ = d.Close() // nothing was written to it
		return err
	}
	return d.Close()
}
