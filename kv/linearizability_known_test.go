package kv

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The checker of TestLinearizable must tell right from wrong on histories that
// are known to be the one or the other. An event is a client and what it does:
// "A x=1" calls a Set, "A xy=2" a batch, "A x=0" a Delete, "B x?" a Get,
// "B xyz?" a snapshot, "A sync" a Sync; then the return of it: "A ok",
// "A failed", "A unknown", "A deleted" or "A absent" of a Delete, "B 1" or
// "B 120" the values that a reader saw, 0 for none.
func TestLinearizabilityCheckerKnowsRightFromWrong(t *testing.T) {
	const right, wrong = true, false
	for _, c := range []struct {
		name     string
		want     bool
		interval bool
		events   string
	}{
		{"written, then read", right, false, "A x=1; A ok; B x?; B 1"},
		{"overlapping writes, either order", right, false, "A x=1; B x=2; A ok; B ok; C x?; C 1"},
		{"a read of what is not written yet", wrong, false, "B x?; B 1; A x=1; A ok"},
		{"a stale read after a newer one", wrong, false, "A x=1; A ok; B x=2; C x?; C 2; C x?; C 1; B ok"},
		{"a read that misses an acknowledged write", wrong, false, "A x=1; A ok; B x?; B 0"},
		{"a deletion that found nothing", wrong, false, "A x=1; A ok; B x=0; B absent"},
		{"a deletion that found something", right, false, "A x=1; A ok; B x=0; B deleted; C x=0; C absent"},

		{"survives the crash", right, false, "A x=1; A ok; crash; B x?; B 1"},
		{"an acknowledged write is lost", wrong, false, "A x=1; A ok; crash; B x?; B 0"},
		{"an acknowledged write is rolled back", wrong, false, "A x=1; A ok; A x=2; A ok; crash; B x?; B 1"},
		{"a deleted key comes back", wrong, false, "A x=1; A ok; A x=0; A deleted; crash; B x?; B 1"},
		{"a value that was read vanishes", wrong, false, "A x=1; B x?; B 1; crash; B x?; B 0"},
		{"a value that was read before an unknown end", wrong, false, "A x=1; B x?; B 1; A unknown; crash; B x?; B 1"},
		{"an absence that was read, then a write in flight", right, false, "A x=1; B x?; B 0; crash; B x?; B 1"},

		{"in flight and there", right, false, "A x=1; crash; B x?; B 1"},
		{"in flight and lost", right, false, "A x=1; crash; B x?; B 0"},
		{"in flight and there, then gone", wrong, false, "A x=1; crash; B x?; B 1; crash; B x?; B 0"},
		{"in flight and lost, then there", wrong, false, "A x=1; crash; B x?; B 0; crash; B x?; B 1"},
		{"in flight, over an older value, and undone later", wrong, false, "A x=1; A ok; A x=2; crash; B x?; B 2; B x?; B 1"},

		{"a failed write appears", wrong, false, "A x=1; A failed; B x?; B 1"},
		{"a failed write appears after the crash", wrong, false, "A x=1; A failed; crash; B x?; B 1"},
		{"a failed deletion takes effect", wrong, false, "A x=1; A ok; A x=0; A failed; crash; B x?; B 0"},

		{"unknown, and there after the crash", right, false, "A x=1; A unknown; crash; B x?; B 1"},
		{"unknown, and not there", right, false, "A x=1; A unknown; crash; B x?; B 0"},
		{"unknown, and seen before the crash", wrong, false, "A x=1; A unknown; B x?; B 1; crash; B x?; B 1"},
		{"unknown, and appears late after a crash", wrong, false, "A x=1; A unknown; crash; B x?; B 0; B x?; B 1"},
		{"unknown, and undoes a write after the crash", wrong, false, "A x=1; A unknown; crash; B x=2; B ok; B x?; B 1"},
		{"unknown, and undoes a write one crash later", wrong, false, "A x=1; A unknown; crash; B x=2; B ok; crash; B x?; B 1"},
		{"unknown, and then the store took a write", wrong, false, "A x=1; A unknown; A y=2; A ok; crash; B x?; B 1"},
		{"unknown, and ruled out as it should be", right, false, "A x=1; A unknown; A y=2; A ok; crash; B x?; B 0"},

		{"a whole batch", right, false, "A xy=1; A ok; crash; B xyz?; B 110"},
		{"half a batch after the crash", wrong, false, "A xy=1; crash; B xyz?; B 100"},
		{"half a batch, key by key", wrong, false, "A xy=1; crash; B x?; B 1; B y?; B 0"},
		{"half a batch, seen by a snapshot", wrong, false, "A xy=1; B xyz?; B 010; A ok"},
		{"half of an unknown batch", wrong, false, "A z=1; A ok; A xyz=0; A unknown; crash; B z?; B 0; B z=2; B ok; B xyz?; B 102"},

		{"an interval may lose the last writes", right, true, "A x=1; A ok; A x=2; A ok; crash; B x?; B 1"},
		{"an interval may lose all", right, true, "A x=1; A ok; A x=2; A ok; crash; B x?; B 0"},
		{"but not what a Sync covered", wrong, true, "A x=1; A ok; A sync; A ok; crash; B x?; B 0"},
		{"a failed Sync covers nothing", right, true, "A x=1; A ok; A sync; A failed; crash; B x?; B 0"},
		{"nor a write without those behind it", wrong, true, "A x=1; A ok; A y=2; A ok; crash; B xyz?; B 020"},
		{"nor what was there after a crash", wrong, true, "A x=1; A ok; crash; B x?; B 1; crash; B x?; B 0"},
		{"an interval shows writes at once", wrong, true, "A x=1; A ok; B x?; B 0"},
		{"half a batch of an interval", wrong, true, "A xy=1; A ok; crash; B xyz?; B 010"},
	} {
		h := &linHistory{interval: c.interval}
		require.NoError(t, h.parse(c.events), c.name)
		if err := h.check(nil); c.want {
			require.NoError(t, err, c.name)
		} else {
			require.Error(t, err, c.name)
		}
	}
}

