package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/client"
	"holdfast/faultfs"
	"holdfast/internal/testdisk"
	"holdfast/internal/wire"
)

// maxRuleBreaches is how many breaches under injected rules a report describes one by one.
const maxRuleBreaches = 10

// trouble watches one phase in which rules are injected, and healed again. The writers and readers
// tell it how their calls ended; it is safe for concurrent use.
type trouble struct {
	into         *ruleTally
	readsMayFail bool // the rules are about reads too

	from atomic.Pointer[time.Time] // right before the injection; nil until then
	sure atomic.Pointer[time.Time] // right after it; nil until then
	to   atomic.Pointer[time.Time] // right after the healing; nil until then

	resumed  signal       // a write that began after the healing was acknowledged
	fenced   signal       // one was refused because the store is fenced
	readsOK  atomic.Int64 // of those that began when the rules were at work for sure
	readsAll atomic.Int64
	unknown  atomic.Int64 // writes that ended so while the rules were at work
}

// signal is a channel that is closed once.
type signal struct {
	once sync.Once
	c    chan struct{}
}

func newSignal() signal { return signal{c: make(chan struct{})} }

func (s *signal) raise() { s.once.Do(func() { close(s.c) }) }

func newTrouble(into *ruleTally, rules []faultfs.Rule) *trouble {
	return &trouble{
		into: into, readsMayFail: touchReads(rules), resumed: newSignal(), fenced: newSignal(),
	}
}

// touchReads reports whether rules can make a read fail: they are about reads, or cut the power.
func touchReads(rules []faultfs.Rule) bool {
	return slices.ContainsFunc(rules, func(r faultfs.Rule) bool {
		kinds := strings.Split(string(r.Op), "|")
		return r.Crash || slices.Contains(kinds, string(faultfs.OpRead)) || slices.Contains(kinds, string(faultfs.OpAny))
	})
}

// on reports whether the rules were at work at any time from begun until now.
func (t *trouble) on(begun time.Time) bool {
	if t == nil || t.from.Load() == nil {
		return false
	}
	to := t.to.Load()
	return to == nil || begun.Before(*to)
}

// over reports whether the rules had been healed when a call began.
func (t *trouble) over(begun time.Time) bool {
	to := t.to.Load()
	return to != nil && !begun.Before(*to)
}

// noteWrite counts how a request for n writes ended.
func (t *trouble) noteWrite(begun time.Time, n int, err error) {
	if t == nil {
		return
	}
	if t.over(begun) {
		switch {
		case err == nil:
			t.resumed.raise()
		case errors.Is(err, client.ErrFenced):
			t.fenced.raise()
		}
	}
	if t.on(begun) {
		t.into.countWrite(err, n)
		if endingOf(err) == unknown {
			t.unknown.Add(int64(n))
		}
	}
	if !typed(err) {
		t.into.breach("a write failed without saying how: %v", err)
	}
}

// noteRead counts how a read ended: with an answer, or with a refusal.
func (t *trouble) noteRead(begun time.Time, err error) {
	if t == nil {
		return
	}
	if t.on(begun) {
		t.into.countRead(err)
		t.countAlive(begun, err)
	}
	if !typed(err) {
		t.into.breach("a read failed without saying how: %v", err)
	}
}

// caught returns the number of writes that a power cut by the rules themselves left unknown. When it
// came is known to nobody but server, whose end it was: what was unknown before counts too.
func (t *trouble) caught(server *process) int64 {
	if line, cut := server.log.powerCut(); t == nil || !cut || line.Command != testdisk.ByRule {
		return 0
	}
	return t.unknown.Load()
}

// countAlive counts a read that met the fault from its beginning.
func (t *trouble) countAlive(begun time.Time, err error) {
	if sure := t.sure.Load(); sure == nil || begun.Before(*sure) {
		return
	}
	t.readsAll.Add(1)
	if err == nil {
		t.readsOK.Add(1)
	}
}

// hangAfter is how long readers may go without an end to any of their reads: far more than a pause of
// a busy machine, and less than most windows in which rules are at work.
const hangAfter = 300 * time.Millisecond

// checkReads records a breach if most reads were not answered, or none ended in a while, though the
// rules were not about reads. A read that hangs has not failed, so it is not among those that ended.
func (t *trouble) checkReads(readers int, healed time.Time) {
	tried, answered := t.readsAll.Load(), t.readsOK.Load()
	sure := t.sure.Load()
	switch {
	case t.readsMayFail || readers == 0 || sure == nil:
	case answered < tried-answered:
		t.into.breach("only %d of %d reads were answered while the fault was on", answered, tried)
	case tried == 0 && healed.Sub(*sure) >= hangAfter:
		t.into.breach("no read was answered while the fault was on, for %v", healed.Sub(*sure).Round(time.Millisecond))
	}
}

// typed reports whether err, which a call ended with, says enough for the caller to go on by: nil is
// fine, and so is every failure that the client knows, except a defect of the server.
func typed(err error) bool {
	var e *client.Error
	switch {
	case err == nil:
		return true
	case !errors.As(err, &e) || errors.Is(err, client.ErrProtocol):
		return false
	}
	switch e.Status {
	case 0, // the connection, or the deadline
		wire.StatusNotFound, wire.StatusDiskFull, wire.StatusFenced, wire.StatusDamaged,
		wire.StatusReadFailed, wire.StatusOutcomeUnknown, wire.StatusBusy, wire.StatusShuttingDown,
		wire.StatusTooManyConnections:
		return true
	default:
		return false
	}
}

// ruleTally adds up what happened under one fault of the kind rules. It is safe for concurrent use.
type ruleTally struct {
	mu sync.Mutex
	r  RulesReport
}

func (t *ruleTally) countWrite(err error, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &t.r.Writes
	switch {
	case err == nil:
		w.OK += int64(n)
	case errors.Is(err, client.ErrFenced):
		w.Fenced += int64(n)
	case errors.Is(err, client.ErrDiskFull):
		w.DiskFull += int64(n)
	case client.OutcomeOf(err) == client.Failed:
		w.Failed += int64(n)
	default:
		w.Unknown += int64(n)
	}
}

func (t *ruleTally) countRead(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.r.Reads.OK++
	} else {
		t.r.Reads.Failed++
	}
}

func (t *ruleTally) breach(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.r.Broken++; len(t.r.Breaches) < maxRuleBreaches {
		t.r.Breaches = append(t.r.Breaches, fmt.Sprintf(format, args...))
	}
}

// addFirings adds what the rules of one cycle did. The rules are those that were injected, in order.
func (t *ruleTally) addFirings(cycle []testdisk.RuleCounts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range cycle {
		for i := range t.r.Rules {
			if rule := &t.r.Rules[i]; rule.Rule == c.Rule {
				rule.Calls += c.Calls
				rule.Fired += c.Fired
				break
			}
		}
	}
}

// resume records that service was back, and how.
func (t *ruleTally) resume(after time.Duration, restarted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if restarted {
		t.r.ResumedAfterRestart++
		return
	}
	t.r.ResumedByItself++
	t.r.ResumeMillisMax = max(t.r.ResumeMillisMax, after.Milliseconds())
}

// report is a copy of what was added up.
func (t *ruleTally) report() RulesReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.r
	r.Rules = slices.Clone(r.Rules)
	r.Breaches = append([]string{}, r.Breaches...)
	return r
}
