package wire

import "strconv"

// Status is how a request ended. The number is what travels, so none is ever reused.
type Status uint8

// The statuses. What each promises is [Status.Outcome]; docs/PROTOCOL.md says it at length.
const (
	StatusOK       Status = 0 // done; for a write: durable and visible
	StatusNotFound Status = 1 // Get: there is no such key

	// Refused before anything was tried: the input is at fault.
	StatusMalformed          Status = 16 // the body is not what its operation requires
	StatusUnknownOp          Status = 17 // no such operation
	StatusFrameTooLarge      Status = 18 // the frame, or the reply to it, exceeds the frame limit
	StatusEmptyKey           Status = 19 // a key of no bytes
	StatusKeyTooLarge        Status = 20 // a key of more than MaxKeyBytes
	StatusValueTooLarge      Status = 21 // a value of more bytes than the store takes
	StatusBatchTooLarge      Status = 22 // a BulkSet of more bytes than the store takes as one unit
	StatusScanExpired        Status = 23 // no scan is kept under this cursor (any more)
	StatusUnsupportedVersion Status = 24 // the version byte is not 1

	// Refused before anything was tried: the server cannot take it now.
	StatusTooManyConnections Status = 32 // the connection limit is reached
	StatusShuttingDown       Status = 33 // the server is draining
	StatusBusy               Status = 34 // a bound on memory or on open scans is reached

	// Tried and certainly not applied.
	StatusDiskFull   Status = 48 // no space; writes work again once there is some
	StatusFenced     Status = 49 // the storage fails, and the store refuses the write
	StatusDamaged    Status = 50 // the stored record is damaged
	StatusReadFailed Status = 51 // the storage did not give the record back

	// For a write: may or may not have been applied.
	StatusOutcomeUnknown Status = 64 // the write or its sync failed half way
	StatusInternal       Status = 65 // a defect in the server
)

var statusNames = map[Status]string{
	StatusOK: "OK", StatusNotFound: "NotFound",
	StatusMalformed: "Malformed", StatusUnknownOp: "UnknownOp", StatusFrameTooLarge: "FrameTooLarge",
	StatusEmptyKey: "EmptyKey", StatusKeyTooLarge: "KeyTooLarge", StatusValueTooLarge: "ValueTooLarge",
	StatusBatchTooLarge: "BatchTooLarge", StatusScanExpired: "ScanExpired",
	StatusUnsupportedVersion: "UnsupportedVersion", StatusTooManyConnections: "TooManyConnections",
	StatusShuttingDown: "ShuttingDown", StatusBusy: "Busy", StatusDiskFull: "DiskFull",
	StatusFenced: "Fenced", StatusDamaged: "Damaged", StatusReadFailed: "ReadFailed",
	StatusOutcomeUnknown: "OutcomeUnknown", StatusInternal: "Internal",
}

// String returns the name of s as docs/PROTOCOL.md spells it, or "Status(n)".
func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return "Status(" + strconv.Itoa(int(s)) + ")"
}

// Outcome is what a caller may conclude about a request from its status.
type Outcome uint8

// The three outcomes.
const (
	OutcomeOK      Outcome = iota // done
	OutcomeFailed                 // certainly not applied, and will never appear
	OutcomeUnknown                // a write that may or may not have been applied
)

// String returns "ok", "failed" or "unknown".
func (o Outcome) String() string {
	switch o {
	case OutcomeOK:
		return "ok"
	case OutcomeFailed:
		return "failed"
	default:
		return "unknown"
	}
}

// Outcome classes s. A status that this version does not know is OutcomeUnknown: whoever invented
// it may have applied the write. A read never changes anything, whatever this says.
func (s Status) Outcome() Outcome {
	switch {
	case s == StatusOK:
		return OutcomeOK
	case s == StatusOutcomeUnknown || s == StatusInternal:
		return OutcomeUnknown
	case statusNames[s] != "":
		return OutcomeFailed
	default:
		return OutcomeUnknown
	}
}

// Retryable reports whether the very same request, sent again later, may succeed without anybody
// having changed it and without any risk: it was certainly not applied, and what stood in its way
// can pass.
func (s Status) Retryable() bool {
	switch s {
	case StatusTooManyConnections, StatusShuttingDown, StatusBusy, StatusDiskFull, StatusFenced:
		return true
	default:
		return false
	}
}
