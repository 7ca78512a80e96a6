package server

import (
	"errors"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// statuses maps the errors of the store to what goes on the wire. An error may be several of them,
// so order matters: that an outcome is unknown outweighs why.
var statuses = []struct {
	err    error
	status wire.Status
}{
	{kv.ErrOutcomeUnknown, wire.StatusOutcomeUnknown},
	{kv.ErrFenced, wire.StatusFenced},
	{kv.ErrDiskFull, wire.StatusDiskFull},
	{kv.ErrDamaged, wire.StatusDamaged},
	{kv.ErrNotFound, wire.StatusNotFound},
	{kv.ErrEmptyKey, wire.StatusEmptyKey},
	{kv.ErrKeyTooLarge, wire.StatusKeyTooLarge},
	{kv.ErrValueTooLarge, wire.StatusValueTooLarge},
	{kv.ErrBatchTooLarge, wire.StatusBatchTooLarge},
	{kv.ErrClosed, wire.StatusShuttingDown},
}

// refusal turns the error of a request for op into its status and message. An error that is none of
// the store's own comes from the file system below it: nothing about a read is unknown then, but
// about a write it is safer to promise nothing.
func refusal(op wire.Op, err error) *wire.Error {
	var e *wire.Error
	if errors.As(err, &e) {
		return e
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return &wire.Error{Status: s.status, Message: err.Error()}
		}
	}
	if op.IsWrite() {
		return &wire.Error{Status: wire.StatusInternal, Message: err.Error()}
	}
	return &wire.Error{Status: wire.StatusReadFailed, Message: err.Error()}
}
