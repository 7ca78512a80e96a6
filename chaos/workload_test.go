package chaos

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/client"
	"holdfast/internal/wire"
)

// loaded is a campaign without processes: its load goes to a memStore.
type loaded struct {
	*campaign
	phase *phase
}

// loadUntilKilled runs the writers and readers on st until it hangs and somebody has read, kills it,
// and waits for them.
func loadUntilKilled(t *testing.T, cfg Config, st *memStore) *loaded {
	cfg.Server = []string{"none"}
	cfg, err := cfg.withDefaults()
	require.NoError(t, err)
	c := newCampaign(cfg, nil)
	p := c.newPhase(t.Context(), st)
	read := make(chan struct{})
	st.onGet = sync.OnceFunc(func() { close(read) })
	done := p.start(t.Context(), c.workers())
	<-st.full
	if cfg.Readers > 0 {
		<-read
	}
	p.kill(func() { close(st.dead) })
	<-done
	return &loaded{c, p}
}

func TestWorkloadMixesRequestsAndFindsNothingWrong(t *testing.T) {
	st := newMemStore(5000)
	l := loadUntilKilled(t, Config{Writers: 8, Readers: 4, Keys: 200, Seed: 3}, st)

	kinds := map[string]int{}
	for _, step := range st.steps() {
		kind, _, _ := strings.Cut(step, " ")
		kinds[kind]++
	}
	require.Greater(t, kinds["set"], 3000)
	require.Greater(t, kinds["delete"], 100)
	require.Greater(t, kinds["batch"], 300)
	require.Zero(t, l.tally.online.Total(), "%v", l.tally.examples)
	require.Positive(t, l.counts.readsOK.Load())

	saw, extra, err := readBack(t.Context(), st, l.ledger)
	require.NoError(t, err)
	l.settle(saw, extra)
	l.conclude(nil)
	require.Zero(t, l.report.Durability.Unaccounted(), "%v", l.report.Violations)
	require.Positive(t, l.report.Durability.Checked)
}

// What hung at the kill is what counts as mid-write, key by key.
func TestKillMidWriteIsCountedByItsVictims(t *testing.T) {
	st := newMemStore(100)
	l := loadUntilKilled(t, Config{Writers: 8, Readers: -1, Keys: 200, Seed: 4}, st)
	require.Positive(t, st.hanging)
	require.EqualValues(t, st.hanging, l.phase.midWrite.Load())
	require.EqualValues(t, st.hanging, l.counts.unknown.Load())
	require.Equal(t, l.counts.issued.Load(), l.counts.ok.Load()+l.counts.failed.Load()+l.counts.unknown.Load())

	server, _ := startFake(t)
	server.killAndWait()
	require.NoError(t, l.countKill(l.phase, server))
	require.Equal(t, 1, l.report.KillsMidWrite)
	require.NoError(t, l.countKill(l.newPhase(t.Context(), st), server))
	require.Equal(t, 1, l.report.KillsMidWrite, "a kill without victims is not mid-write")
	require.ErrorContains(t, l.countKill(l.phase, quitter(t)), "ended unasked, with exit status 2")
	require.Equal(t, 1, l.report.KillsMidWrite, "a server that ends by itself is not a kill")
}

// A write of unknown outcome that ended before the kill is none of the kill's victims.
func TestUnknownBeforeTheKillIsNotMidWrite(t *testing.T) {
	st := newMemStore(0)
	close(st.dead)
	l := &loaded{campaign: newCampaign(smallConfig(t), nil)}
	p := l.newPhase(t.Context(), timeoutStore{st})
	w := l.writers[0]
	require.Equal(t, unknown, w.perform(t.Context(), p, w.next(l.ledger)))
	p.kill(func() {})
	require.Zero(t, p.midWrite.Load())
	require.EqualValues(t, 1, p.counts.unknown.Load())
}

// A write that the kill stopped from being sent is none of its victims either.
func TestFailedByTheKillIsNotMidWrite(t *testing.T) {
	c := newCampaign(smallConfig(t), nil)
	st := newMemStore(0)
	p := c.newPhase(t.Context(), nil)
	p.store = killedStore{st, func() { p.kill(func() { close(st.dead) }) }}
	w := c.writers[0]
	require.Equal(t, failed, w.perform(t.Context(), p, c.ledger.begin(opSet, 0)))
	require.Zero(t, p.midWrite.Load())
}

