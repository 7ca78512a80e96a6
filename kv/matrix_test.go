package kv

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	damageFull = flag.Bool("damage.full", false, "TestDamageMatrix: every case, not a sample; takes minutes")
	damageSeed = flag.Uint64("damage.seed", 0, "TestDamageMatrix: seed of the store and of the sample; 0 draws one")
)

// The outcomes of a case, in the order of the table. Those from outcomeWrong on
// are defects.
const (
	outcomeNone        = iota // every value right, nothing cut
	outcomeRefused            // refused, and a damaged file named
	outcomeConsequence        // refused by what a lost manifest had listed
	outcomeCut                // a counted cut of what nobody was told OK for
	outcomeDeclared           // out of scope by declaration: the last writes of all, cut and counted
	outcomeErased             // the same, with nothing but zeros left of them
	outcomeWrong              // a wrong or a missing value, and no word of it
	outcomeMisnamed           // refused, and no damaged file named
	outcomeOther              // another error
	outcomePanic
	outcomes
)

var outcomeNames = [outcomes]string{
	"no effect", "refused by name", "refused by consequence", "cut, unacknowledged", "declared: last writes cut",
	"declared: last writes erased", "WRONG OR LOST", "MISNAMED", "OTHER ERROR", "PANIC",
}

// TestDamageMatrix damages small stores in every way there is, opens them, and
// reads everything. The only outcomes allowed are no effect, an error that is
// ErrDamaged and names what was damaged, and a counted cut of bytes that were
// never acknowledged. What doc.go declares out of scope is counted on its own.
// Some cases go on: Check must agree with Open and change nothing, and a store
// that opens must take writes and still be right when it is opened again.
//
// A sample runs always. All of it, with its table:
//
//	go test ./kv -run TestDamageMatrix -damage.full -v
//
// and -damage.seed=N replays the cases of a seed that a run has printed. The
// ids in the stores are drawn anew all the same.
func TestDamageMatrix(t *testing.T) {
	seed := *damageSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed: -damage.seed=%d", seed)
	older := buildMatrixStore(t, seed+1, endClosed)
	var total matrixTable
	began := time.Now()
	for _, ending := range []string{endClosed, endKilled, endTorn} {
		m := buildMatrixStore(t, seed, ending)
		cases := m.cases(older)
		every := 10
		if !*damageFull {
			cases, every = sampleCases(cases, seed, 100), 1
		}
		run := &matrixRun{m: m, older: older, cases: cases, deepEvery: every}
		run.all()
		t.Logf("%s store: %d files, %d bytes\n%s", ending, len(m.files), m.bytes(), run.table.String())
		total.add(&run.table)
		require.Empty(t, run.defects, "%d defects", run.count)
	}
	t.Logf("all: %d cases, %d of them with Check and writes, in %v\n%s", total.cases(), total.deep, time.Since(began).Round(time.Millisecond), total.String())
	for _, must := range []int{outcomeNone, outcomeRefused, outcomeCut} {
		require.Positive(t, total.sum(must), "nothing ended in %q: the matrix cannot see", outcomeNames[must])
	}
}

// sampleCases draws up to n cases of each kind.
func sampleCases(all []damageCase, seed uint64, n int) (sample []damageCase) {
	rng := rand.New(rand.NewPCG(seed, 3))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var have [damageKinds]int
	for _, c := range all {
		if have[c.kind]++; have[c.kind] <= n {
			sample = append(sample, c)
		}
	}
	return sample
}

func (m *matrixStore) bytes() (n int) {
	for _, b := range m.files {
		n += len(b)
	}
	return n
}

// matrixRun tries cases on one store.
type matrixRun struct {
	m, older  *matrixStore
	cases     []damageCase
	deepEvery int // every which case goes on with Check and with writes

	next atomic.Int64

	mu      sync.Mutex
	table   matrixTable
	defects []string // the first ones
	count   int
}

