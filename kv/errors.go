package kv

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of a call's arguments. The call did nothing.
var (
	// ErrEmptyKey is returned when a key has no bytes.
	ErrEmptyKey = errors.New("the key is empty")
	// ErrKeyTooLarge is returned when a key has more than MaxKeyBytes bytes.
	ErrKeyTooLarge = errors.New("the key is too large")
	// ErrValueTooLarge is returned when a value has more bytes than
	// Options.MaxValueBytes allows.
	ErrValueTooLarge = errors.New("the value is too large")
	// ErrBatchTooLarge is returned when the records of a batch take more than
	// MaxBatchBytes bytes.
	ErrBatchTooLarge = errors.New("the batch is too large")
	// ErrInvalidOptions is returned by Open when an option is out of range.
	ErrInvalidOptions = errors.New("invalid options")
)

// Errors that say how a call ended.
var (
	// ErrNotFound is returned when the key is not in the store.
	ErrNotFound = errors.New("key not found")
	// ErrClosed is returned when the store, or the snapshot, is closed.
	ErrClosed = errors.New("closed")
	// ErrOutcomeUnknown is returned by a write that may or may not have been
	// applied: its group was handed to the file system, then a write or a sync
	// failed, and so did every attempt to put it elsewhere or to rule it out.
	// No reader sees it, but for the writes of an interval policy, which are
	// visible from the start. The next Open decides; once the store takes writes
	// again without one, it was not applied. Any other error of a write means
	// that it is certainly not applied and never will be.
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrFenced is returned by every write while the storage fails; the error
	// also holds the first cause. Reads go on. The store tries to go on in new
	// files when a write comes, a second after the failure and then less and
	// less often, up to every half minute. A write that needs a new file, which
	// cannot be created, gets it too; the store then is not fenced for others,
	// and the next write tries at once.
	ErrFenced = errors.New("writes are fenced")
	// ErrDiskFull is returned by a write that found no space, or no quota. It
	// is certainly not applied, and writes resume by themselves once there is
	// space.
	ErrDiskFull = errors.New("disk full")
)

// Errors of opening a store or of finding it damaged.
var (
	// ErrLocked is returned by Open when another owner has the store open.
	ErrLocked = errors.New("the store is open elsewhere")
	// ErrFormatTooNew is returned by Open when a file was written by a later
	// format version than this package knows.
	ErrFormatTooNew = errors.New("the format is too new")
	// ErrDamaged is returned when data that was acknowledged is not what was
	// written. The error is a *DamageError, which says where.
	ErrDamaged = errors.New("damaged")
)

// DamageError names damage to acknowledged data. It is ErrDamaged.
type DamageError struct {
	// File is the name of the damaged file inside the store's directory.
	File string
	// Offset is where in File the damage was met, in bytes.
	Offset int64
	// FirstSeq and LastSeq bound the sequence numbers that may be lost or
	// wrong. Both are zero where no record is concerned or none is known.
	FirstSeq, LastSeq uint64
	// Keys are the keys that the damage is known to touch.
	Keys []string
	// Reason says what was found, in words.
	Reason string
}

func (e *DamageError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is damaged at offset %d", e.File, e.Offset)
	if e.FirstSeq != 0 {
		fmt.Fprintf(&b, ", sequence numbers %d to %d", e.FirstSeq, e.LastSeq)
	}
	if len(e.Keys) > 0 {
		fmt.Fprintf(&b, ", keys %q", e.Keys)
	}
	b.WriteString(": ")
	b.WriteString(e.Reason)
	return b.String()
}

// Is makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }
