package faultfs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// toyBreaks are the stores that the explorer must see through.
var toyBreaks = []struct {
	name    string
	bugs    toyBugs
	plan    string // in which it is to be found
	minimal string // what shrinking leaves of it
	reason  string
	crashes int // that it takes
	kill    bool
}{
	{"NoSync", toyBugs{noSync: true}, "roll set big set", "set", "record 1 is lost", 1, false},
	{"NoDirSync", toyBugs{noDirSync: true}, "set set roll set", "set", "record 1 is lost", 1, false},
	{"FailedSyncIsRetried", toyBugs{retrySync: true}, "set big bad roll set", "bad", "record 1 is lost", 1, false},
	{"AcknowledgedBeforeSync", toyBugs{ackEarly: true}, "roll set set", "set", "record 1 is lost", 1, false},
	{"TornTailIsNotCut", toyBugs{noCut: true}, "set big set", "set", "record 1001 is lost", 2, false},
	{"ServedFromCacheWithoutSync", toyBugs{serveUnsynced: true}, "set roll big", "-", "record 1001 is lost", 2, true},
	{"SecondRecoveryLoses", toyBugs{secondLoses: true}, "set set roll", "-", "record 1001 is lost", 2, false},
	{"RecoveryPanics", toyBugs{panics: true}, "set roll set", "set", "panic: 44 bytes too many", 1, false},
}

func TestExploreFindsBugs(t *testing.T) {
	for _, b := range toyBreaks {
		t.Run(b.name, func(t *testing.T) {
			s := toySubject(b.bugs)
			got := explore(t, s, faultfs.ExploreOptions{Plans: words(b.plan)})
			require.Len(t, got.Violations, 1)
			v := got.Violations[0]
			t.Logf("%+v", v)
			require.Contains(t, v.Reason, b.reason)
			require.Contains(t, v.Replay, "toy/weak/"+b.minimal+"/")
			require.Len(t, v.Crashes, b.crashes)
			require.Equal(t, b.kill, v.Crashes[0].Kill)
			require.Contains(t, v.Profiles, faultfs.Weak)

			again, err := faultfs.Replay(s, v.Replay)
			require.NoError(t, err)
			v.Found = v.Replay
			require.Equal(t, &v, again)

			fixed, err := faultfs.Replay(toySubject(toyBugs{}), v.Replay)
			if err == nil { // the correct store makes other calls, so that there may be no such state
				require.Nil(t, fixed)
			}
		})
	}
}
