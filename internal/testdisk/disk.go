package testdisk

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spf13/afero"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// ErrOptions is returned by Open when the disk cannot be as the options want it.
var ErrOptions = errors.New("no such disk")

// Options says what is wrong with a disk. The zero value is a disk that works.
type Options struct {
	// Volatile holds what is not synced in this process alone, so that its end is a power cut.
	Volatile bool
	// Rules are at work from the start.
	Rules []faultfs.Rule
	// PendingFile names the file that always says what a power cut would cost. Empty: there is none.
	// It needs Volatile.
	PendingFile string
	// Log receives the answers, one line of JSON in each call of Write. It must be safe for
	// concurrent use.
	Log io.Writer

	// end ends the process; nil for the real thing. It need not return.
	end func()
}

// Disk is a file system that fails as it was told to. Its methods are safe for concurrent use.
type Disk struct {
	fs       *faultfs.FS
	volatile *faultfs.Volatile // nil: there is no such layer
	pending  *PendingFile      // nil: there is none
	log      *slog.Logger
	end      func()
	cutting  sync.Once
	ended    chan struct{} // closed when end has returned, which only that of a test does

	mu       sync.Mutex // guards what follows
	injected []*faultfs.Injection
}

// Open puts the faults over base. The error is ErrOptions for a rule that this disk cannot follow;
// otherwise it is about the pending file, which could not be made.
func Open(base afero.Fs, o Options) (*Disk, error) {
	if o.PendingFile != "" && !o.Volatile {
		return nil, fmt.Errorf("%w: a pending file needs the volatile layer, without it nothing is pending", ErrOptions)
	}
	d := &Disk{log: slog.New(slog.NewJSONHandler(o.Log, nil)), end: o.end, ended: make(chan struct{})}
	if d.end == nil {
		d.end = endProcess
	}
	if o.PendingFile != "" {
		var err error
		if d.pending, err = CreatePending(base, o.PendingFile); err != nil {
			return nil, err
		}
	}
	below := base
	if o.Volatile {
		d.volatile = faultfs.NewVolatile(base, faultfs.VolatileOptions{OnPending: d.onPending()})
		below = d.volatile
	}
	d.fs = faultfs.New(below)
	d.fs.OnCrash(func(lost vfs.Lost) { d.powerCut(ByRule, lost) })
	if err := d.inject(o.Rules); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrOptions, err), d.Close(nil))
	}
	return d, nil
}

// FS is the disk as the server sees it.
func (d *Disk) FS() afero.Fs { return d.fs }

// endGrace is how long a power cut may take from the first call that notices it to the end of the
// process.
const endGrace = 10 * time.Second

// Close closes the pending file. Files that are open on the disk stay open. why is what the server
// ended with, nil for a good end. If that is the loss of power, Close waits for the end of the process:
// a server that hurries out with an error must not be quicker than the cut.
func (d *Disk) Close(why error) error {
	if errors.Is(why, vfs.ErrCrashed) {
		select {
		case <-d.ended:
		case <-time.After(endGrace):
		}
	}
	if d.pending == nil {
		return nil
	}
	return d.pending.Close()
}

// onPending is what the layer calls, once at a time, when it changes what is pending; nil when nobody
// asks. The first failure to write it down is logged.
func (d *Disk) onPending() func(faultfs.Pending) {
	if d.pending == nil {
		return nil
	}
	failed := false
	return func(now faultfs.Pending) {
		if err := d.pending.Update(now); err != nil && !failed {
			failed = true
			d.log.Error("what a power cut costs cannot be told", "err", err)
		}
	}
}

// inject adds all the rules, or none of them if one cannot be followed here.
func (d *Disk) inject(rules []faultfs.Rule) error {
	for _, r := range rules {
		if err := d.fs.Check(r); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rules {
		d.injected = append(d.injected, d.fs.Inject(r))
	}
	return nil
}

// heal ends all faults and returns what they did.
func (d *Disk) heal() []RuleCounts {
	d.fs.Heal()
	counts := d.counts()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.injected = nil
	return counts
}

// counts lists the rules at work, in the order of their injection.
func (d *Disk) counts() []RuleCounts {
	d.mu.Lock()
	defer d.mu.Unlock()
	counts := make([]RuleCounts, 0, len(d.injected))
	for _, i := range d.injected {
		counts = append(counts, RuleCounts{Rule: i.Rule().String(), Calls: i.Calls(), Fired: i.Fired()})
	}
	return counts
}

// Control carries out the commands that it reads from r and returns at the end of r.
func (d *Disk) Control(r io.Reader) {
	err := eachLine(r, func(line string, whole bool) {
		if line = strings.TrimSpace(line); line == "" {
			return
		}
		if !whole {
			d.answer(line, nil, fmt.Errorf("longer than %d bytes", MaxCommandBytes))
			return
		}
		counts, err := d.carryOut(line)
		d.answer(line, counts, err)
	})
	if err != nil {
		d.log.Error("no more commands can be read", "err", err)
	}
}

// carryOut obeys one command. A cut does not return.
func (d *Disk) carryOut(line string) ([]RuleCounts, error) {
	name, args, _ := strings.Cut(line, " ")
	switch {
	case name == inject && args != "":
		rules, err := faultfs.ParseRules(args)
		if err != nil {
			return nil, err
		}
		return nil, d.inject(rules)
	case line == heal:
		return d.heal(), nil
	case name == cut:
		return nil, d.cut(args)
	default:
		return nil, fmt.Errorf("no command; there are %q, %q and %q", inject+" RULES", heal, cut+" SEED KEEP")
	}
}

func (d *Disk) cut(args string) error {
	seed, keep, err := parseCut(args)
	if err != nil {
		return err
	}
	if d.volatile == nil {
		return errors.New("this disk has no volatile layer, and so no power to cut")
	}
	if err := faultfs.CheckKeep(keep); err != nil {
		return err
	}
	// A process without power learns nothing more from its disk.
	hold := d.fs.Inject(faultfs.Rule{Op: faultfs.OpAny, Stall: true})
	lost, err := d.volatile.Crash(seed, keep)
	if err != nil {
		hold.Remove()
		return fmt.Errorf("cut the power: %w", err)
	}
	d.powerCut(cut+" "+args, lost)
	return nil
}

// powerCut says what did not survive and ends the process, once.
func (d *Disk) powerCut(why string, lost vfs.Lost) {
	d.cutting.Do(func() {
		d.log.Warn(MsgPowerCut, "command", why, "bytes", lost.Bytes, "entries", lost.Entries, "rules", d.counts())
		d.end()
		close(d.ended)
	})
}

// answer logs how a command ended.
func (d *Disk) answer(command string, counts []RuleCounts, err error) {
	const enough = 200 // to recognise a command by
	if len(command) > enough {
		command = strings.ToValidUTF8(command[:enough], "")
	}
	if err != nil {
		d.log.Error(MsgControl, "command", command, "error", err.Error())
		return
	}
	d.log.Info(MsgControl, "command", command, "rules", counts)
}
