package zoo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

func TestProbe(t *testing.T) {
	for _, s := range All() {
		line := fmt.Sprintf("%-26s", s.Name)
		for _, p := range faultfs.Profiles() {
			began := time.Now()
			v, x, n := probe(t, s, p)
			kind := "holds"
			if v != nil {
				kind = strings.SplitN(v.Reason, ":", 2)[0]
			}
			line += fmt.Sprintf(" | %s %s %d vis %d rec %d %v", p, kind, n, x.Visited, x.Recoveries, time.Since(began).Round(time.Millisecond))
			if v != nil && p == faultfs.Weak {
				line += fmt.Sprintf("\n      %v %s\n     %+v", v.Profiles, v.Replay, v.Crashes)
			}
		}
		fmt.Println(line)
	}
}

func probe(t *testing.T, s Species, p faultfs.Profile) (*faultfs.Violation, faultfs.Exploration, int) {
	var last faultfs.Exploration
	for c := 1; c < 4; c++ {
		for n := range 4 {
			got, err := faultfs.Explore(t.Context(), s.Subject(), faultfs.ExploreOptions{Profile: p, Plans: PlansOf(n), OnlyLast: true, StatesPerPoint: 256, NestedPerPoint: 4, Nesting: c, Workers: 1})
			require.NoError(t, err, s.Name)
			last = got
			if len(got.Violations) > 0 {
				return &got.Violations[0], got, n + 10*c
			}
		}
	}
	return nil, last, 3
}
