package wire

import "strconv"

// Op is the operation a request asks for.
type Op uint8

// The operations. Zero is none of them; numbers are never reused.
const (
	OpSet     Op = 1 // store a value under a key
	OpGet     Op = 2 // read the value of a key
	OpDelete  Op = 3 // remove a key, say whether it was there
	OpBulkSet Op = 4 // store several values, all or none of them
	OpExists  Op = 5 // say whether a key is there
	OpKeys    Op = 6 // one page of keys in order
	OpScan    Op = 7 // one page of keys and values in order
)

var opNames = [...]string{
	OpSet: "Set", OpGet: "Get", OpDelete: "Delete", OpBulkSet: "BulkSet",
	OpExists: "Exists", OpKeys: "Keys", OpScan: "Scan",
}

// Valid reports whether o is an operation of this version of the protocol.
func (o Op) Valid() bool { return o >= OpSet && o <= OpScan }

// IsWrite reports whether o changes the store, so that its outcome can be [OutcomeUnknown].
func (o Op) IsWrite() bool { return o == OpSet || o == OpDelete || o == OpBulkSet }

// String returns the name of o as docs/PROTOCOL.md spells it, or "Op(n)".
func (o Op) String() string {
	if o.Valid() {
		return opNames[o]
	}
	return "Op(" + strconv.Itoa(int(o)) + ")"
}
