package zoo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// The oracle tells right from wrong, and one kind of wrong from another. An event
// is "a=1" for a write, "a=" for a removal, "ok", "failed", "crash", "refused", or
// "[a=1 b=2]" for all that a store has shown.
func TestTheOracleKnowsRightFromWrong(t *testing.T) {
	for _, c := range []struct {
		events string
		want   Kind
	}{
		{"crash; []", Holds},
		{"a=1; ok; crash; [a=1]", Holds},
		{"a=1; ok; crash; []", Lost},
		{"a=1; ok; a=2; ok; crash; [a=1]", RolledBack},
		{"a=1; ok; a=; ok; crash; [a=1]", Resurrected},
		{"a=1; ok; a=; ok; crash; []", Holds},
		{"a=1; ok; crash; refused", Refuses},
		{"crash; refused", Refuses},

		{"a=1; crash; [a=1]", Holds},
		{"a=1; crash; []", Holds},
		{"a=1; ok; a=2; crash; [a=1]", Holds},
		{"a=1; ok; a=2; crash; []", Lost},
		{"a=1; ok; a=; crash; []", Holds},
		{"a=1; failed; crash; []", Holds},
		{"a=1; failed; crash; [a=1]", Holds},
		{"a=1; failed; a=2; ok; crash; [a=1]", RolledBack},

		{"a=1; ok; crash; [a=2]", Phantom},
		{"a=1; ok; crash; [a=1 b=1]", Phantom},
		{"crash; [=]", Phantom},

		{"a=1; crash; [a=1]; crash; []", Vanished},
		{"a=1; crash; []; crash; [a=1]", Vanished},
		{"a=1; crash; [a=1]; a=2; ok; crash; [a=1]", RolledBack},
		{"a=1; crash; crash; [a=1]", Holds},
		{"a=1; ok; crash; [a=1]; b=1; ok; crash; [a=1]", Lost},
		{"a=1; ok; crash; []; crash; []", Holds}, // the life before the last was judged when it was the last
	} {
		err := Judge(livesOf(c.events))
		if c.want == Holds {
			require.NoError(t, err, c.events)
		} else {
			require.ErrorContains(t, err, string(c.want)+":", c.events)
		}
	}
}

func livesOf(events string) []faultfs.Life {
	lives := make([]faultfs.Life, 1)
	for word := range strings.SplitSeq(events, "; ") {
		last := &lives[len(lives)-1]
		switch {
		case word == "crash":
			last.Crashed = true
			lives = append(lives, faultfs.Life{})
		case word == "ok":
			last.Events = append(last.Events, acked{})
		case word == "failed":
			last.Events = append(last.Events, failed{})
		case word == "refused":
			last.Events = append(last.Events, refused{"no"})
		case strings.HasPrefix(word, "["):
			all := map[string]string{}
			for _, pair := range strings.Fields(strings.Trim(word, "[]")) {
				key, value, _ := strings.Cut(pair, "=")
				all[key] = value
			}
			last.Events = append(last.Events, found{all})
		default:
			key, value, _ := strings.Cut(word, "=")
			last.Events = append(last.Events, issued{Change{key, value, value == ""}})
		}
	}
	return lives
}

// Plans are all there, each once, the short ones first.
func TestPlansAreComplete(t *testing.T) {
	seen := map[string]bool{}
	length := 0
	for plan := range Plans(3) {
		require.GreaterOrEqual(t, len(plan), length)
		length = len(plan)
		seen[fmt.Sprint(plan)] = true
	}
	require.Len(t, seen, 1+3+9+27)
}
