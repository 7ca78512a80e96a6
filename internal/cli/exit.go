package cli

import (
	"errors"

	"holdfast/client"
	"holdfast/kv"
)

// The exit codes.
const (
	exitOK             = 0
	exitFailure        = 1 // something failed, was not found, or remained inconclusive
	exitUsage          = 2 // the command line, the environment or the configuration is wrong
	exitConnect        = 3 // no connection to the server
	exitUnauthorised   = 4 // the server wants to know who asks; nothing in protocol version 1 does
	exitOutcomeUnknown = 5 // a write that may or may not have been applied
	exitDamage         = 6 // damaged data, or an acknowledged write lost
	exitLocked         = 7 // the data directory is in use
	exitFenced         = 8 // the store trusts its disk no more and takes no writes
	exitFormat         = 9 // the data was written by a later version
)

// ExitCodes maps errors to exit codes. The first entry that errors.Is finds in an error decides; an
// error without an entry is 1.
var ExitCodes = []struct {
	Err  error
	Code int
}{
	{errUsage, exitUsage},
	{errLoss, exitDamage},
	{errBroken, exitDamage},
	{client.ErrOutcomeUnknown, exitOutcomeUnknown},
	{client.ErrConnect, exitConnect},
	{client.ErrDamaged, exitDamage},
	{client.ErrFenced, exitFenced},
	{kv.ErrLocked, exitLocked},
	{kv.ErrFormatTooNew, exitFormat},
	{kv.ErrDamaged, exitDamage},
	{kv.ErrFenced, exitFenced},
}

// hints say what to do next, by exit code.
var hints = map[int]string{
	exitUsage:          `Run "holdfast --help", or "holdfast COMMAND --help", to see what is possible.`,
	exitConnect:        `Is a server running there? "holdfast serve --data DIR" starts one; --addr says where to look.`,
	exitOutcomeUnknown: "The write may or may not have been applied: read the key before you write again.",
}

var (
	errUsage = errors.New("usage")
	errLoss  = errors.New("acknowledged writes were lost, or data is damaged")
)

// usageError makes an error exit with the code for a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error        { return e.error }
func (e usageError) Is(target error) bool { return target == errUsage }

func exitCode(err error) int {
	for _, entry := range ExitCodes {
		if errors.Is(err, entry.Err) {
			return entry.Code
		}
	}
	return exitFailure
}