func (r *matrixRun) all() {
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			var table matrixTable
			for i := r.next.Add(1) - 1; i < int64(len(r.cases)); i = r.next.Add(1) - 1 {
				r.try(r.cases[i], int(i)%r.deepEvery == 0, &table)
			}
			r.mu.Lock()
			r.table.add(&table)
			r.mu.Unlock()
		})
	}
	workers.Wait()
}

func (r *matrixRun) try(c damageCase, deep bool, table *matrixTable) {
	files, altered := r.m.apply(c, r.older)
	if len(altered) == 0 {
		return // the sector held that anyway
	}
	outcome, err := r.m.judge(files, altered, deep)
	table.counts[c.kind][outcome]++
	if deep {
		table.deep++
	}
	if outcome < outcomeWrong && err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count++; len(r.defects) < 20 {
		r.defects = append(r.defects, fmt.Sprintf("%s: %s: %v", r.m.describe(c), outcomeNames[outcome], err))
	}
}

// judge opens a damaged store and says how that ended. err is what makes it a
// defect.
func (m *matrixStore) judge(files map[string][]byte, altered []string, deep bool) (outcome int, err error) {
	defer func() {
		if p := recover(); p != nil {
			outcome, err = outcomePanic, fmt.Errorf("%v", p)
		}
	}()
	fsys := newMatrixFs(files)
	var report *CheckReport
	if deep {
		if report, err = Check(fsys, dir, nil); err != nil {
			return outcomeOther, fmt.Errorf("check: %w", err)
		}
		if fsys.changes > 0 {
			return outcomeOther, errors.New("check changed something")
		}
	}
	db, openErr := Open(fsys, dir, small)
	if deep {
		if err := agrees(report, openErr, db, altered); err != nil {
			return outcomeOther, err
		}
	}
	if openErr != nil {
		return judgeRefusal(openErr, altered)
	}
	outcome, now, err := m.judgeContents(db, files, altered)
	if err == nil && deep {
		return outcome, m.goOn(db, fsys, now)
	}
	return outcome, errors.Join(err, db.Close())
}

func judgeRefusal(err error, altered []string) (int, error) {
	var d *DamageError
	switch {
	case !errors.As(err, &d):
		return outcomeOther, err
	case namesOne(d.File, altered):
		return outcomeRefused, nil
	case strings.Contains(d.Reason, "the manifest that did is lost") && alteredManifest(altered):
		return outcomeConsequence, nil
	}
	return outcomeMisnamed, fmt.Errorf("%v, and the damage is in %v", err, altered)
}

func alteredManifest(altered []string) bool {
	return slices.ContainsFunc(altered, func(name string) bool { return strings.HasPrefix(name, manifestPrefix) })
}

// namesOne reports whether file is one of names. No single file can be named
// when no manifest is whole.
func namesOne(file string, names []string) bool {
	return slices.Contains(names, file) || file == manifestPrefix+"*" && alteredManifest(names)
}

// judgeContents holds an open store against what was acknowledged, and returns
// what it holds.
func (m *matrixStore) judgeContents(db *DB, files map[string][]byte, altered []string) (outcome int, now contents, err error) {
	cut := db.Stats().Recovery.CutBytes
	err = m.differs(db, m.acked)
	if err == nil {
		if cut != m.cut {
			return outcomeCut, m.acked, nil
		}
		return outcomeNone, m.acked, nil
	}
	// The last writes of a store that was not closed may be gone, with all that
	// tells, as far as the manifest's bound; nothing else may, and not because
	// the manifest is gone as well.
	_, _, manifestErr := parseManifest(files[m.newest])
	last := db.Stats().LastSeq
	state, known := m.states[last]
	if m.active == "" || !slices.Contains(altered, m.active) || !known || last < m.bound || manifestErr != nil || m.differs(db, state) != nil {
		return outcomeWrong, nil, err
	}
	if cut == 0 {
		return outcomeErased, state, nil
	}
	return outcomeDeclared, state, nil
}

