package kv

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLegalTornTailsAreNeverCalledDamage enumerates what a crash may leave of
// the group in flight: every length of it, and for every 512-byte sector that it
// touches what was written, what was there before, garbage, or what an older
// file left in that space, in every combination. Such a store must open with
// everything acknowledged and with the group whole or not at all, Check must
// not call it damaged, and it must take writes and open again.
//
// The sample takes some of the combinations, -damage.full all of them, and
// -damage.seed replays.
func TestLegalTornTailsAreNeverCalledDamage(t *testing.T) {
	seed := *damageSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed: -damage.seed=%d", seed)
	m := buildMatrixStore(t, seed, endKilled)
	older := buildMatrixStore(t, seed+1, endClosed)
	rng := rand.New(rand.NewPCG(seed, 4))
	run := tailRun{t: t, m: m, group: contents{}}
	for key, value := range m.acked {
		run.group[key] = value
	}
	for i := range 4 {
		run.group[fmt.Sprintf("key-%02d", i)] = string(bytes.Repeat([]byte("never acknowledged "), 25))
	}
	skip := func() bool { return !*damageFull && rng.IntN(4) > 0 }
	for length := range len(m.tail) + 1 {
		if length%8 != 0 && skip() {
			continue
		}
		run.try(overlay(m.files[m.active], m.tail[:length], m.tailAt), func() string { return fmt.Sprintf("%d bytes of the group", length) })
	}
	sectors := m.tailSectors(older)
	combinations := 1
	for _, choices := range sectors {
		combinations *= len(choices)
	}
	for n := range combinations {
		if n > 0 && skip() { // 0 is all of the group
			continue
		}
		tail := make([]byte, 0, len(m.tail)+matrixSector)
		for left, i := n, 0; i < len(sectors); i++ {
			tail = append(tail, sectors[i][left%len(sectors[i])]...)
			left /= len(sectors[i])
		}
		run.try(overlay(m.files[m.active], tail, m.tailAt), func() string { return fmt.Sprintf("combination %d of the sectors", n) })
	}
	t.Logf("%d legal tails of %d (%d lengths, %d combinations of %d sectors): %d cut, %d with nothing of the group left, %d with all of it, 0 called damage",
		run.cut+run.gone+run.whole, len(m.tail)+1+combinations, len(m.tail)+1, combinations, len(sectors), run.cut, run.gone, run.whole)
	require.Positive(t, run.cut)
	require.Positive(t, run.gone)
	require.Positive(t, run.whole)
}

// tailSectors returns what each sector of the group in flight may hold after a
// crash. The first choice is what was written.
func (m *matrixStore) tailSectors(older *matrixStore) (choices [][][]byte) {
	end := m.tailAt + int64(len(m.tail))
	recycled := append(bytes.Clone(older.files[segmentName(2)]), older.files[segmentName(1)]...)
	for at := m.tailAt; at < end; {
		next := min(at/matrixSector*matrixSector+matrixSector, end)
		n := next - at
		choices = append(choices, [][]byte{
			m.tail[at-m.tailAt : next-m.tailAt],
			make([]byte, n),
			garbage(uint64(at), int(n)),
			recycled[at%1024:][:n],
		})
		at = next
	}
	return choices
}

func overlay(b, piece []byte, at int64) []byte {
	b = bytes.Clone(b)
	copy(b[at:], piece)
	return b
}

type tailRun struct {
	t                *testing.T
	m                *matrixStore
	group            contents // the store with the group in flight
	cut, gone, whole int
}

func (r *tailRun) try(active []byte, what func() string) {
	files := map[string][]byte{}
	for name, b := range r.m.files {
		files[name] = b
	}
	files[r.m.active] = active
	if err := r.open(newMatrixFs(files)); err != nil {
		require.NoError(r.t, err, what())
	}
}

func (r *tailRun) open(fsys *matrixFs) error {
	report, err := Check(fsys, dir, nil)
	if err != nil {
		return err
	}
	db, openErr := Open(fsys, dir, small)
	if err := agrees(report, openErr, db, nil); err != nil {
		return err
	}
	if openErr != nil {
		return openErr
	}
	now := r.m.acked
	cut := db.Stats().Recovery.CutBytes
	switch whole := r.m.differs(db, r.group) == nil; {
	case whole && cut == 0:
		r.whole++
		now = r.group
	case whole:
		return errors.New("the group is there, and something was cut")
	case cut > 0:
		r.cut++
	default:
		r.gone++
	}
	if err := r.m.differs(db, now); err != nil {
		return err
	}
	return r.m.goOn(db, fsys, now)
}

// A manifest that was being written when the power went may have any length,
// and hold anything in each of its sectors.
func TestLegalTornManifestsAreNeverCalledDamage(t *testing.T) {
	m := buildMatrixStore(t, 1, endKilled)
	generation, ok := manifestGeneration(m.newest)
	require.True(t, ok)
	parsed, _, err := parseManifest(m.files[m.newest])
	require.NoError(t, err)
	parsed.generation = generation + 1
	whole := parsed.encode()
	for length := 0; length <= len(whole); length += 31 {
		m.requireWhole(t, manifestName(generation+1), whole[:length])
	}
	combinations := 1 << (2 * sectorsOf(len(whole)))
	for n := range combinations {
		content := bytes.Clone(whole)
		for i, left := int32(0), n; int(i) < sectorsOf(len(whole)); i, left = i+1, left/4 {
			switch sector := sectorAt(content, i); left % 4 {
			case 1:
				clear(sector)
			case 2:
				copy(sector, garbage(uint64(i), matrixSector))
			case 3:
				copy(sector, sectorAt(m.files[m.newest], i))
			}
		}
		m.requireWhole(t, manifestName(generation+1), content)
	}
}

// requireWhole opens the store with one more file, and holds it against what was
// acknowledged.
func (m *matrixStore) requireWhole(t *testing.T, name string, content []byte) {
	t.Helper()
	files := map[string][]byte{name: content}
	for name, b := range m.files {
		files[name] = b
	}
	fsys := newMatrixFs(files)
	report, err := Check(fsys, dir, nil)
	require.NoError(t, err)
	require.Equal(t, VerdictClean, report.Verdict, "%+v", report.Damages)
	db, err := Open(fsys, dir, small)
	require.NoError(t, err)
	require.NoError(t, m.differs(db, m.acked))
	require.NoError(t, m.goOn(db, fsys, m.acked))
}
