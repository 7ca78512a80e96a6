package testdisk

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"holdfast/internal/vfs"
)

// MaxCommandBytes is the longest command line, without its end.
const MaxCommandBytes = 16 << 10

// The messages in the log that answer commands.
const (
	MsgControl  = "control"   // a command was carried out, or refused
	MsgPowerCut = "power cut" // the last line of a process whose disk lost power
)

// ByRule stands in the line of a power cut in place of a command, when a rule made it.
const ByRule = "a rule"

// The commands.
const (
	inject = "inject"
	heal   = "heal"
	cut    = "cut"
)

// Inject is the command that injects rules.
func Inject(rules string) string {
	// A newline separates rules too, but would end the command.
	return inject + " " + strings.ReplaceAll(rules, "\n", ";")
}

// Heal is the command that ends all faults.
func Heal() string { return heal }

// Cut is the command that cuts the power.
func Cut(seed uint64, keep string) string { return fmt.Sprintf("%s %d %s", cut, seed, keep) }

// Line is an answer in the log. Lines of the log that are none have another Msg.
type Line struct {
	Msg     string       `json:"msg"`
	Command string       `json:"command"` // what is answered, its first bytes
	Error   string       `json:"error"`   // why it was refused; empty: it was carried out
	Rules   []RuleCounts `json:"rules"`   // of heal and of a power cut: the rules that were at work
	Bytes   int64        `json:"bytes"`   // of a power cut: what did not survive
	Entries int64        `json:"entries"`
}

// Lost is what a power cut cost.
func (l Line) Lost() vfs.Lost { return vfs.Lost{Bytes: l.Bytes, Entries: l.Entries} }

// RuleCounts says how often a rule could strike, and did.
type RuleCounts struct {
	Rule  string `json:"rule"`
	Calls int    `json:"calls"` // that matched the rule
	Fired int    `json:"fired"` // of them, struck
}

// ParseLine reads a line of the log; ok is false when it answers nothing.
func ParseLine(text []byte) (l Line, ok bool) {
	if json.Unmarshal(text, &l) != nil {
		return Line{}, false
	}
	return l, l.Msg == MsgControl || l.Msg == MsgPowerCut
}

// parseCut reads what stands behind "cut ".
func parseCut(args string) (seed uint64, keep string, err error) {
	number, keep, found := strings.Cut(args, " ")
	if !found || strings.TrimSpace(keep) == "" {
		return 0, "", fmt.Errorf("%s needs a seed and what to keep", cut)
	}
	if seed, err = strconv.ParseUint(number, 10, 64); err != nil {
		return 0, "", fmt.Errorf("seed %.40q of %s: a number is needed", number, cut)
	}
	return seed, strings.TrimSpace(keep), nil
}

// eachLine calls do with each line of r until its end. A line that is too long is passed on cut
// short, with whole false; its rest is thrown away without being kept. The error is that of r, nil
// at its end.
func eachLine(r io.Reader, do func(line string, whole bool)) error {
	in := bufio.NewReaderSize(r, MaxCommandBytes+1)
	for {
		line, more, err := in.ReadLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		text, whole := string(line), !more
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
		do(text, whole)
	}
}