// agrees holds the report of Check against what Open did.
func agrees(r *CheckReport, openErr error, db *DB, altered []string) error {
	damaged := errors.Is(openErr, ErrDamaged)
	switch {
	case damaged != (r.Verdict == VerdictDamaged):
		return fmt.Errorf("check says %s, open says: %v", r.Verdict, openErr)
	case damaged != (r.DamagesTotal > 0):
		return fmt.Errorf("check has %d damages, the first %+v; open says: %v", r.DamagesTotal, r.Damages, openErr)
	case openErr != nil:
		if !slices.ContainsFunc(r.Damages, func(d Damage) bool { return namesOne(d.File, altered) }) && !alteredManifest(altered) {
			return fmt.Errorf("check names %+v, and the damage is in %v", r.Damages, altered)
		}
		return nil
	}
	s := db.Stats()
	if r.CutBytes != s.Recovery.CutBytes || r.CutFile != s.Recovery.CutFile || r.CutOffset != s.Recovery.CutOffset {
		return fmt.Errorf("check expects %d bytes of %s to be cut, open cut %d of %s", r.CutBytes, r.CutFile, s.Recovery.CutBytes, s.Recovery.CutFile)
	}
	if r.Keys != s.Keys || r.Records != s.Recovery.Records || r.TouchedTotal > 0 || r.MissingRecords > 0 {
		return fmt.Errorf("check has %d keys and %d records, %d keys touched; open has %d keys and %d records",
			r.Keys, r.Records, r.TouchedTotal, s.Keys, s.Recovery.Records)
	}
	return nil
}

// goOn writes to a store that opened, closes it, and holds it against what it
// should hold when it is opened again.
func (m *matrixStore) goOn(db *DB, fsys *matrixFs, now contents) error {
	want := contents{}
	for key, value := range now {
		want[key] = value
	}
	delete(want, "key-00")
	_, deleteErr := db.Delete([]byte("key-00"))
	want["key-01"], want["key-02"], want["large"] = "1", "2", strings.Repeat("anew ", 1000)
	err := errors.Join(deleteErr, db.Set([]byte("large"), []byte(want["large"])), db.Apply(batchOf("key-01", "1", "key-02", "2")))
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("going on: %w", err)
	}
	again, err := Open(fsys, dir, small)
	if err != nil {
		return fmt.Errorf("opening again: %w", err)
	}
	return errors.Join(m.differs(again, want), again.Close())
}

// matrixTable counts cases by kind of damage and outcome.
type matrixTable struct {
	counts [damageKinds][outcomes]int
	deep   int
}

func (t *matrixTable) add(other *matrixTable) {
	for kind := range t.counts {
		for outcome := range t.counts[kind] {
			t.counts[kind][outcome] += other.counts[kind][outcome]
		}
	}
	t.deep += other.deep
}

func (t *matrixTable) sum(outcome int) (n int) {
	for kind := range t.counts {
		n += t.counts[kind][outcome]
	}
	return n
}

func (t *matrixTable) cases() (n int) {
	for outcome := range outcomes {
		n += t.sum(outcome)
	}
	return n
}

// String is the table in Markdown. The kinds of defects share a column; each
// defect is printed by itself.
func (t *matrixTable) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', tabwriter.Debug)
	row := func(name, cases string, cell func(outcome int) string, defects string) {
		fmt.Fprintf(w, "\t %s \t %s", name, cases)
		for outcome := range outcomeWrong {
			fmt.Fprintf(w, "\t %s", cell(outcome))
		}
		fmt.Fprintf(w, "\t %s\t\n", defects)
	}
	counts := func(name string, count func(outcome int) int) {
		cases, defects := 0, 0
		for outcome := range outcomes {
			cases += count(outcome)
			if outcome >= outcomeWrong {
				defects += count(outcome)
			}
		}
		row(name, fmt.Sprint(cases), func(outcome int) string { return fmt.Sprint(count(outcome)) }, fmt.Sprint(defects))
	}
	row("damage", "cases", func(outcome int) string { return outcomeNames[outcome] }, "DEFECTS")
	row("---", "---", func(int) string { return "---" }, "---")
	for kind, name := range damageNames {
		counts(name, func(outcome int) int { return t.counts[kind][outcome] })
	}
	counts("total", t.sum)
	w.Flush()
	return b.String()
}
