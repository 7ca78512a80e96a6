package kv

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const matrixSector = 512

// How the life of a store under damage ended.
const (
	endClosed = "closed"               // by Close
	endKilled = "killed"               // by SIGKILL, between two groups
	endTorn   = "killed while writing" // with part of a group behind what was acknowledged
)

// matrixStore is a store to damage, and what is known of it.
type matrixStore struct {
	ending string
	files  map[string][]byte
	names  []string // of files, in order

	// states holds what the store held after each acknowledged write, by the
	// sequence number of its last record; acked is the newest.
	states map[uint64]contents
	acked  contents
	bound  uint64 // the manifest says that the log is durable up to this sequence number
	newest string // the manifest that counts
	active string // the segment whose tail is open; empty once it is closed
	cut    int64  // what an undamaged copy has cut

	// stale is what each sector held before, in a file's name and a number.
	stale map[string]map[int][][]byte
	// tail is the group in flight, at tailAt of the active segment.
	tail   []byte
	tailAt int64
}

// buildMatrixStore makes a small store that has some of everything: sealed
// segments, copies that recoveries wrote, an open segment, two manifests,
// overwrites, deletes, batches and a value of several sectors.
func buildMatrixStore(t testing.TB, seed uint64, ending string) *matrixStore {
	t.Helper()
	m := &matrixStore{ending: ending, states: map[uint64]contents{}, acked: contents{}, stale: map[string]map[int][][]byte{}}
	fsys := newMatrixFs(nil)
	fsys.stale = m.remember
	rng := rand.New(rand.NewPCG(seed, 1))
	// The first life fills some segments, the second one begins in the middle.
	var db *DB
	for life, segmentBytes := range []int64{4 << 10, 4 << 10, 8 << 10} {
		if life > 0 {
			abandon(db)
		}
		if life == 2 {
			// From here on a crash came before the older manifest was removed.
			newest := newestManifest(t, fsys)
			fsys.keep = func(name string) bool { return strings.HasPrefix(name, manifestPrefix) && name > newest }
		}
		db = mustOpen(t, fsys, &Options{SegmentBytes: segmentBytes, BoundEvery: time.Hour})
		m.write(t, db, rng, []int{70, 25, 45}[life])
	}
	m.end(t, db, fsys)
	m.files = fsys.contents()
	m.names = slices.Sorted(maps.Keys(m.files))
	m.noteBound(t, fsys)
	db = mustOpen(t, newMatrixFs(m.files), small)
	require.NoError(t, m.differs(db, m.acked))
	m.cut = db.Stats().Recovery.CutBytes
	require.NoError(t, db.Close())
	return m
}

func newestManifest(t testing.TB, fsys *matrixFs) string {
	t.Helper()
	names := slices.Sorted(maps.Keys(fsys.contents()))
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, manifestPrefix) })
	require.NotEmpty(t, names)
	return names[len(names)-1]
}

// write makes up to n acknowledged writes.
func (m *matrixStore) write(t testing.TB, db *DB, rng *rand.Rand, n int) {
	t.Helper()
	for i := range n {
		if db.committer.tail.offset > 5<<10 {
			return // a group in flight has to fit behind it
		}
		key := func() string { return fmt.Sprintf("key-%02d", rng.IntN(30)) }
		value := fmt.Sprintf("%d-%s", i, strings.Repeat("v", rng.IntN(60)))
		switch draw := rng.IntN(10); {
		case i == 20:
			m.set(t, db, "large", strings.Repeat("many sectors ", 110)+value)
		case draw < 7:
			m.set(t, db, key(), value)
		case draw < 8:
			k := key()
			_, err := db.Delete([]byte(k))
			require.NoError(t, err)
			delete(m.acked, k)
		default:
			a, b, c := key(), key(), key()
			require.NoError(t, db.Apply(batchOf(a, value, b, value+"b", c, value+"c")))
			m.acked[a] = value
			m.acked[b] = value + "b"
			m.acked[c] = value + "c"
		}
		m.states[db.Stats().LastSeq] = maps.Clone(m.acked)
	}
}

