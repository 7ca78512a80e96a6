package chaos

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

func TestFaultsParseAndPrint(t *testing.T) {
	kill, power := Fault{Kind: FaultKill}, Fault{Kind: FaultPower}
	eio, two := Fault{FaultRules, "sync * #3 EIO"}, Fault{FaultRules, "sync * #3 EIO; write * #2 ENOSPC"}
	for list, want := range map[string][]Fault{
		"kill":                       {kill},
		" kill , power":              {kill, power},
		"power,kill,power":           {power, kill, power},
		"rules='sync * #3 EIO'":      {eio},
		"rules=sync * #3 EIO":        {eio},
		"kill,rules='sync * #3 EIO'": {kill, eio},
		"rules='sync * #3 EIO' , kill, rules=sync * #3 EIO; write * #2 ENOSPC": {eio, kill, two},
		`rules=sync "a,'b'" EIO`:      {{FaultRules, `sync "a,'b'" EIO`}},
		`rules='sync "a,b" EIO',kill`: {{FaultRules, `sync "a,b" EIO`}, kill},
	} {
		got, err := ParseFaults(list)
		require.NoError(t, err, list)
		require.Equal(t, want, got, list)
		if list != `rules=sync "a,'b'" EIO` { // which quotes cannot hold
			again, err := ParseFaults(faultNames(got))
			require.NoError(t, err, list)
			require.Equal(t, want, again, list)
		}
	}

}

func TestFaultListsThatMakeNoSense(t *testing.T) {
	for list, want := range map[string]string{
		"":                            `fault ""`,
		"kill,":                       `fault ""`,
		",kill":                       `fault ""`,
		"fire":                        `fault "fire"`,
		"rules":                       "there are no rules",
		"rules=":                      "there are no rules",
		"rules=''":                    "there are no rules",
		"rules='sync * EIO":           "the quote behind rules= is not closed",
		"rules='sync * EIO' kill":     `a comma is expected after the rules, not "kill"`,
		"rules='sync * EIO'kill":      "a comma is expected",
		"rules='sync * EIO',":         `fault ""`,
		"rules=sync * EIO,power":      "EIO,power",
		"rules='sync * EIO',rules=no": "starts with an operation",
	} {
		_, err := ParseFaults(list)
		require.ErrorContains(t, err, want, list)
	}
}

func TestCutPlanRepeatsWithItsSeedAndTakesTurns(t *testing.T) {
	draw := func(seed uint64) (all []blow) {
		p := newCutPlan(seed)
		for range 200 {
			all = append(all, p.next())
		}
		return all
	}
	require.Equal(t, draw(1), draw(1))
	require.NotEqual(t, draw(1), draw(2))
	kept, first := map[string]int{}, map[string]int{}
	for three := range slices.Chunk(draw(3)[:198], 3) {
		kinds := map[string]int{}
		for i, b := range three {
			kind := "any moment"
			switch {
			case !b.byLayer:
				kind = "signal"
				require.Equal(t, blow{keep: faultfs.KeepNothing}, b, "SIGKILL cannot choose")
			case b.dirSync > 0:
				kind = "directory sync"
				require.LessOrEqual(t, b.dirSync, maxDirSync)
				require.NoError(t, faultfs.MustParse(b.rule())[0].Validate())
			}
			if b.byLayer {
				kept[b.keep]++
			}
			kinds[kind]++
			if i == 0 {
				first[kind]++
			}
		}
		require.Len(t, kinds, 3, "one of each in each three")
	}
	require.Len(t, kept, len(keeps), "%v", kept)
	require.Len(t, first, 3, "each comes first now and then")
}
