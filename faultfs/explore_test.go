package faultfs_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

func words(plans ...string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for _, p := range plans {
			if !yield(strings.Fields(p)) {
				return
			}
		}
	}
}

func explore(t *testing.T, s faultfs.Subject, o faultfs.ExploreOptions) faultfs.Exploration {
	t.Helper()
	got, err := faultfs.Explore(t.Context(), s, o)
	require.NoError(t, err)
	return got
}

func TestExploreFindsNothingInACorrectStore(t *testing.T) {
	got := explore(t, toySubject(toyBugs{}), faultfs.ExploreOptions{
		Plans: words("", "set", "big", "set roll big bad", "bad bad set", "big big set roll set"),
	})
	t.Logf("%+v", got)
	require.Empty(t, got.Violations)
}

var _ = slices.Sort[[]int]
var _ = context.Background
