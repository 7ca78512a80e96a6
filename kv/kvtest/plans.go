package kvtest

import (
	"iter"
	"math/rand/v2"
)

// maxRandomWords is how many words the longest random plan has beyond those of
// the exhaustive part.
const maxRandomWords = 6

// Plans returns every plan of up to length words, the shorter ones first, and
// then random longer ones, from seed, without end. Where a plan has more than
// length words, all its beginnings that have so as well are in front of it: the
// sequence is fit for ExploreOptions.OnlyLast.
func Plans(o Options, length int, seed uint64) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for n := range length + 1 {
			for plan := range plansOf(o.words(), n) {
				if !yield(plan) {
					return
				}
			}
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		for random(o.words(), length, rng, yield) {
		}
	}
}

// Exhaustive returns how many plans Plans has before the random ones.
func Exhaustive(o Options, length int) (plans uint64) {
	of := uint64(1) // length n
	for range length + 1 {
		plans += of
		of *= uint64(len(o.words()))
	}
	return plans
}

// plansOf returns every plan of n words.
func plansOf(words []string, n int) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		digits := make([]int, n)
		for {
			plan := make([]string, n)
			for i, digit := range digits {
				plan[i] = words[digit]
			}
			if !yield(plan) || !next(digits, len(words)) {
				return
			}
		}
	}
}

// next counts digits up, the last one first, and reports whether there is a
// next.
func next(digits []int, base int) bool {
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i]++; digits[i] < base {
			return true
		}
		digits[i] = 0
	}
	return false
}

// random yields one random plan, with its beginnings of more than length words.
func random(words []string, length int, rng *rand.Rand, yield func([]string) bool) (goOn bool) {
	plan := make([]string, length+1+rng.IntN(maxRandomWords))
	for i := range plan {
		plan[i] = words[rng.IntN(len(words))]
	}
	for n := length + 1; n <= len(plan); n++ {
		if !yield(plan[:n:n]) {
			return false
		}
	}
	return true
}
