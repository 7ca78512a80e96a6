package kvtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/kv"
)

// Histories by hand. A life is a line of words: "+" and what a write does, "a1"
// sets key a to value 1, "-a" deletes it, with commas for a batch; then how it
// ended: "ok", "failed", "unknown", or nothing if the crash came first. "=" is
// what an Open shows, "sync" a Sync that returned, "a?1" a Get that returns 1 and
// "a?" one that finds nothing.
func histories(lives ...string) (all []faultfs.Life) {
	for i, text := range lives {
		life := faultfs.Life{Crashed: i < len(lives)-1}
		for word := range strings.FieldsSeq(text) {
			life.Events = append(life.Events, event(word))
		}
		all = append(all, life)
	}
	return all
}

func event(word string) faultfs.Event {
	outcomes := map[string]faultfs.Event{
		"ok": Ended{}, "failed": Ended{Failed, "EIO"}, "unknown": Ended{Unknown, "EIO"},
		"sync": Synced{}, "refused": Refused{"it is damaged"}, "broken": Broken{"a scan returns key \"b\" after key \"b\""},
	}
	if e := outcomes[word]; e != nil {
		return e
	}
	if key, value, is := strings.Cut(word, "?"); is {
		r := Read{Key: key, Found: value != ""}
		if r.Found {
			r.Value = number(value)
		}
		return r
	}
	if word[0] == '+' {
		w := Issued{What: word[1:]}
		for change := range strings.SplitSeq(word[1:], ",") {
			if change[0] == '-' {
				w.Changes = append(w.Changes, Change{Key: change[1:], Delete: true})
			} else {
				w.Changes = append(w.Changes, Change{Key: change[:1], Value: number(change[1:])})
			}
		}
		return w
	}
	return shown(word[1:])
}

func number(text string) Value { return ValueOf([]byte("value " + text)) }

// shown is an Open that reports nothing strange.
func shown(pairs string) Opened {
	o := Opened{Files: 3}
	for pair := range strings.SplitSeq(pairs, ",") {
		if pair != "" {
			o.Pairs = append(o.Pairs, Pair{pair[:1], number(pair[1:])})
		}
	}
	o.Keys = len(o.Pairs)
	return o
}

var (
	always   = Oracle{}
	healthy  = Oracle{Healthy: true}
	interval = Oracle{Sync: kv.SyncEvery(1)}
)

func TestLegalHistories(t *testing.T) {
	for _, c := range []struct {
		what  string
		by    Oracle
		lives []string
	}{
		{"nothing", healthy, []string{"="}},
		{"a crash before anything", healthy, []string{"", "="}},
		{"acknowledged and there", healthy, []string{"= +a1 ok +b2 ok +a3 ok", "=a3,b2"}},
		{"deleted and gone", healthy, []string{"= +a1 ok +-a ok +-b ok", "="}},
		{"read back", healthy, []string{"= b? +a1 ok a?1 +-a ok a?"}},
		{"a write in the crash is there", healthy, []string{"= +a1 ok +a2", "=a2", "=a2"}},
		{"a write in the crash is not there", healthy, []string{"= +a1 ok +a2", "=a1", "=a1"}},
		{"a batch in the crash, whole", healthy, []string{"= +a1 ok +a2,-a,b2,c2", "=b2,c2"}},
		{"a batch in the crash, absent", healthy, []string{"= +a1 ok +a2,b2,c2", "=a1"}},
		{"a delete in the crash", healthy, []string{"= +a1 ok +-a", "="}},
		{"crashes before an Open has shown it decide nothing", healthy, []string{"= +a1", "", "", "=a1"}},
		{"a write after a recovery", healthy, []string{"= +a1 ok +b2", "=a1 +b3 ok", "=a1,b3 +c4", "=a1,b3,c4"}},
		{"a failed write is not there", always, []string{"= +a1 ok +a2 failed", "=a1"}},
		{"an unknown write is there", always, []string{"= +a1 unknown", "=a1"}},
		{"an unknown write is not there", always, []string{"= +a1 unknown", "=", "="}},
		{"an unknown write is not there, one that failed later neither", always, []string{"= +a1 unknown +b2 failed", "="}},
		{"two unknown writes, each on its own", always, []string{"= +a1 unknown +b2 unknown", "=b2"}},
		{"the same value twice", healthy, []string{"= +a1 ok +a2 ok +a1 ok", "=a1"}},
		{"interval: all", interval, []string{"= +a1 ok +b2 ok a?1", "=a1,b2"}},
		{"interval: a beginning", interval, []string{"= +a1 ok +b2 ok", "=a1"}},
		{"interval: nothing", interval, []string{"= +a1 ok +b2 ok", "="}},
		{"interval: what a Sync covered", interval, []string{"= +a1 ok sync +b2 ok", "=a1"}},
		{"interval: a failed write in between", interval, []string{"= +a1 ok +b2 failed +c3 ok", "=a1,c3"}},
		{"interval: an unknown write in between", interval, []string{"= +a1 ok +b2 unknown +c3 ok", "=a1,c3"}},
		{"interval: a write in the crash", interval, []string{"= +a1 ok +b2", "=a1,b2"}},
	} {
		require.NoError(t, c.by.Judge(histories(c.lives...)), c.what)
	}
}

