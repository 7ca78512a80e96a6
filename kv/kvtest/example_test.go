package kvtest_test

import (
	"context"
	"fmt"

	"holdfast/faultfs"
	"holdfast/kv/kvtest"
)

// Every plan of one word, and then random longer ones, until enough states were
// visited.
func Example() {
	var o kvtest.Options
	r, err := faultfs.Explore(context.Background(), kvtest.Subject(o), faultfs.ExploreOptions{
		Plans:     kvtest.Plans(o, 1, 42),
		OnlyLast:  true, // each plan continues one that came before
		MaxStates: 1000,
	})
	fmt.Println(r.Visited >= 1000, len(r.Violations), err)
	// Output: true 0 <nil>
}
