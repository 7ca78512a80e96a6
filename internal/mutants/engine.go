package mutants

import (
	"slices"
	"time"
)

// EnginePackage is the package whose source is mutated, below the module's root.
const EnginePackage = "kv"

// Engine returns every mutant of the engine, in the order of the groups.
func Engine() []Mutant {
	var all []Mutant
	for _, g := range []struct {
		name string
		list []Mutant
	}{
		{"syncs", syncs},
		{"directory syncs", directorySyncs},
		{"errors ignored", ignored},
		{"order", order},
		{"failed syncs, fences", fences},
		{"manifests, rotation", manifests},
		{"recovery", recovery},
		{"damage, replay", damage},
		{"checksums, identity", checksums},
		{"reads", reads},
		{"intervals", intervals},
		{"check", checker},
	} {
		for i := range g.list {
			g.list[i].Group = g.name
		}
		all = append(all, g.list...)
	}
	return slices.Clip(all)
}

// EngineChecks returns the checks, in the order in which they are run: by how
// many mutants they catch for the time they take. Seeds are fixed, so that a
// mutant is caught by the same test in every run.
func EngineChecks() []Check {
	const (
		slow   = "^(TestErrorSweep|TestErrorSweepOfPairs|TestCheckErrorSweep)$"
		random = "^(TestAttack|TestExplore|TestLinearizable|TestDamageMatrix|TestLegalTorn.*)$"
	)
	return []Check{
		{Name: "unit", Package: "kv", Run: ".", Skip: slow + "|" + random, Flags: []string{"-rapid.seed=1"}, Limit: 30 * time.Second},
		{Name: "explore", Package: "kv", Run: "^TestExplore$", Flags: []string{"-explore.seed=1", "-explore.duration=5s"}, Limit: time.Minute},
		{Name: "damage", Package: "kv", Run: "^(TestDamageMatrix|TestLegalTorn.*)$", Flags: []string{"-damage.seed=1"}, Limit: time.Minute},
		{Name: "concurrent", Package: "kv", Run: "^TestLinearizable$", Flags: []string{"-linear.seed=1"}, Limit: time.Minute},
		{Name: "attack", Package: "kv", Run: "^TestAttack$", Limit: time.Minute},
		{Name: "sweep-of-check", Package: "kv", Run: "^TestCheckErrorSweep$", Limit: time.Minute},
		{Name: "sweep", Package: "kv", Run: "^TestErrorSweep$", Flags: []string{"-sweep.sites=false"}, Limit: 3 * time.Minute},
		{Name: "more-attacks", Package: "kv", Run: "^TestAttack$", Flags: []string{"-attack.seed=100", "-attack.rounds=150"}, Limit: 3 * time.Minute},
	}
}
