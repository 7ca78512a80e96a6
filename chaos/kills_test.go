package chaos

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKillPlanRepeatsWithItsSeed(t *testing.T) {
	draw := func(seed uint64) (all []time.Duration) {
		k := newKillPlan(seed, time.Second)
		for range 20 {
			after, kill := k.inRecovery(time.Second)
			if kill {
				all = append(all, after)
			}
			all = append(all, k.underLoad())
		}
		return all
	}
	require.Equal(t, draw(1), draw(1))
	require.NotEqual(t, draw(1), draw(2))
}

func TestKillsUnderLoadSpreadAroundTheirMean(t *testing.T) {
	k := newKillPlan(3, time.Second)
	var sum time.Duration
	for range 1000 {
		d := k.underLoad()
		require.GreaterOrEqual(t, d, time.Second/2)
		require.LessOrEqual(t, d, 3*time.Second/2)
		sum += d
	}
	require.InDelta(t, time.Second, sum/1000, float64(50*time.Millisecond))
}

func TestOneRestartInFourIsKilledInRecovery(t *testing.T) {
	k := newKillPlan(4, time.Second)
	inARow, before := false, false
	for range 100 {
		killed := 0
		for range recoveryKillPeriod {
			after, kill := k.inRecovery(10 * time.Millisecond)
			require.Less(t, after, 10*time.Millisecond)
			if kill {
				killed++
				inARow = inARow || before
			}
			before = kill
		}
		require.Equal(t, 1, killed)
	}
	require.True(t, inARow, "some recoveries are killed twice")
}