func (m *matrixStore) set(t testing.TB, db *DB, key, value string) {
	t.Helper()
	require.NoError(t, db.Set([]byte(key), []byte(value)))
	m.acked[key] = value
}

// end ends the store's life.
func (m *matrixStore) end(t testing.TB, db *DB, fsys *matrixFs) {
	t.Helper()
	seg, at := db.committer.active, db.committer.tail
	if m.ending == endClosed {
		require.NoError(t, db.Close())
		return
	}
	m.active = seg.name
	abandon(db)
	b := new(Batch)
	for i := range 4 {
		b.Set(fmt.Appendf(nil, "key-%02d", i), bytes.Repeat([]byte("never acknowledged "), 25))
	}
	m.tail, m.tailAt = nil, at.offset
	for i, op := range b.ops {
		flags := uint8(flagMore)
		if i == len(b.ops)-1 {
			flags = 0
		}
		rec := appendRecord(nil, op.kind, flags, op.key, op.value)
		at.place(rec)
		m.tail = append(m.tail, rec...)
	}
	require.Less(t, m.tailAt+int64(len(m.tail)), seg.header.capacity)
	if m.ending == endTorn {
		f, err := fsys.Open("/" + m.active)
		require.NoError(t, err)
		torn := bytes.Clone(m.tail)
		clear(torn[700:1300])
		_, err = f.WriteAt(torn, m.tailAt)
		require.NoError(t, err)
	}
}

// noteBound reads from the newest manifest what it says is durable.
func (m *matrixStore) noteBound(t testing.TB, fsys *matrixFs) {
	t.Helper()
	m.newest = newestManifest(t, fsys)
	parsed, _, err := parseManifest(m.files[m.newest])
	require.NoError(t, err)
	m.bound = parsed.lastSeq()
	if m.ending == endClosed {
		require.Equal(t, slices.Max(slices.Collect(maps.Keys(m.states))), m.bound)
	} else {
		require.NotContains(t, []uint64{0, slices.Max(slices.Collect(maps.Keys(m.states)))}, m.bound)
	}
}

// remember keeps what the sectors that a write touches held before.
func (m *matrixStore) remember(name string, _ int64, old []byte) {
	sectors := m.stale[name]
	if sectors == nil {
		sectors = map[int][][]byte{}
		m.stale[name] = sectors
	}
	for at := 0; at < len(old); at += matrixSector {
		sector := old[at:min(at+matrixSector, len(old))]
		known := sectors[at/matrixSector]
		if len(known) == 0 || !bytes.Equal(known[len(known)-1], sector) {
			sectors[at/matrixSector] = append(known, bytes.Clone(sector))
		}
	}
}

// differs says how db differs from want, by Get of every key that there ever
// was, and by Scan.
func (m *matrixStore) differs(db *DB, want contents) error {
	for i := range 31 {
		key := fmt.Sprintf("key-%02d", i)
		if i == 30 {
			key = "large"
		}
		got, err := db.Get([]byte(key))
		value, exists := want[key]
		switch {
		case exists && err != nil:
			return fmt.Errorf("key %q: %w", key, err)
		case exists && string(got) != value:
			return fmt.Errorf("key %q has the wrong value", key)
		case !exists && err == nil:
			return fmt.Errorf("key %q should not be there", key)
		}
	}
	n := 0
	for p, err := range db.Scan(ScanOptions{}) {
		if err != nil {
			return err
		}
		if value, exists := want[string(p.Key)]; !exists || value != string(p.Value) {
			return fmt.Errorf("the scan has the wrong value for key %q", p.Key)
		}
		n++
	}
	if n != len(want) {
		return fmt.Errorf("the scan has %d keys, want %d", n, len(want))
	}
	return nil
}
