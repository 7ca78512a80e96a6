package zoo

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

var full = flag.Bool("zoo.full", false, "visit all states of longer plans")

// bounds of a search, in crashes, words of a plan, and states of one crash point.
type bounds struct{ crashes, words, states, nested int }

// A short search goes one word further than any verdict needs with one crash,
// and as far as any needs with two.
var (
	shortSearch = bounds{2, 3, 24, 2}
	fullSearch  = bounds{3, 3, 1024, 6}
)

// search explores a species on one profile, with one crash before two and with
// short plans before long ones, until it finds a loss.
func search(t *testing.T, s Species, p faultfs.Profile, b bounds) (first *faultfs.Violation, crashes, words int) {
	for crashes := 1; crashes <= b.crashes; crashes++ {
		for words := range b.words + 1 {
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

// Every species gets its verdict, by the fewest crashes and the shortest plan, and
// shows its loss on the profiles that it says and on no other. A loss that shows
// on a profile is one on every weaker one, whether or not the search has met it
// there: the weaker, the more states there are to choose from.
func TestEverySpeciesGetsItsVerdict(t *testing.T) {
	b := shortSearch
	if *full {
		b = fullSearch
	}
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			got := Species{Verdict: Holds}
			for _, p := range faultfs.Profiles() {
				loss, crashes, words := search(t, s, p, b)
				if loss == nil {
					continue
				}
				replayed, err := faultfs.Replay(s.Subject(), loss.Replay)
				require.NoError(t, err)
				require.NotNil(t, replayed, loss.Replay)
				require.Equal(t, loss.Reason, replayed.Reason, loss.Replay)
				t.Logf("%s: %s, %d crashes, %d words: %s\n%s", p, loss.Reason, crashes, words, loss.Replay, survivors(loss))
				if got.Verdict == Holds {
					kind, _, _ := strings.Cut(loss.Reason, ":")
					got.Verdict, got.Crashes, got.Words = Kind(kind), crashes, words
				}
				got.Shows = append(append(got.Shows, p), loss.Profiles...)
			}
			slices.SortFunc(got.Shows, func(a, b faultfs.Profile) int {
				return cmp.Compare(slices.Index(faultfs.Profiles(), a), slices.Index(faultfs.Profiles(), b))
			})
			got.Shows = slices.Compact(got.Shows)
			want := Species{Verdict: s.Verdict, Crashes: s.Crashes, Words: s.Words, Shows: s.Shows}
			assert.Equal(t, want, got)
			assert.Equal(t, s.Verdict == Holds, s.Truth == "", "what is right needs no truth, what is wrong does")
		})
	}
}

func survivors(v *faultfs.Violation) string {
	var b strings.Builder
	for _, c := range v.Crashes {
		fmt.Fprintf(&b, "  point %d, kill %v: of %q survive %q\n", c.Point, c.Kill, c.Calls, c.Survivors)
	}
	return b.String()
}
