package faultfs

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// readingDisk has n sectors in two files, each of which a crash loses or not.
func readingDisk(t require.TestingT, n int) (*Space, []Fact) {
	d := NewDisk()
	var facts []Fact
	for _, name := range []string{"/a", "/b"} {
		f, err := d.Create(name)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(int64(n*SectorBytes)))
		require.NoError(t, f.Sync())
		for i := range n {
			_, err := f.WriteAt([]byte{1}, int64(i*SectorBytes))
			require.NoError(t, err)
			facts = append(facts, Fact{Kind: FactSector, Path: name, At: int64(i)})
		}
	}
	require.NoError(t, d.SyncDir("/"))
	return d.Space(d.Points(), Weak), facts
}

// The tree recognises exactly the contents that a program cannot tell apart,
// whatever it chooses to read next.
func TestReadTreeKnowsWhatAProgramCannotTellApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		space, facts := readingDisk(t, 4)
		rules := rapid.SliceOfN(rapid.IntRange(0, 1000), 16, 16).Draw(t, "rules")
		program := func(s *State) (reads []Fact, seen string) {
			x := rules[0]
			for len(reads) < rules[1]%7 && x%5 > 0 {
				f := facts[x%len(facts)]
				v := s.Value(f)
				reads = append(reads, f)
				seen += fmt.Sprintf("%v=%d;", f, v)
				x = rules[(x+int(v%97)+len(reads))%len(rules)]
			}
			return reads, seen
		}
		var tree readTree
		known := map[string]*result{}
		visited := 0
		for s := range space.Some(200, 1) {
			visited++
			reads, seen := program(&s)
			got := tree.find(&s)
			require.Same(t, known[seen], got)
			if got == nil {
				o := &result{}
				require.NoError(t, tree.insert(&s, reads, o))
				known[seen] = o
				require.Same(t, o, tree.find(&s))
			}
		}
		require.Greater(t, visited, 100)
	})
}

func TestReadTreeRefusesWhatNoProgramDoes(t *testing.T) {
	space, facts := readingDisk(t, 2)
	for want, runs := range map[string][2][]Fact{
		"after 1 equal reads it once read sector 1 of /a and once sector 0 of /b": {{facts[0], facts[1]}, {facts[0], facts[2]}},
		"after 1 equal reads it once ended and once read sector 1 of /a":          {{facts[0], facts[1]}, {facts[0]}},
		"after 2 equal reads it once ended and once read sector 0 of /b":          {{facts[0], facts[1]}, {facts[0], facts[1], facts[2]}},
		"all that it read was equal, and it was not recognised":                   {{facts[0]}, {facts[0]}},
		"after 0 equal reads it once ended and once read sector 0 of /a":          {{}, {facts[0]}},
	} {
		var tree readTree
		s := space.Everything()
		require.NoError(t, tree.insert(&s, runs[0], &result{}))
		require.EqualError(t, tree.insert(&s, runs[1], &result{}), want)
	}
}

func TestFactsHaveNames(t *testing.T) {
	require.Equal(t, "whether there is /a", Fact{Kind: FactName, Path: "/a"}.String())
	require.Equal(t, "the names in /", Fact{Kind: FactNames, Path: "/"}.String())
	require.Equal(t, "the size of /a", Fact{Kind: FactSize, Path: "/a"}.String())
	require.Equal(t, "sector 3 of /a", Fact{Kind: FactSector, Path: "/a", At: 3}.String())
}

func TestTalliesStayAtTheirEnd(t *testing.T) {
	n := tally{legal: 1<<64 - 2}
	n.addLegal(1, false)
	require.False(t, n.legalIsMin)
	n.addLegal(5, false)
	require.Equal(t, tally{legal: 1<<64 - 1, legalIsMin: true}, n)
}

func TestClassesOfReasons(t *testing.T) {
	require.Equal(t, classOf(`key "a\"b" is 12, want 3`), classOf(`key "c" is 9, want 44`))
	require.NotEqual(t, classOf(`key "a" is lost`), classOf(`key "a" is torn`))
}

// A crash at the point of an event comes after it; what a word notes before its
// first call belongs to a crash point of the word before.
func TestRecordsPlaceEvents(t *testing.T) {
	call := func(r *Run) { require.NoError(t, r.FS().Mkdir(fmt.Sprint(r.disk.Points()), 0o777)) }
	run := func(f func(r *Run)) record {
		rec, err := live(NewDisk(), func(r *Run) error { f(r); return nil })
		require.NoError(t, err)
		return rec
	}
	rec := run(func(r *Run) {
		r.Note("start")
		r.Step()
		call(r)
		call(r)
		r.Note("two")
		r.Step()
		call(r)
		r.Note("three")
		r.PowerOff()
		r.Note("nothing counts any more")
		r.Step()
		require.Error(t, r.FS().Mkdir("/late", 0o777))
	})
	require.Equal(t, []int{1, 1, 2, 3, 3}, []int{rec.before(0), rec.before(1), rec.before(2), rec.before(3), rec.before(9)})
	require.Equal(t, 3, rec.points)
	require.Equal(t, 3, rec.lastWord(), "point 2 is the last one of the plan with one word")

	rec = run(func(r *Run) { call(r); r.Step(); r.Note("seen"); call(r) })
	require.Equal(t, 1, rec.lastWord(), "the plan without the word has not seen this")
	require.Zero(t, (&record{}).lastWord())
}
