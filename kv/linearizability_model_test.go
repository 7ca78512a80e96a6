package kv

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// The store that TestLinearizable holds every history against, for
// github.com/anishathalye/porcupine.
//
// An object of the model is a group of keys that share batches: no batch and
// no snapshot goes across groups, so a history is linearizable exactly if that
// of each group is. A batch is one step of its group, and a snapshot one look
// at all of it, so that half a batch is a violation and needs no check of its
// own.
//
// Crashes follow durable linearizability. Take the crashes out of a history,
// and what remains must be linearizable, with these windows for the moment at
// which an operation takes effect:
//
//	ok                 from its call to its return, or to the crash if that came first
//	failed             never
//	unknown, always    at the crash, or never: no reader sees it before. Never, if a
//	                   later write of the same life was ok, or no crash follows
//	unknown, interval  from its call to the crash, or never
//	no return seen     from its call to the crash, or never
//
// Nothing takes effect after the crash that ended its life. Under an interval
// policy a crash also takes back the last acknowledged writes, but none that a
// Sync covered and none without those behind it; so a crash is an operation of
// the model. Under SyncAlways it changes nothing.

const (
	linGroups = 2
	linKeys   = 3 // of one group
)

// linValues is what the keys of a group hold: the number of the write, unique
// in a history; 0 is no value.
type linValues [linKeys]int

type linKind uint8

const (
	linWrite linKind = iota // the keys get a value or lose theirs; several are a batch
	linRead                 // of one key, or of all at one moment
	linSync
	linCrash
)

type linOutcome uint8

const (
	linPending linOutcome = iota // no return was seen
	linOK
	linFailed
	linUnknown
)

func linOutcomeOf(err error) linOutcome {
	switch {
	case err == nil:
		return linOK
	case errors.Is(err, ErrOutcomeUnknown):
		return linUnknown
	}
	return linFailed
}

// linOp is one operation of a history.
type linOp struct {
	kind  linKind
	group int           // of linWrite and linRead; the others concern all
	keys  [linKeys]bool // of the group
	value int           // of a write; 0: the keys are removed

	outcome linOutcome
	got     linValues // what a read saw of its keys
	existed bool      // what a removal of one key said

	client    int
	life      int
	call, ret int64
}

// linStep is the model. A state is what the group held since it was last known
// durable, in order: a crash may go back to any of them. Under SyncAlways
// there is only one.
func linStep(interval bool) func(state, input, output any) []any {
	return func(state, input, _ any) []any {
		held, op := state.([]linValues), input.(*linOp)
		now := held[len(held)-1]
		switch op.kind {
		case linRead:
			if now.of(op.keys) != op.got {
				return nil
			}
			return []any{held}
		case linSync:
			return []any{[]linValues{now}}
		case linCrash:
			var after []any
			for _, v := range held {
				after = append(after, []linValues{v})
			}
			return after
		}
		if op.outcome == linOK && op.saysExisted() && now.of(op.keys) == (linValues{}) == op.existed {
			return nil
		}
		applied := []linValues{now.with(op)}
		if interval {
			applied = append(slices.Clone(held), applied[0])
		}
		if op.outcome == linOK {
			return []any{applied}
		}
		return []any{held, applied}
	}
}

// saysExisted reports whether op is a call of DB.Delete.
func (op *linOp) saysExisted() bool {
	n := 0
	for _, has := range op.keys {
		if has {
			n++
		}
	}
	return n == 1 && op.value == 0
}

func (v linValues) of(keys [linKeys]bool) linValues {
	for k, has := range keys {
		if !has {
			v[k] = 0
		}
	}
	return v
}

func (v linValues) with(op *linOp) linValues {
	for k, has := range op.keys {
		if has {
			v[k] = op.value
		}
	}
	return v
}

// linHistory is what callers did and saw, over several lives of a store. Its
// clock counts calls, returns and crashes.
type linHistory struct {
	interval bool

	mu      sync.Mutex
	clock   int64
	over    bool // the life is, and nothing is called any more
	ops     []*linOp
	crashes []int64 // the end of each life but the last
}

// call notes that op begins now. It reports false once the life is over.
func (h *linHistory) call(op *linOp) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return false
	}
	op.life, op.call = len(h.crashes), h.tick()
	h.ops = append(h.ops, op)
	return true
}

// returned notes that op has returned, with whatever it has learnt.
func (h *linHistory) returned(op *linOp, outcome linOutcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	op.ret, op.outcome = h.tick(), outcome
}

