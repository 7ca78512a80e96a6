package chaos

import "math"

// LossBound95 is the upper end of the one-sided 95 % confidence interval for the share of writes
// that are lost, when bad of n were: for bad = 0 the rule of three, 3/n; otherwise the exact
// interval of Clopper and Pearson. Without any evidence (n < 1) it is 1.
//
// It takes the writes to be independent of each other, which they are not: one crash loses many
// writes together or none. For a fault that needs a particular moment, the number of kills is the
// size of the sample, not the number of writes; so read it beside the number of kills.
func LossBound95(bad, n int64) float64 {
	switch {
	case n < 1 || bad >= n:
		return 1
	case bad <= 0:
		return math.Min(1, 3/float64(n))
	}
	// The probability of at most bad losses falls as the rate rises: find where it is 5 %.
	lo, hi := float64(bad)/float64(n), 1.0
	for range 100 {
		mid := (lo + hi) / 2
		if binomialAtMost(bad, n, mid) > 0.05 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// binomialAtMost is the probability of at most k successes in n trials that succeed with
// probability p > k/n. It sums downwards from k, where the terms are largest.
func binomialAtMost(k, n int64, p float64) float64 {
	if p >= 1 {
		return 0
	}
	lg := func(x int64) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	term := math.Exp(lg(n) - lg(k) - lg(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	sum := 0.0
	for i := k; i >= 0 && term > sum*1e-17; i-- {
		sum += term
		term *= float64(i) * (1 - p) / (float64(n-i+1) * p)
	}
	return sum
}
