package faultfs_test

import (
	"testing"

	"holdfast/faultfs"
)

// One core, on plans whose spaces are large and on plans that have nearly
// nothing but recoveries.
func BenchmarkExplore(b *testing.B) {
	for name, plan := range map[string]string{"large": "set scratch set big set bad set", "small": "set roll bad"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			visited, recoveries := uint64(0), uint64(0)
			for b.Loop() {
				got, err := faultfs.Explore(b.Context(), toySubject(toyBugs{}), faultfs.ExploreOptions{Plans: plans(plan), Workers: 1})
				if err != nil || len(got.Violations) > 0 {
					b.Fatal(got, err)
				}
				visited += got.Visited
				recoveries += got.Recoveries
			}
			b.ReportMetric(float64(visited)/b.Elapsed().Seconds(), "states/s")
			b.ReportMetric(float64(recoveries)/b.Elapsed().Seconds(), "recoveries/s")
		})
	}
}
