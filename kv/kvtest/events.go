package kvtest

import (
	"bytes"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// The events of a life, in the order in which they happen. A life that was ended
// by a crash ends with any of them.

// Opened says that Open returned without an error, and what was there then.
type Opened struct {
	Created    bool   // as the recovery reports it
	Records    uint64 // replayed, as the recovery reports it
	Keys       int    // as the recovery reports it
	Segments   int    // as the recovery reports it
	LeftAlone  int    // files that the recovery reports as none of its business
	Pairs      []Pair // all, in key order
	Files      int    // in the directory
	FilesBytes int64  // the sum of their sizes
}

// Refused says that Open returned an error.
type Refused struct{ Err string }

// Issued says that a write begins.
type Issued struct {
	What    string   // the write, in a word
	Changes []Change // atomic, the later ones count
}

// Ended is the outcome of the write that was issued last.
type Ended struct {
	Outcome Outcome
	Err     string // of all but OK
}

// Outcome is how a write ended.
type Outcome uint8

const (
	OK      Outcome = iota // it is durable, under an interval policy it is not yet
	Failed                 // it is not applied and never will be
	Unknown                // it is applied or not
)

// String returns the outcome in small letters.
func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// Synced says that a Sync or a Close returned without an error: all that was
// acknowledged before it is durable.
type Synced struct{}

// Read is what a Get returned while the store was in use.
type Read struct {
	Key   string
	Found bool
	Value Value
}

// Broken says that something happened that cannot happen, whatever was written:
// a Get that fails, say, or a Scan that contradicts it.
type Broken struct{ What string }

// Pair is a key and its value.
type Pair struct {
	Key   string
	Value Value
}

// Change is one Set or Delete of a write.
type Change struct {
	Key    string
	Value  Value // zero for a Delete
	Delete bool
}

// Value stands for the bytes of a value: two are equal if the bytes are, and
// otherwise differ but for one chance in 2^64.
type Value struct {
	Bytes int
	Sum   uint64
	Head  [16]byte // what it begins with, for people
}

// ValueOf returns the Value of b, which it does not keep.
func ValueOf(b []byte) Value {
	v := Value{Bytes: len(b), Sum: xxhash.Sum64(b)}
	copy(v.Head[:], b)
	return v
}

// String describes the value for people.
func (v Value) String() string {
	head := v.Head[:min(v.Bytes, len(v.Head))]
	if v.Bytes > len(v.Head) {
		return fmt.Sprintf("%d bytes that begin with %q", v.Bytes, bytes.TrimRight(head, "."))
	}
	return fmt.Sprintf("%q", head)
}