// Each rule, and a history that breaks it.
func TestBrokenPromises(t *testing.T) {
	for _, c := range []struct {
		reason string
		by     Oracle
		lives  []string
	}{
		{`life 2: lost: key "a" is gone, where write 1 of life 1 ("a1") was told OK`, healthy, []string{"= +a1 ok", "="}},
		{`rolled back: key "a" holds the value of write 1 of life 1 ("a1") again, where write 2 of life 1 ("a2") was told OK`, healthy, []string{"= +a1 ok +a2 ok", "=a1"}},
		{`resurrected: key "a" holds the value of write 1 of life 1 ("a1") again, which write 2 of life 1 ("-a") was told OK`, healthy, []string{"= +a1 ok +-a ok", "=a1"}},
		{`torn: of write 1 of life 1 ("a1,b1") the change of key "a" is there, that of key "b" is not`, healthy, []string{"= +a1,b1", "=a1"}},
		{`torn: of write 2 of life 1 ("b2,-a") the change of key "b" is there, that of key "a" is not`, healthy, []string{"= +a1 ok +b2,-a", "=a1,b2"}},
		{`torn: of write 1 of life 1 ("a1,b1") the change of key "b" is there`, always, []string{"= +a1,b1 unknown", "=b1"}},
		{`phantom: key "b" holds what was never written to it ("\"value 7\""), which nothing put there`, healthy, []string{"= +a1 ok", "=a1,b7"}},
		{`phantom: key "a" holds what was never written to it ("\"value 7\""), where write 1 of life 1 ("a1") was told OK`, healthy, []string{"= +a1 ok", "=a7"}},
		{`phantom: key "b"`, healthy, []string{"= +a1 ok", "=a1,b1"}},
		{`a failed write appeared: key "a" holds the value of write 2 of life 1 ("a2"), where write 1`, always, []string{"= +a1 ok +a2 failed", "=a2"}},
		{`a failed write appeared: key "a" holds the value of write 1 of life 1 ("a1"), where`, always, []string{"= +a1 unknown +a2 ok", "=a1"}},
		{`a failed write appeared: key "a"`, interval, []string{"= +a1 failed", "=a1"}},
		{`life 3: undecided again: key "a" holds the value of write 1 of life 1 ("a1"), which was not there when life 2 opened the store`, always, []string{"= +a1 unknown", "=", "=a1"}},
		{`life 3: lost: key "a" is gone, where write 1 of life 1 ("a1") was there when life 2 opened the store`, always, []string{"= +a1 unknown", "=a1", "="}},
		{`life 3: lost: key "a" is gone`, healthy, []string{"= +a1", "=a1", "="}},
		{`life 4: undecided again`, healthy, []string{"= +a1", "=", "", "=a1"}},
		{`life 4: lost: key "a" is gone, where write 1 of life 1 ("a1") was there when life 2 opened the store`, interval, []string{"= +a1 ok", "=a1", "", "="}},
		{`lost: key "a" is gone, where write 1 of life 1 ("a1") was told OK`, interval, []string{"= +a1 ok sync +b2 ok", "="}},
		{`out of order`, interval, []string{"= +a1 ok +b2 ok", "=b2"}},
		{`out of order`, interval, []string{"= +a1 ok +b2 ok +c3", "=a1,c3"}},
		{`torn: of write 1`, interval, []string{"= +a1,b1 ok", "=a1"}},
		{`life 1: Open refused what a crash may leave: "it is damaged"`, healthy, []string{"refused"}},
		{`life 2: Open refused`, always, []string{"= +a1", "refused"}},
		{`a scan returns key "b" after key "b"`, healthy, []string{"= +a1", "= broken"}},
		{`a Get is wrong: lost: key "a" is gone, where write 1`, healthy, []string{"= +a1 ok a?"}},
		{`a Get is wrong: rolled back: key "a"`, healthy, []string{"= +a1 ok +a2 ok a?1"}},
		{`a Get is wrong: phantom: key "a"`, interval, []string{"= +a1 ok a?2"}},
		{`a Get is wrong: too early: key "a" shows the value of write 1 of life 1 ("a1"), which may still be lost`, healthy, []string{"= +a1 a?1 ok"}},
		{`a Get is wrong: too early`, always, []string{"= +a1 unknown a?1"}},
		{`life 1: write 1 of life 1 ("a1") ended as "failed" on a disk that does not fail: "EIO"`, healthy, []string{"= +a1 failed"}},
		{`ended as "unknown" on a disk that does not fail`, healthy, []string{"= +a1 unknown"}},
	} {
		require.ErrorContains(t, c.by.Judge(histories(c.lives...)), c.reason, "%q", c.lives)
	}
}

