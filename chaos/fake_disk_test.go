package chaos

import (
	"bufio"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/afero"

	"holdfast/internal/testdisk"
	"holdfast/internal/vfs"
	"holdfast/internal/wire"
)

// fakeDisk is what the fake server makes of the flags for tests: its un-synced requests are in memory,
// and injected rules make it refuse writes, whatever they say.
type fakeDisk struct {
	volatile bool
	control  bool
	record   string // name of the pending file
	rules    string

	pending  *testdisk.PendingFile
	unsynced []byte
	faulty   bool
	injected string
	wasOn    bool // a rule has been injected before
	struck   int
}

func (d *fakeDisk) flags(flags *flag.FlagSet) {
	flags.Bool("testing", false, "")
	flags.BoolVar(&d.volatile, "testing-volatile", false, "")
	flags.BoolVar(&d.control, "testing-control", false, "")
	flags.StringVar(&d.record, "testing-pending", "", "")
	flags.StringVar(&d.rules, "testing-rules", "", "")
}

func (s *fakeServer) openDisk() (err error) {
	if s.disk.record != "" && s.lie != "no-record" {
		if s.disk.pending, err = testdisk.CreatePending(afero.NewOsFs(), s.disk.record); err != nil {
			return err
		}
	}
	if s.disk.control {
		go s.obey()
	}
	return err
}

// notePending keeps the pending file up to date. The caller holds mu.
func (s *fakeServer) notePending() {
	if s.disk.pending == nil {
		return
	}
	err := s.disk.pending.Update(vfs.Lost{Bytes: int64(len(s.disk.unsynced))})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// sync makes the requests durable, unless the disk ignores it, and then shows what req has written.
func (s *fakeServer) sync(req *wire.Request, reply *wire.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk.volatile && reply.Status == wire.StatusOK {
		defer s.apply(req)
	}
	if s.lie == "no-sync" || strings.Contains(s.disk.rules, "lost") && s.lie != "ignore-rules" {
		return
	}
	s.syncLocked()
}

func (s *fakeServer) syncLocked() {
	if len(s.disk.unsynced) == 0 {
		return
	}
	if _, err := s.file.Write(s.disk.unsynced); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.disk.unsynced = nil
	s.notePending()
}

// obey carries out the commands on the standard input.
func (s *fakeServer) obey() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		name, args, _ := strings.Cut(lines.Text(), " ")
		s.mu.Lock()
		switch {
		case s.lie == "stubborn":
			s.say(testdisk.MsgControl, "error", "I would rather not")
		case name == "cut":
			s.cut("cut " + args)
		case name == "inject" && s.lie == "cut-by-rule":
			s.disk.injected, s.disk.struck = args, 1
			s.cut(testdisk.ByRule)
		case name == "inject":
			s.disk.faulty, s.disk.wasOn, s.disk.injected, s.disk.struck = true, true, args, 0
			s.say(testdisk.MsgControl)
		case name == "heal":
			s.disk.faulty = false
			s.say(testdisk.MsgControl, "rules", s.counts())
		}
		s.mu.Unlock()
	}
}

func (s *fakeServer) counts() []testdisk.RuleCounts {
	fired := s.disk.struck
	if s.lie == "unfired" {
		fired = 0
	}
	return []testdisk.RuleCounts{{Rule: s.disk.injected, Calls: s.disk.struck, Fired: fired}}
}

func (s *fakeServer) cut(why string) {
	lost := len(s.disk.unsynced)
	switch s.lie {
	case "exit-quietly":
		killSelf()
	case "keep-all":
		s.syncLocked()
		lost = 0
	}
	s.say(testdisk.MsgPowerCut, "command", why, "bytes", lost, "entries", 0, "rules", s.counts())
	killSelf()
}

// killSelf does not return.
func killSelf() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	fmt.Fprintln(os.Stderr, "killed, or not:", err)
	select {}
}

func (s *fakeServer) say(msg string, args ...any) {
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info(msg, args...)
}

// failByRule refuses a write as an honest server does on a full disk, or as a lie wants it. The
// caller holds mu.
func (s *fakeServer) failByRule(reply *wire.Reply) bool {
	d := &s.disk
	switch {
	case d.faulty:
		d.struck++
		reply.Status = wire.StatusDiskFull
		switch s.lie {
		case "untyped":
			reply.Status = wire.StatusInternal
		case "fence", "fence-for-good":
			reply.Status = wire.StatusFenced
		}
		return true
	case s.lie == "never-resume" && d.wasOn:
		reply.Status = wire.StatusDiskFull
		return true
	case s.lie == "fence" && d.wasOn, s.lie == "fence-for-good" && (d.wasOn || s.again):
		reply.Status = wire.StatusFenced
		return true
	}
	return false
}
