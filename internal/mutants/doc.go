// Package mutants plants bugs in the source of a package, one at a time, and
// counts how many of them its tests find. A tester that finds nothing proves
// nothing: this is the measure of ours.
//
// A Mutant is one edit of one file: a sync that is dropped, an error that is
// ignored, a check that is skipped. The edit is made by the Go toolchain's
// -overlay, in a copy outside the tree, so that the tree stays as it is. A
// Runner builds the tests of each mutant and runs one Check after the other, the
// cheap and sharp ones first, until one fails: the mutant is caught. One that no
// check catches either shows what the tests cannot see, or changes nothing that
// anybody could see, and then says why in Mutant.Equivalent.
//
// The control is the unchanged source. Every check must pass on it, or what it
// says of the mutants is worth nothing.
//
// What counts as caught is a test that fails because of what the engine did, or
// that does not end within the check's limit. A mutant that does not build is a
// mistake in the list, and so is one whose explanation turned out wrong because a
// check caught it.
//
//	make mutants                                     # all of them
//	go run ./internal/mutants/cmd -run 'sync|seal'   # those whose names match
//	go run ./internal/mutants/cmd -list
//
// To add one, put it into the fitting list_*.go. The test of this package says
// whether its text is found exactly once and whether it still compiles.
package mutants