// crash ends the life. What returns later was done before it. The two ticks
// that follow are for what the crash decides, and for the crash itself.
func (h *linHistory) crash() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.over = true
		h.crashes = append(h.crashes, h.tick())
		h.clock += 2
	}
}

func (h *linHistory) isOver() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.over
}

// restart begins the next life.
func (h *linHistory) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = false
}

// tick returns the time. The caller holds mu.
func (h *linHistory) tick() int64 {
	h.clock++
	return h.clock
}

// window returns from when to when op may take effect; never if it cannot.
func (h *linHistory) window(op *linOp) (from, to int64, never bool) {
	end := int64(math.MaxInt64 - 2) // no crash follows
	if op.life < len(h.crashes) {
		end = h.crashes[op.life]
	}
	switch {
	case op.outcome == linFailed, op.outcome != linOK && op.kind != linWrite:
		return 0, 0, true
	case op.outcome == linUnknown && !h.interval:
		return end + 1, end + 1, h.ruledOut(op)
	case op.outcome == linOK && op.ret < end:
		return op.call, op.ret, false
	}
	return op.call, end, false
}

// ruledOut reports whether the store took a write after op was unknown.
func (h *linHistory) ruledOut(op *linOp) bool {
	return slices.ContainsFunc(h.ops, func(later *linOp) bool {
		return later.kind == linWrite && later.outcome == linOK && later.life == op.life && later.call > op.ret
	})
}

// operations is the history of one group, with the crashes in it.
func (h *linHistory) operations(group int) []porcupine.Operation {
	var ops []porcupine.Operation
	for _, op := range h.ops {
		from, to, never := h.window(op)
		if !never && (op.group == group || op.kind == linSync) {
			ops = append(ops, porcupine.Operation{ClientId: op.client, Input: op, Call: from, Return: to})
		}
	}
	for _, at := range h.crashes {
		ops = append(ops, porcupine.Operation{Input: &linOp{kind: linCrash}, Call: at + 2, Return: at + 2})
	}
	return ops
}

// linCheckLimit is far more than any history here takes.
const linCheckLimit = 30 * time.Second

// check returns an error if no order of the operations explains what the
// callers of some group saw. save, if set, gets the picture of it.
func (h *linHistory) check(save func(porcupine.Model, porcupine.LinearizationInfo)) error {
	nondeterministic := porcupine.NondeterministicModel{
		Init:              func() []any { return []any{[]linValues{{}}} },
		Step:              linStep(h.interval),
		Equal:             func(a, b any) bool { return slices.Equal(a.([]linValues), b.([]linValues)) },
		DescribeOperation: func(input, _ any) string { return input.(*linOp).String() },
		DescribeState:     func(state any) string { return fmt.Sprint(state) },
	}
	model := nondeterministic.ToModel()
	for group := range linGroups {
		result, info := porcupine.CheckOperationsVerbose(model, h.operations(group), linCheckLimit)
		if result == porcupine.Ok {
			continue
		}
		if save != nil {
			save(model, info)
		}
		return fmt.Errorf("group %d is not durably linearizable (%s):\n%s", group, result, h.text(group))
	}
	return nil
}

func (op *linOp) String() string {
	var names strings.Builder
	for k, has := range op.keys {
		if has {
			names.WriteByte("xyz"[k])
		}
	}
	outcome := [...]string{"...", "ok", "failed", "unknown"}[op.outcome]
	switch op.kind {
	case linSync:
		return "sync " + outcome
	case linCrash:
		return "crash"
	case linRead:
		return fmt.Sprintf("%s? %v %s", &names, op.got, outcome)
	}
	if op.saysExisted() {
		outcome += fmt.Sprintf(", existed %v", op.existed)
	}
	return fmt.Sprintf("%s=%d %s", &names, op.value, outcome)
}

// text is the history of one group, by the time of the calls.
func (h *linHistory) text(group int) string {
	var b strings.Builder
	life := 0
	for _, op := range h.ops {
		for ; life < op.life; life++ {
			fmt.Fprintf(&b, "%5d        crash\n", h.crashes[life])
		}
		if op.group == group || op.kind == linSync {
			fmt.Fprintf(&b, "%5d-%-5d  %c  %v\n", op.call, op.ret, 'A'+rune(op.client), op)
		}
	}
	return b.String()
}
