package chaos

import (
	"math/rand/v2"
	"time"
)

// recoveryKillPeriod: of so many restarts in a row, one is killed while it recovers.
const recoveryKillPeriod = 4

// killPlan draws the moments of the kills. The moments under load are spread evenly around the
// mean; which restart of each period is killed is drawn too, so that no campaign of some length is
// without one, and now and then two in a row are hit.
type killPlan struct {
	rng      *rand.Rand
	every    time.Duration
	restarts int
	chosen   int // restart of the current period that is killed
}

func newKillPlan(seed uint64, every time.Duration) *killPlan {
	return &killPlan{rng: stream(seed, killStream, 0), every: every}
}

// underLoad is the time from the start of the load to the next kill.
func (k *killPlan) underLoad() time.Duration {
	return k.every/2 + time.Duration(k.rng.Int64N(int64(k.every)+1))
}

// inRecovery says whether the restart that comes now is to be killed, and if so how long after it
// said that it recovers, given how long that took the last time.
func (k *killPlan) inRecovery(lastRecovery time.Duration) (after time.Duration, kill bool) {
	if k.restarts%recoveryKillPeriod == 0 {
		k.chosen = k.rng.IntN(recoveryKillPeriod)
	}
	kill = k.restarts%recoveryKillPeriod == k.chosen
	k.restarts++
	fraction := k.rng.Float64() // drawn in any case, so that the plan depends on the seed alone
	return time.Duration(fraction * float64(lastRecovery)), kill
}
