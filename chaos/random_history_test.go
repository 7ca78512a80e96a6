package chaos

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

const randomHistories = 300

// model is an honest store of versions, for a ledger of one writer: 0 is absent.
type model struct {
	rng    *rand.Rand
	ledger *ledger
	now    []uint64
}

const modelKeys = 6

func newModel(seed uint64) *model {
	return &model{
		rng:    rand.New(rand.NewPCG(seed, 0)),
		ledger: newLedger(seed, modelKeys, 1), now: make([]uint64, modelKeys),
	}
}

// step issues one random write and ends it; what is unknown takes effect or not, as a whole.
func (m *model) step(t *testing.T) {
	var keys []int
	for _, k := range m.rng.Perm(modelKeys)[:1+m.rng.IntN(3)] {
		if m.ledger.writable(k) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return
	}
	kind := opSet
	if len(keys) == 1 && m.now[keys[0]] != 0 && m.rng.IntN(3) == 0 {
		kind = opDelete
	}
	r := m.ledger.begin(kind, keys...)
	how := []ending{ok, ok, ok, failed, unknown}[m.rng.IntN(5)]
	if how == ok || how == unknown && m.rng.IntN(2) == 0 {
		for _, w := range r.members {
			m.now[w.key] = w.version
			if kind == opDelete {
				m.now[w.key] = 0
			}
		}
		if m.rng.IntN(3) == 0 {
			m.read(t, keys[0])
		}
	}
	require.Empty(t, m.ledger.finish(r, how, true))
}

func (m *model) read(t *testing.T, key int) {
	f := m.ledger.endRead(key, m.ledger.beginRead(key), m.look(key))
	require.False(t, f.class.Violation(), "%+v", f)
}

func (m *model) look(key int) sighting {
	if m.now[key] == 0 {
		return sighting{kind: sawAbsent}
	}
	return sighting{kind: sawValue, version: m.now[key]}
}

// readBack settles the ledger and returns the violations.
func (m *model) readBack() (broken []finding) {
	saw := make([]sighting, modelKeys)
	for k := range saw {
		saw[k] = m.look(k)
	}
	m.ledger.settle(saw, func(f finding) {
		if f.class.Violation() {
			broken = append(broken, f)
		}
	})
	return broken
}

func (m *model) live(t *testing.T, steps int) {
	for range steps {
		m.step(t)
		m.read(t, m.rng.IntN(modelKeys))
		if m.rng.IntN(8) == 0 {
			require.Empty(t, m.readBack())
		}
	}
}

// An honest store never raises an alarm, whatever happens to it. The seed is the number in the name
// of the failing case.
func TestHonestHistoriesRaiseNoAlarm(t *testing.T) {
	for seed := range uint64(randomHistories) {
		m := newModel(seed)
		m.live(t, 100)
		require.Empty(t, m.readBack(), "seed %d", seed)
	}
}

// Undoing the promise on one key, at any moment, is always seen, on that key.
func TestEveryUndoneWriteIsSeen(t *testing.T) {
	undone := 0
	for seed := range uint64(randomHistories) {
		m := newModel(seed)
		m.live(t, 50)
		require.Empty(t, m.readBack(), "seed %d", seed)
		key := m.rng.IntN(modelKeys)
		_, s := m.ledger.at(key)
		if s.last == 0 {
			continue
		}
		held := m.now[key]
		for m.now[key] == held { // any other state, from absent to the newest version
			m.now[key] = m.rng.Uint64N(s.last + 1)
		}
		broken := m.readBack()
		require.Len(t, broken, 1, "seed %d: key %d from %d to %d", seed, key, held, m.now[key])
		require.Equal(t, key, broken[0].key, "seed %d", seed)
		undone++
	}
	require.Greater(t, undone, randomHistories/2)
}
