package client

import (
	"context"
	"errors"

	"holdfast/internal/wire"
)

// Outcome is how a call ended, as far as the store is concerned.
type Outcome uint8

// The three outcomes.
const (
	OK      Outcome = iota // done; a write is durable and visible
	Failed                 // certainly not applied, and will never appear
	Unknown                // a write that may or may not have been applied
)

// String returns "ok", "failed" or "unknown".
func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Failed:
		return "failed"
	default:
		return "unknown"
	}
}

// OutcomeOf returns the outcome that an error of this package stands for: OK for nil, and Unknown
// for an error that does not come from this package, about which nothing can be said.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Outcome
	}
	return Unknown
}

// Error is the error of every call of a Client. Find it with errors.As.
type Error struct {
	Op      string  // the operation, as in "Set"
	Addr    string  // the server's address
	Outcome Outcome // Failed or Unknown; reads only ever fail
	Status  Status  // the answer of the server, or a refusal by the client in its place; 0: neither
	Err     error   // what happened
}

// Status is the number with which a server refuses; docs/PROTOCOL.md lists them.
type Status = wire.Status

// Error says which operation at which address ended how.
func (e *Error) Error() string {
	if e.Outcome == Unknown {
		return e.Op + " at " + e.Addr + ": outcome unknown: " + e.Err.Error()
	}
	return e.Op + " at " + e.Addr + ": " + e.Err.Error()
}

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is find ErrOutcomeUnknown, ErrFailed and the errors named after statuses.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case outcomeError:
		return e.Outcome == Outcome(t)
	case statusError:
		return e.Status == wire.Status(t)
	default:
		return false
	}
}

// Errors by outcome, for errors.Is. Exactly one of them holds for every error of a call.
var (
	// ErrFailed holds for a call that certainly changed nothing.
	ErrFailed error = outcomeError(Failed)
	// ErrOutcomeUnknown holds for a write that may or may not have been applied.
	ErrOutcomeUnknown error = outcomeError(Unknown)
)

// Errors by what happened on this side of the network, for errors.Is.
var (
	// ErrClosed is returned for calls on a closed client, and to those pending when it was closed.
	ErrClosed = errors.New("client is closed")
	// ErrTimeout is returned when a call's deadline passed. It also is context.DeadlineExceeded.
	ErrTimeout error = timeoutError{}
	// ErrConnect is returned when no connection could be made in the time there was.
	ErrConnect = errors.New("cannot connect")
	// ErrConnLost is returned when the connection broke before the reply came.
	ErrConnLost = errors.New("connection lost")
	// ErrProtocol is returned when the server sent what no server of this protocol sends.
	ErrProtocol = errors.New("not the Holdfast protocol")
)

// Errors by what the server answered, for errors.Is.
var (
	// ErrNotFound is returned by Get for a key that is not there.
	ErrNotFound error = statusError(wire.StatusNotFound)
	// ErrEmptyKey is returned for a key of no bytes.
	ErrEmptyKey error = statusError(wire.StatusEmptyKey)
	// ErrKeyTooLarge is returned for a key, or a bound of a scan, of more than 65,536 bytes.
	ErrKeyTooLarge error = statusError(wire.StatusKeyTooLarge)
	// ErrValueTooLarge is returned for a value larger than the store takes.
	ErrValueTooLarge error = statusError(wire.StatusValueTooLarge)
	// ErrBatchTooLarge is returned for a BulkSet larger than the store takes as one unit.
	ErrBatchTooLarge error = statusError(wire.StatusBatchTooLarge)
	// ErrFrameTooLarge is returned for a request or a reply over the limit on frames.
	ErrFrameTooLarge error = statusError(wire.StatusFrameTooLarge)
	// ErrScanExpired is returned by a scan so slow that the server let its snapshot go.
	ErrScanExpired error = statusError(wire.StatusScanExpired)
	// ErrTooManyConnections is returned when the server takes no more connections.
	ErrTooManyConnections error = statusError(wire.StatusTooManyConnections)
	// ErrShuttingDown is returned while the server finishes its work before it ends.
	ErrShuttingDown error = statusError(wire.StatusShuttingDown)
	// ErrBusy is returned when a bound of the server on memory or open scans is reached.
	ErrBusy error = statusError(wire.StatusBusy)
	// ErrDiskFull is returned for a write for which there was no space.
	ErrDiskFull error = statusError(wire.StatusDiskFull)
	// ErrFenced is returned for writes while the storage of the server fails; reads go on. The write was
	// not applied and may be sent again, a second later or more: the store tries to go on by itself,
	// when a write comes, after a second and then less and less often, up to every half minute.
	ErrFenced error = statusError(wire.StatusFenced)
	// ErrDamaged is returned for a read that met a damaged record.
	ErrDamaged error = statusError(wire.StatusDamaged)
	// ErrReadFailed is returned for a read that the storage of the server could not serve.
	ErrReadFailed error = statusError(wire.StatusReadFailed)
)

// outcomeError is a target for errors.Is, matched by Error.Is.
type outcomeError Outcome

func (o outcomeError) Error() string { return "outcome " + Outcome(o).String() }

// statusError is a target for errors.Is, matched by Error.Is.
type statusError wire.Status

func (s statusError) Error() string { return "server status " + wire.Status(s).String() }

type timeoutError struct{}

func (timeoutError) Error() string        { return "deadline passed" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// newError wraps what kept a call from its reply, or the refusal that was the reply.
func newError(op wire.Op, addr string, outcome Outcome, err error) *Error {
	e := &Error{Op: op.String(), Addr: addr, Outcome: outcome, Err: err}
	var refusal *wire.Error
	if errors.As(err, &refusal) {
		e.Status = refusal.Status
	}
	return e
}
