package mutants

import (
	"bytes"
	"strings"
)

// testOutput reads what a test binary with -test.v prints, line by line, and
// keeps the little that a report needs: a mutant may print without end.
type testOutput struct {
	line    []byte // the last one, as far as it has come
	last    string // test that was begun last
	failed  string // first test that failed
	hung    bool
	reasons []string
	follow  int // lines to keep, behind one that gives a reason
}

const (
	maxLineBytes   = 1 << 10 // of a line; the rest is not kept
	maxReasons     = 6       // lines
	maxReasonBytes = 200     // of each
)

// Write takes the next part of the output.
func (o *testOutput) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part, rest, whole := bytes.Cut(p, []byte("\n"))
		o.line = append(o.line, part[:min(len(part), maxLineBytes-len(o.line))]...)
		if whole {
			o.take(string(o.line))
			o.line = o.line[:0]
		}
		p = rest
	}
	return n, nil
}

func (o *testOutput) take(line string) {
	if name, ok := strings.CutPrefix(line, "=== RUN   "); ok {
		o.last = name
		return
	}
	if rest, ok := strings.CutPrefix(line, "--- FAIL: "); ok && o.failed == "" {
		o.failed, _, _ = strings.Cut(rest, " ")
		return
	}
	if strings.HasPrefix(line, "panic: test timed out after") {
		o.hung = true
	}
	o.takeReason(line)
}

// takeReason keeps the lines in which testify and the runtime say what is wrong.
func (o *testOutput) takeReason(line string) {
	text := strings.TrimSpace(line)
	for _, sign := range []string{"Error: ", "Messages: ", "panic: ", "fatal error: ", "goleak: "} {
		if strings.HasPrefix(text, sign) {
			o.follow = 2
		}
	}
	if o.follow == 0 || text == "" || len(o.reasons) == maxReasons {
		return
	}
	o.follow--
	text = strings.Join(strings.Fields(text), " ")
	o.reasons = append(o.reasons, text[:min(len(text), maxReasonBytes)])
}

// finding is what the output tells, once the process has ended.
func (o *testOutput) finding() finding {
	f := finding{hung: o.hung, ran: o.last != "", test: o.failed, details: strings.Join(o.reasons, " / ")}
	if f.test == "" { // it ended in the middle of a test
		f.test, _, _ = strings.Cut(o.last, "/")
	}
	return f
}