// What an Open reports, beside the pairs, is bounded by what was written.
func TestNothingGrows(t *testing.T) {
	const file = 100 // bytes
	opened := func(change func(*Opened)) Opened {
		o := shown("a1")
		o.Records, o.Segments, o.Files, o.FilesBytes = 1, 1, 4, 4*file
		change(&o)
		return o
	}
	usual := opened(func(*Opened) {})
	first := []faultfs.Event{Opened{Created: true, Files: 3}, event("+a1"), event("ok")}
	judge := func(then ...faultfs.Event) error {
		return healthy.Judge([]faultfs.Life{{Events: first, Crashed: true}, {Events: []faultfs.Event{usual}, Crashed: true}, {Events: then}})
	}
	require.NoError(t, judge(usual))
	require.NoError(t, judge(opened(func(o *Opened) { o.Files, o.Segments, o.FilesBytes = 3, 0, 3*file })), "less is no growth")
	require.NoError(t, judge(opened(func(o *Opened) { o.Files, o.LeftAlone, o.FilesBytes = 5, 1, 500 })), "what is not the store's")
	require.NoError(t, judge(usual, event("+b2"), event("ok"), func() Opened {
		o := shown("a1,b2")
		o.Records, o.Segments, o.Files, o.FilesBytes = 2, 3, 6, 6*file
		return o
	}()), "a write may grow it")
	for reason, change := range map[string]func(*Opened){
		`life 3: a new store was created over the one that life 2 had opened`:                  func(o *Opened) { o.Created = true },
		`the recovery reports 2 keys, and there are 1`:                                         func(o *Opened) { o.Keys = 2 },
		`the log has 2 records, and 1 were ever written`:                                       func(o *Opened) { o.Records = 2 },
		`the store grows: 3 segments for 1 records`:                                            func(o *Opened) { o.Segments = 3 },
		`the store grows: 3 files are left alone after 2 crashes`:                              func(o *Opened) { o.LeftAlone = 3 },
		`the store grows: 5 files, and 1 segments count`:                                       func(o *Opened) { o.Files = 5 },
		`the store grows: 5 files, and 4 before, in life 2, and nothing was written since`:     func(o *Opened) { o.Files, o.Segments = 5, 2 },
		`the store grows: 401 bytes, and 400 before, in life 2, and nothing was written since`: func(o *Opened) { o.FilesBytes++ },
	} {
		require.ErrorContains(t, judge(opened(change)), reason)
	}
	failed := []faultfs.Event{Opened{Created: true, Files: 3}, event("+a1"), event("failed"), event("+b2"), event("unknown")}
	two := shown("b2")
	two.Records, two.Segments = 2, 1
	require.ErrorContains(t, always.Judge([]faultfs.Life{{Events: failed, Crashed: true}, {Events: []faultfs.Event{two}}}),
		"the log has 2 records, and 1 were ever written", "a failed write is none")
}

// Judging keeps nothing and changes nothing, and unknown writes of which nothing
// is left to see do not cost twice as much each.
func TestJudgingIsPureAndBounded(t *testing.T) {
	lives := histories("= +a1 ok", "=a1"+strings.Repeat(" +a2 unknown +b3 unknown +-a unknown +-b unknown", 50), "=a1,b3")
	for range 3 {
		require.NoError(t, always.Judge(lives))
	}
	require.Equal(t, histories("= +a1 ok", "=a1"+strings.Repeat(" +a2 unknown +b3 unknown +-a unknown +-b unknown", 50), "=a1,b3"), lives)
	require.Error(t, always.Judge(append(lives, histories("=a2,b3")...)))
	require.NoError(t, always.Judge(append(histories("what is not of this package"[:0]), faultfs.Life{Events: []faultfs.Event{42, nil}})))
}

func TestValuesForPeople(t *testing.T) {
	require.Equal(t, `""`, ValueOf(nil).String())
	require.Equal(t, `"short"`, ValueOf([]byte("short")).String())
	require.Equal(t, `30 bytes that begin with "xxxxxxxxxxxxxxxx"`, ValueOf([]byte(strings.Repeat("x", 30))).String())
	require.NotEqual(t, ValueOf([]byte(strings.Repeat("x", 30))), ValueOf([]byte(strings.Repeat("x", 31))))
	require.NotEqual(t, ValueOf([]byte(strings.Repeat("x", 30))), ValueOf([]byte(strings.Repeat("x", 29)+"y")))
}