// parse plays events, in the notation above.
func (h *linHistory) parse(events string) error {
	under := map[int]*linOp{} // way, by client
	for event := range strings.SplitSeq(events, "; ") {
		if event == "crash" {
			h.crash()
			h.restart()
			clear(under)
			continue
		}
		name, what, _ := strings.Cut(event, " ")
		client := int(name[0] - 'A')
		if op := under[client]; op != nil {
			delete(under, client)
			h.returned(op, op.parseReturn(what))
			continue
		}
		op := &linOp{client: client}
		if err := op.parseCall(what); err != nil {
			return fmt.Errorf("event %q: %w", event, err)
		}
		under[client] = op
		h.call(op)
	}
	return nil
}

func (op *linOp) parseCall(what string) error {
	keys, read := strings.CutSuffix(what, "?")
	value := ""
	switch {
	case what == "sync":
		op.kind = linSync
		return nil
	case read:
		op.kind = linRead
	default:
		keys, value, _ = strings.Cut(what, "=")
		if _, err := fmt.Sscan(value, &op.value); err != nil {
			return err
		}
	}
	for k, name := range "xyz" {
		op.keys[k] = strings.ContainsRune(keys, name)
	}
	return nil
}

func (op *linOp) parseReturn(what string) linOutcome {
	switch what {
	case "failed":
		return linFailed
	case "unknown":
		return linUnknown
	case "ok", "absent":
		return linOK
	case "deleted":
		op.existed = true
		return linOK
	}
	for k := range op.got {
		if op.keys[k] {
			op.got[k] = int(what[0] - '0')
			what = what[1:]
		}
	}
	return linOK
}
