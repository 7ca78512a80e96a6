package wire

import "fmt"

// Error is input that breaks the protocol, or a reply that is not OK, as a Go error.
type Error struct {
	Status  Status // never StatusOK
	Message string // for people; may be empty
}

// Error returns the status and the message.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Status.String()
	}
	return e.Status.String() + ": " + e.Message
}

// Is makes errors.Is(err, &Error{Status: s}) true for every error of status s; a target that
// carries a message matches only that message.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Status == e.Status && (t.Message == "" || t.Message == e.Message)
}

func errorf(s Status, format string, args ...any) *Error {
	return &Error{Status: s, Message: fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) *Error {
	return errorf(StatusMalformed, format, args...)
}
