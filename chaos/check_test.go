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

// Histories that break no promise.
var goodHistories = map[string]string{
	"a key never written is absent": `
		back a=absent -> a:stable
		counts`,
	"acknowledged and there": `
		set a ok
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"acknowledged delete": `
		set a ok
		delete a ok
		back a=absent -> a:stable
		counts checked=1 stable=1`,
	"a write is checked once, however often it is read back": `
		set a ok
		back a=1 -> a:stable
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"a write that was overwritten before the read-back is not checked": `
		set a ok
		set a ok
		back a=2 -> a:stable
		counts checked=1 stable=1`,
	"the next write is checked anew": `
		set a ok
		back a=1 -> a:stable
		set a ok
		back a=2 -> a:stable
		counts checked=2 stable=2`,
	"unknown and there": `
		set a unknown
		back a=1 -> a:recovered
		counts recovered=1`,
	"unknown and not there": `
		set a unknown
		back a=absent -> a:stable
		counts`,
	"unknown over acknowledged, there: what it replaced was not checked": `
		set a ok
		set a unknown
		back a=2 -> a:recovered
		counts recovered=1`,
	"unknown over acknowledged, not there": `
		set a ok
		set a unknown
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"unknown delete that happened": `
		set a ok
		delete a unknown
		back a=absent -> a:recovered
		counts recovered=1`,
	"unknown delete that did not happen": `
		set a ok
		delete a unknown
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"a recovered write stays, and is not counted again": `
		set a unknown
		back a=1 -> a:recovered
		back a=1 -> a:stable
		counts recovered=1`,
	"failed and not there": `
		set a ok
		set a failed
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"a batch of unknown outcome that is whole": `
		batch a,b,c unknown
		back a=1 b=1 c=1 -> a:recovered b:recovered c:recovered
		counts recovered=3`,
	"a batch of unknown outcome that is not there": `
		set b ok
		batch a,b,c unknown
		back a=absent b=1 c=absent -> a:stable b:stable c:stable
		counts checked=1 stable=1`,
	"an acknowledged batch": `
		batch a,b ok
		back a=1 b=1 -> a:stable b:stable
		counts checked=2 stable=2`,
	"a reader sees the promise, or what was issued after it": `
		set a ok
		read a=1 -> stable
		begin set a
		open a
		read a=2 -> recovered
		finish ok
		back a=2 -> a:stable
		online
		counts checked=1 stable=1`,
	"a read that began before a write was acknowledged may still see the older value": `
		set a ok
		open a
		set a ok
		read a=1 -> stable
		online`,
	"a read that began before a delete and a new write may see the absence between them": `
		set a ok
		open a
		delete a ok
		set a ok
		read a=absent -> recovered
		online`,
	"what a reader saw of a write that ended unknown is there": `
		set a ok
		begin set a
		read a=2 -> recovered
		finish unknown
		back a=2 -> a:recovered
		counts recovered=1`,
}

// Histories that break a promise: at least one for each class, and combinations.
var badHistories = map[string]string{
	"lost": `
		set a ok
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"lost at the second look moves from stable to lost": `
		set a ok
		back a=1 -> a:stable
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"a loss is reported once": `
		set a ok
		back a=absent -> a:lost
		back a=absent -> a:stable
		counts checked=1 lost=1`,
	"lost under a write of unknown outcome": `
		set a ok
		set a unknown
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"what a reader saw of an unknown write has vanished": `
		begin set a
		read a=1 -> recovered
		finish unknown
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"a recovered write vanishes at the next restart": `
		set a unknown
		back a=1 -> a:recovered
		back a=absent -> a:lost
		counts checked=1 recovered=1 lost=1`,
	"rolled back": `
		set a ok
		set a ok
		back a=1 -> a:rolledBack
		counts checked=1 rolledBack=1`,
	"rolled back to before the last read-back": `
		set a ok
		back a=1 -> a:stable
		set a ok
		set a ok
		back a=1 -> a:rolledBack
		counts checked=2 stable=1 rolledBack=1`,
	"rolled back below what a reader saw": `
		set a ok
		begin set a
		read a=2 -> recovered
		finish unknown
		back a=1 -> a:rolledBack
		counts checked=1 rolledBack=1`,
	"a rollback is reported once, and judged from there": `
		set a ok
		set a ok
		back a=1 -> a:rolledBack
		back a=1 -> a:stable
		back a=absent -> a:lost
		counts checked=2 lost=1 rolledBack=1`,
	"resurrected": `
		set a ok
		delete a ok
		back a=1 -> a:resurrected
		counts checked=1 resurrected=1`,
	"resurrected after it was seen to be gone": `
		set a ok
		delete a ok
		back a=absent -> a:stable
		back a=1 -> a:resurrected
		counts checked=1 resurrected=1`,
	"an unknown write that was settled as gone comes back": `
		set a unknown
		back a=absent -> a:stable
		back a=1 -> a:resurrected
		counts checked=1 resurrected=1`,
	"an unknown write that was settled as gone comes back over an older value": `
		set a ok
		set a unknown
		back a=1 -> a:stable
		back a=2 -> a:resurrected
		counts checked=1 resurrected=1`,
	"a lost write comes back": `
		set a ok
		back a=absent -> a:lost
		back a=1 -> a:resurrected
		counts checked=2 lost=1 resurrected=1`,
	"torn: a damaged value": `
		set a ok
		back a=damaged -> a:torn
		counts checked=1 torn=1`,
	"damage is reported once, and the key judged anew after it": `
		set a ok
		back a=damaged -> a:torn
		back a=damaged -> a:stable
		set a ok
		back a=2 -> a:stable
		back a=absent -> a:lost
		counts checked=2 lost=1 torn=1`,
	"after damage any state is a new start, but what was never written is not": `
		set a ok
		set b ok
		set c ok
		back a=damaged b=damaged c=damaged -> a:torn b:torn c:torn
		back a=1 b=absent c=7 -> a:stable b:stable c:phantom
		back a=absent b=1 c=1 -> a:lost b:resurrected c:stable
		counts checked=6 lost=1 resurrected=1 torn=3 phantom=1`,
	"torn: part of a batch of unknown outcome": `
		set b ok
		batch a,b,c unknown
		back a=1 b=1 c=absent -> a:torn b:stable c:stable
		counts checked=2 stable=1 torn=1`,
	"torn: all but one part": `
		batch a,b,c unknown
		back a=1 b=1 c=absent -> a:torn b:torn c:stable
		counts checked=2 torn=2`,
	"torn: one part of a batch is damaged, so the rest is not whole": `
		batch a,b unknown
		back a=1 b=damaged -> a:torn b:torn
		counts checked=2 torn=2`,
	"a torn batch does not touch what was counted before": `
		set a ok
		back a=1 -> a:stable
		batch a,b unknown
		back a=2 b=absent -> a:torn b:stable
		counts checked=2 stable=1 torn=1`,
	"two batches, one torn": `
		batch a,b unknown
		batch c,d unknown
		back a=1 b=1 c=1 d=absent -> a:recovered b:recovered c:torn d:stable
		counts checked=1 recovered=2 torn=1`,
	"part of an acknowledged batch is lost": `
		set b ok
		batch a,b,c ok
		back a=absent b=1 c=1 -> a:lost b:rolledBack c:stable
		counts checked=3 stable=1 lost=1 rolledBack=1`,
	"phantom: a value of another key": `
		set a ok
		back a=foreign -> a:phantom
		counts checked=1 phantom=1`,
	"phantom: a version that was never issued": `
		set a ok
		back a=2 -> a:phantom
		counts checked=1 phantom=1`,
	"phantom: on a key that was never written": `
		back a=1 -> a:phantom
		back b=foreign -> b:phantom
		counts checked=2 phantom=2`,
	"phantom: a failed write": `
		set a ok
		set a failed
		back a=2 -> a:phantom
		counts checked=1 phantom=1`,
	"phantom: a write that failed before the last read-back": `
		set a failed
		back a=absent -> a:stable
		back a=1 -> a:phantom
		counts checked=1 phantom=1`,
	"phantom: the version belongs to a delete": `
		set a ok
		delete a ok
		back a=2 -> a:phantom
		counts checked=1 phantom=1`,
	"a failed delete happened all the same": `
		set a ok
		delete a failed
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"every class at once": `
		batch a,b,c,d ok
		set a ok
		delete c ok
		batch b,d unknown
		back a=1 b=2 c=1 d=absent -> a:rolledBack b:torn c:resurrected d:lost
		counts checked=4 lost=1 rolledBack=1 resurrected=1 torn=1`,

	"a reader sees something older than acknowledged": `
		set a ok
		set a ok
		read a=1 -> rolledBack
		online rolledBack=1`,
	"a reader sees nothing where something was acknowledged": `
		set a ok
		read a=absent -> lost
		online lost=1`,
	"a reader sees a deleted value": `
		set a ok
		delete a ok
		read a=1 -> resurrected
		online resurrected=1`,
	"a reader sees damage, and a value from elsewhere": `
		set a ok
		read a=damaged -> torn
		read a=foreign -> phantom
		online torn=1 phantom=1`,
	"a reader sees a write that has not been issued": `
		set a ok
		read a=2 -> phantom
		online phantom=1`,
	"readers go backwards, although nothing was acknowledged meanwhile": `
		set a ok
		begin set a
		read a=2 -> recovered
		read a=1 -> rolledBack
		online rolledBack=1`,
	"a reader saw a delete in flight, then the value again": `
		set a ok
		begin delete a
		read a=absent -> recovered
		read a=1 -> resurrected
		online resurrected=1`,
	"a reader saw a write that then failed": `
		set a ok
		begin set a
		read a=2 -> recovered
		finish failed
		back a=1 -> a:stable
		online phantom=1
		counts checked=1 stable=1`,
	"a reader sees a failed write": `
		set a failed
		read a=1 -> phantom
		online phantom=1`,
	"an acknowledged delete found nothing to delete": `
		set a ok
		delete a ok missing
		back a=absent -> a:stable
		online lost=1
		counts checked=1 stable=1`,
}

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
