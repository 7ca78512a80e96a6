package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"holdfast/internal/testdisk"
)

const (
	logTailLines = 20       // kept for the report
	maxLineBytes = 64 << 10 // of a line that is looked into; the file gets all of it
)

// The messages of the server that a campaign waits for. They are part of the server's contract.
const (
	msgRecovering = "recovering"
	msgServing    = "serving"
)

// serverLog is the output of one server process: it goes to a file, and what the server says about
// its start is picked out on the way. Lines that are not JSON (a panic, a wrapper's chatter) are kept
// and otherwise ignored.
type serverLog struct {
	path       string
	recovering chan struct{} // closed when the server said that it begins to recover
	serving    chan struct{} // closed when it said that it serves
	// answers holds the last answers to commands that nobody has taken yet; of more than fit, the
	// later ones are dropped.
	answers chan testdisk.Line

	mu           sync.Mutex // guards what follows
	file         *os.File
	partial      []byte // of the line that is not complete yet
	tail         []string
	recoveringAt time.Time
	servingAt    time.Time
	addr         string         // that it serves on
	cut          *testdisk.Line // the power cut that it ended with; nil: none
	fileErr      error          // the first that the file gave
}

func newServerLog(path string) (*serverLog, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create the server's log: %w", err)
	}
	return &serverLog{
		path: path, file: f, recovering: make(chan struct{}), serving: make(chan struct{}),
		answers: make(chan testdisk.Line, 8),
	}, nil
}

// Write takes the next piece of output, cut anywhere. It never returns an error: the pipe to the
// server would be closed, and the server would die of our full disk. [serverLog.Close] tells.
func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := p
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if room := maxLineBytes - len(l.partial); len(line) > room {
			line = line[:room]
		}
		l.partial = append(l.partial, line...)
		if !found {
			break
		}
		l.line(l.partial)
		l.partial, rest = l.partial[:0], after
	}
	if _, err := l.file.Write(p); err != nil && l.fileErr == nil {
		l.fileErr = fmt.Errorf("write the server's log: %w", err)
	}
	return len(p), nil
}

// line looks into one complete line. The caller holds mu.
func (l *serverLog) line(text []byte) {
	l.remember(text)
	var said struct{ Msg, Addr string }
	if json.Unmarshal(text, &said) != nil {
		return
	}
	switch {
	case said.Msg == msgRecovering && l.recoveringAt.IsZero():
		l.recoveringAt = time.Now()
		close(l.recovering)
	case said.Msg == msgServing && l.servingAt.IsZero():
		l.servingAt, l.addr = time.Now(), said.Addr
		close(l.serving)
	default:
		l.answer(text)
	}
}

// answer takes a line that answers a command. The caller holds mu.
func (l *serverLog) answer(text []byte) {
	line, ok := testdisk.ParseLine(text)
	switch {
	case !ok:
	case line.Msg == testdisk.MsgPowerCut:
		l.cut = &line
	default:
		select {
		case l.answers <- line:
		default:
		}
	}
}

// powerCut is what the server said of the power cut that it ended with.
func (l *serverLog) powerCut() (line testdisk.Line, was bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut == nil {
		return testdisk.Line{}, false
	}
	return *l.cut, true
}

func (l *serverLog) remember(line []byte) {
	if len(l.tail) == logTailLines {
		l.tail = append(l.tail[:0], l.tail[1:]...)
	}
	l.tail = append(l.tail, string(line))
}

// Close takes what is left as a last line and closes the file. The error is the first of the file.
func (l *serverLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.line(l.partial)
	}
	if err := l.file.Close(); err != nil && l.fileErr == nil {
		l.fileErr = fmt.Errorf("close the server's log: %w", err)
	}
	return l.fileErr
}

// start is what the server said about its start so far; zero times mean that it did not.
func (l *serverLog) start() (recoveringAt, servingAt time.Time, addr string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recoveringAt, l.servingAt, l.addr
}

// endsInRecovery reports whether a server that is gone, its log complete, had said that it recovers
// and not yet that it serves.
func (l *serverLog) endsInRecovery() bool {
	recoveringAt, servingAt, _ := l.start()
	return !recoveringAt.IsZero() && servingAt.IsZero()
}

// lastLines returns the end of the log.
func (l *serverLog) lastLines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.tail...)
}
