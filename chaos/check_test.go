package chaos

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Histories are written as text, one step a line. Keys are a, b, c, d; write numbers count from 1 on
// each key.
//
//	set a ok            a Set of a that ended ok (or failed, or unknown)
//	delete a ok         likewise; "delete a ok missing" was told that there was nothing
//	batch a,b unknown   a BulkSet
//	begin set a         a write that is in flight until …
//	finish failed       … it ends
//	open a              a reader begins to read a; the promise of this moment is what it may see
//	read a=2 -> stable  it saw write 2 (or absent, damaged, foreign); without open it begins here
//	back a=2 -> a:stable      a read-back; keys not named are absent; only the keys named are compared
//	counts checked=1 stable=1 what the read-backs added up to; what is not named is 0
//	online lost=1             what was found under load
type history struct {
	t      *testing.T
	ledger *ledger
	tally  tally
	flight *request
	open   map[int]readMark
}

func replay(t *testing.T, text string) {
	h := &history{t: t, ledger: newLedger(1, 4, 1), open: map[int]readMark{}}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		step, want, _ := strings.Cut(line, "->")
		h.step(line, strings.Fields(step), strings.TrimSpace(want))
	}
}

func (h *history) step(line string, f []string, want string) {
	switch f[0] {
	case "set", "delete", "batch":
		h.finish(h.begin(f[0], f[1]), f[2], len(f) < 4)
	case "begin":
		h.flight = h.begin(f[1], f[2])
	case "finish":
		h.finish(h.flight, f[1], true)
	case "open":
		h.open[keyIndex(f[1])] = h.ledger.beginRead(keyIndex(f[1]))
	case "read":
		require.Equal(h.t, want, h.read(f[1]), line)
	case "back":
		require.Equal(h.t, want, h.readBack(f[1:]), line)
	case "counts":
		require.Equal(h.t, wantCounts(f[1:]), countsText(&h.tally.readBack), line)
	case "online":
		require.Equal(h.t, wantCounts(f[1:]), countsText(&h.tally.online), line)
	default:
		require.Fail(h.t, "no such step", line)
	}
}

func (h *history) begin(what, keys string) *request {
	kind := opSet
	if what == "delete" {
		kind = opDelete
	}
	var at []int
	for _, k := range strings.Split(keys, ",") {
		require.True(h.t, h.ledger.writable(keyIndex(k)), "the history writes to %s, which waits for a read-back", k)
		at = append(at, keyIndex(k))
	}
	return h.ledger.begin(kind, at...)
}

func (h *history) finish(r *request, how string, existed bool) {
	end := map[string]ending{"ok": ok, "failed": failed, "unknown": unknown}[how]
	require.NotEqual(h.t, pending, end, "ending %q", how)
	for _, f := range h.ledger.finish(r, end, existed) {
		h.tally.addOnline(1, f)
	}
}

func (h *history) read(what string) string {
	key, saw := parseSighting(h.t, what)
	mark, found := h.open[key]
	if !found {
		mark = h.ledger.beginRead(key)
	}
	delete(h.open, key)
	f := h.ledger.endRead(key, mark, saw)
	h.tally.addOnline(1, f)
	return f.class.String()
}

func (h *history) readBack(whats []string) string {
	saw := make([]sighting, h.ledger.keys)
	named := map[int]bool{}
	for _, what := range whats {
		key, s := parseSighting(h.t, what)
		saw[key], named[key] = s, true
	}
	var got []string
	h.ledger.settle(saw, func(f finding) {
		h.tally.add(1, f)
		if named[f.key] {
			got = append(got, fmt.Sprintf("%c:%s", 'a'+f.key, f.class))
		}
	})
	return strings.Join(got, " ")
}

func keyIndex(name string) int { return int(name[0] - 'a') }

func parseSighting(t *testing.T, what string) (int, sighting) {
	key, saw, _ := strings.Cut(what, "=")
	switch saw {
	case "absent":
		return keyIndex(key), sighting{kind: sawAbsent}
	case "damaged":
		return keyIndex(key), sighting{kind: sawDamaged, detail: "damaged value"}
	case "foreign":
		return keyIndex(key), sighting{kind: sawForeign, detail: "foreign value"}
	}
	version, err := strconv.ParseUint(saw, 10, 64)
	require.NoError(t, err)
	return keyIndex(key), sighting{kind: sawValue, version: version}
}

// countsText spells the counts that are not zero, in the order of the classes.
func countsText(counts interface{ count(Class) *int64 }) string {
	var s []string
	if d, is := counts.(*Durability); is && d.Checked != 0 {
		s = append(s, fmt.Sprintf("checked=%d", d.Checked))
	}
	for c := Stable; c <= Phantom; c++ {
		if n := counts.count(c); n != nil && *n != 0 {
			s = append(s, fmt.Sprintf("%s=%d", c, *n))
		}
	}
	return strings.Join(s, " ")
}

func wantCounts(f []string) string { return strings.Join(f, " ") }

func TestGoodHistoriesAreClean(t *testing.T) {
	for name, text := range goodHistories {
		t.Run(name, func(t *testing.T) { replay(t, text) })
	}
}

func TestEveryBreachIsNamed(t *testing.T) {
	for name, text := range badHistories {
		t.Run(name, func(t *testing.T) { replay(t, text) })
	}
}

func TestEveryClassHasABadHistory(t *testing.T) {
	all := fmt.Sprint(badHistories)
	for c := Lost; c <= Phantom; c++ {
		require.True(t, c.Violation())
		require.Contains(t, all, ":"+c.String(), "no read-back finds %s", c)
		require.Contains(t, all, "-> "+c.String(), "no reader finds %s", c)
	}
	require.False(t, Stable.Violation())
	require.False(t, Recovered.Violation())
}

func TestClassNamesRoundTrip(t *testing.T) {
	for c := Stable; c <= Phantom; c++ {
		text, err := c.MarshalText()
		require.NoError(t, err)
		var back Class
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, c, back)
	}
	var c Class
	require.EqualError(t, c.UnmarshalText([]byte("gone")), `no such class: "gone"`)
	require.Equal(t, "Class(99)", Class(99).String())
}

func TestInspectTellsWhoseValueItIs(t *testing.T) {
	want := valueID{seed: 7, key: 3, writer: 1}
	id := want
	id.version = 12
	require.Equal(t, sighting{kind: sawValue, version: 12}, inspect(encodeValue(id, 64), want))

	for name, spoil := range map[string]func(*valueID){
		"seed":   func(v *valueID) { v.seed++ },
		"key":    func(v *valueID) { v.key++ },
		"writer": func(v *valueID) { v.writer++ },
	} {
		other := id
		spoil(&other)
		require.Equal(t, sawForeign, inspect(encodeValue(other, 64), want).kind, name)
	}
	damaged := encodeValue(id, 64)
	damaged[40] ^= 1
	require.Equal(t, sawDamaged, inspect(damaged, want).kind)
	require.Equal(t, sawDamaged, inspect(nil, want).kind)
}