// A read may show what was there when it began, even if a newer write was acknowledged before it
// ended; one that begins after that may not.
func TestReadIsJudgedByTheMomentItBegan(t *testing.T) {
	c := newCampaign(smallConfig(t), nil)
	st := newMemStore(100)
	p := c.newPhase(t.Context(), st)
	defer p.stop()
	w := c.writers[0]
	require.Equal(t, ok, w.perform(t.Context(), p, c.ledger.begin(opSet, 7)))
	old := st.values[string(keyName(7))]
	st.onGet = sync.OnceFunc(func() {
		require.Equal(t, ok, w.perform(t.Context(), p, c.ledger.begin(opSet, 7)))
	})
	require.True(t, c.readers[0].readOne(p, 7))
	require.Zero(t, c.tally.online.Total())

	st.values[string(keyName(7))] = old
	require.True(t, c.readers[0].readOne(p, 7))
	require.EqualValues(t, 1, c.tally.online.RolledBack)
}

// A key whose outcome is unknown is left alone: a late write could undo the newer one.
func TestUnknownKeysAreNotWrittenAgain(t *testing.T) {
	cfg := smallConfig(t)
	c := newCampaign(cfg, nil)
	p := c.newPhase(t.Context(), timeoutStore{newMemStore(0)})
	<-p.start(t.Context(), []worker{c.writers[0]}) // ends by itself, when no key is left
	require.EqualValues(t, cfg.Keys, p.counts.issued.Load())
	require.EqualValues(t, cfg.Keys, p.counts.unknown.Load())

	c.settle(make([]sighting, cfg.Keys), nil)
	require.NotNil(t, c.writers[0].next(c.ledger), "a read-back sets them free")
	p.stop()
}

// A batch has different keys, and none that waits for a read-back.
func TestBatchesKeepToWritableKeys(t *testing.T) {
	c := newCampaign(smallConfig(t), nil)
	for key := range 5 {
		c.ledger.finish(c.ledger.begin(opSet, key), unknown, false)
	}
	sizes := map[int]bool{}
	for range 500 {
		keys := c.writers[0].moreKeys(c.ledger, 5)
		sizes[len(keys)] = true
		slices.Sort(keys)
		require.Len(t, slices.Compact(slices.Clone(keys)), len(keys), "%v", keys)
		require.GreaterOrEqual(t, keys[0], 5, "%v", keys)
	}
	require.Greater(t, len(sizes), 4, "batches of all sizes")
	require.True(t, sizes[maxBatchKeys])
}

func TestFailedWritesAreTriedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCampaign(smallConfig(t), nil)
		st := newMemStore(0)
		close(st.dead) // every write fails
		ctx, cancel := context.WithTimeout(t.Context(), 100*failurePause)
		defer cancel()
		p := c.newPhase(ctx, st)
		<-p.start(ctx, []worker{c.writers[0]})
		require.InDelta(t, 100, p.counts.requests.Load(), 1, "one after each pause")
		require.Equal(t, p.counts.issued.Load(), p.counts.failed.Load())
	})
}

func TestReadsThatFailAreCounted(t *testing.T) {
	c := newCampaign(smallConfig(t), nil)
	st := newMemStore(0)
	st.reads = refusal(client.Failed, wire.StatusBusy)
	p := c.newPhase(t.Context(), st)
	require.False(t, c.readers[0].readOne(p, 0))
	require.EqualValues(t, 1, p.counts.readsFailed.Load())

	st.reads = refusal(client.Failed, wire.StatusDamaged)
	require.True(t, c.readers[0].readOne(p, 0), "damage is an answer")
	require.EqualValues(t, 1, c.tally.online.Torn)

	st.reads = refusal(client.Failed, 0)
	p.kill(func() {})
	require.False(t, c.readers[0].readOne(p, 0))
	require.EqualValues(t, 1, p.counts.readsFailed.Load(), "the kill is no failure of the reader's")
}

// The same seed draws the same requests.
func TestSeedRepeatsTheWorkload(t *testing.T) {
	steps := func(seed uint64) []string {
		st := newMemStore(500)
		loadUntilKilled(t, Config{Writers: 1, Readers: -1, Keys: 50, Seed: seed}, st)
		return st.steps()[:500]
	}
	require.Equal(t, steps(9), steps(9))
	require.NotEqual(t, steps(9), steps(10))
}

func TestReadBackTellsRefusalFromSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(1, 3, 1)
		st := newMemStore(0)
		st.reads = refusal(client.Failed, wire.StatusBusy)
		saw, err := insist(t.Context(), st, l.id(member{key: 1}))
		require.NoError(t, err)
		require.Equal(t, sawDamaged, saw.kind, "a server that never shows a key has lost it")

		st.reads = client.ErrConnLost
		_, _, err = readBack(t.Context(), st, l)
		require.ErrorIs(t, err, client.ErrConnLost)
		require.ErrorContains(t, err, "read key chaos-000000000")

		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errInterrupted)
		_, _, err = readBack(ctx, st, l)
		require.ErrorIs(t, err, errInterrupted)
	})
}

func TestReadBackNeedsTheListing(t *testing.T) {
	st := newMemStore(1)
	require.NoError(t, st.Set(t.Context(), []byte("chaos-7"), nil))
	for _, known := range [][]byte{keyName(0), keyName(2)} {
		require.True(t, isKeyName(known, 3))
	}
	for _, strange := range []string{"", "chaos-", "chaos-7", "0000000001", "chaos-0000000003", "chaos--000000001"} {
		require.False(t, isKeyName([]byte(strange), 3), "%q", strange)
	}
	_, extra, err := readBack(t.Context(), st, newLedger(1, 3, 1))
	require.NoError(t, err)
	require.Equal(t, []string{"chaos-7"}, extra)

	st.reads = client.ErrConnLost
	_, err = strangers(t.Context(), st, 3)
	require.ErrorIs(t, err, client.ErrConnLost)
}

func TestStrangersAreReportedOnce(t *testing.T) {
	c := newCampaign(smallConfig(t), nil)
	saw := make([]sighting, c.cfg.Keys)
	c.settle(saw, []string{"lost+found"})
	c.settle(saw, []string{"lost+found"})
	require.EqualValues(t, 1, c.tally.readBack.Phantom)
	require.Equal(t, "lost+found", c.tally.examples[0].Key)
}

func smallConfig(t *testing.T) Config {
	cfg, err := Config{Server: []string{"none"}, Writers: 1, Readers: 1, Keys: 20, Seed: 1}.withDefaults()
	require.NoError(t, err)
	return cfg
}

// timeoutStore is a store that never answers a write in time.
type timeoutStore struct{ *memStore }

func (timeoutStore) Set(context.Context, []byte, []byte) error { return errTimeout }

func (timeoutStore) Delete(context.Context, []byte) (bool, error) { return false, errTimeout }

func (timeoutStore) BulkSet(context.Context, []client.Pair) error { return errTimeout }

// killedStore is killed before a Set reaches it.
type killedStore struct {
	*memStore
	kill func()
}

func (s killedStore) Set(ctx context.Context, key, value []byte) error {
	s.kill()
	return s.memStore.Set(ctx, key, value)
}

var errTimeout = refusal(client.Unknown, 0)

// A kill takes a while from the command to the blow, in which writers write on. What began meanwhile
// is in flight as much as what began before; what begins later is not.
func TestWritesBegunUntilTheBlowAreCaughtByTheKill(t *testing.T) {
	c := newCampaign(smallConfig(t), nil)
	p := c.newPhase(t.Context(), newMemStore(0))
	before := time.Now()
	require.False(t, p.caughtByKill(before), "nobody has been killed")
	p.kill(func() {
		require.True(t, p.caughtByKill(before), "what the kill ends must find it noted")
		require.True(t, p.caughtByKill(time.Now()), "the blow is not struck yet")
		require.NoError(t, p.on.Err(), "writers go on until the kill")
	})
	require.Error(t, p.on.Err())
	require.True(t, p.caughtByKill(before))
	require.False(t, p.caughtByKill(time.Now().Add(time.Second)))
}

// A server that cuts its own power at a moment that it alone knows is being killed from the command on.
func TestWritesOfADoomedPhaseAreCaught(t *testing.T) {
	c := newCampaign(smallConfig(t), nil)
	p := c.newPhase(t.Context(), newMemStore(0))
	p.doomed.Store(true)
	require.True(t, p.caughtByKill(time.Now()))
	p.kill(func() {})
	require.False(t, p.caughtByKill(time.Now().Add(time.Second)))
}
