package zoo

import (
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

var full = flag.Bool("zoo.full", false, "visit all states of longer plans")

// bounds of a search, in crashes, words of a plan (one less with each further
// crash), and states of one crash point.
type bounds struct{ crashes, words, states, nested int }

var (
	shortSearch = bounds{2, 3, 24, 2} // finds every loss but those that have a Line
	fullSearch  = bounds{3, 4, 512, 4}
)

// search explores a species on one profile, with one crash before two and with
// short plans before long ones, until it finds a loss.
func search(t *testing.T, s Species, p faultfs.Profile, b bounds) (first *faultfs.Violation, crashes, words int) {
	for crashes := 1; crashes <= b.crashes; crashes++ {
		for words := range b.words + 2 - crashes {
			got, err := faultfs.Explore(t.Context(), s.Subject(), faultfs.ExploreOptions{
				Profile: p, Plans: PlansOf(words), OnlyLast: true, Workers: 1,
				StatesPerPoint: b.states, NestedPerPoint: b.nested, Nesting: crashes,
			})
			require.NoError(t, err)
			if len(got.Violations) > 0 {
				return &got.Violations[0], crashes, words
			}
		}
	}
	return nil, 0, 0
}

// verdict is what is to be known of a species: its verdict, the crashes and words
// that it takes, and where it shows.
type verdict struct {
	Kind           Kind
	Crashes, Words int
	Shows          []faultfs.Profile
}

// add takes in a loss. The first one decides what it is; each says where. A loss
// that shows on a profile is one on every weaker one, whether or not a search has met
// it there: the weaker, the more states there are to choose from.
func (v *verdict) add(loss *faultfs.Violation, crashes, words int) {
	if v.Kind == Holds {
		kind, _, _ := strings.Cut(loss.Reason, ":")
		v.Kind, v.Crashes, v.Words = Kind(kind), crashes, words
	}
	v.Shows = slices.DeleteFunc(faultfs.Profiles(), func(p faultfs.Profile) bool {
		return !slices.Contains(v.Shows, p) && !slices.Contains(loss.Profiles, p)
	})
}

// Every species gets its verdict, by the fewest crashes and the shortest plan, and
// shows its loss on the profiles that it says and on no other; and each loss
// happens again from its line.
//
//	go test ./faultfs/zoo -run Verdict/NAME -v                  # the losses of one, with what the crash left
//	go test ./faultfs/zoo -run Verdict -zoo.full   # and looks longer where there is none
func TestEverySpeciesGetsItsVerdict(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			got := verdict{Kind: Holds}
			if s.Line != "" {
				loss := replay(t, s, s.Line)
				got.add(loss, len(loss.Crashes), len(loss.Plan))
			}
			for _, p := range faultfs.Profiles() {
				loss, crashes, words := search(t, s, p, shortSearch)
				if loss == nil && *full {
					loss, crashes, words = search(t, s, p, fullSearch)
				}
				if loss != nil {
					require.Equal(t, loss.Reason, replay(t, s, loss.Replay).Reason)
					got.add(loss, crashes, words)
				}
			}
			assert.Equal(t, verdict{s.Verdict, s.Crashes, s.Words, s.Shows}, got)
			assert.Equal(t, s.Verdict == Holds, s.Truth == "", "what is wrong has a Truth, and nothing else has")
		})
	}
}

// replay makes a loss happen again.
func replay(t *testing.T, s Species, line string) *faultfs.Violation {
	t.Helper()
	loss, err := faultfs.Replay(s.Subject(), line)
	require.NoError(t, err)
	require.NotNil(t, loss, "%s: no promise is broken", line)
	t.Logf("%s: %s", line, loss.Reason)
	for _, c := range loss.Crashes {
		t.Logf("  point %d, kill %v: of %q survive %q", c.Point, c.Kill, c.Calls, c.Survivors)
	}
	return loss
}
