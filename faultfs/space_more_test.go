package faultfs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/vfs"
)

// scribble makes a disk with a random history of n calls, in directories too.
func scribble(t *testing.T, seed uint64, n int) *Disk {
	d := NewDisk()
	scribbleOn(t, d, rand.New(rand.NewPCG(seed, 2)), n)
	return d
}

func scribbleOn(t *testing.T, d *Disk, rng *rand.Rand, n int) {
	names := []string{"a", "b", "d/a", "d/b", "e/a"}
	dirs := []string{"/", "d", "e"}
	name := func() string { return names[rng.IntN(len(names))] }
	for range n {
		_ = d.MkdirAll(dirs[rng.IntN(3)], 0o755)
		f, err := d.OpenFile(name(), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			continue // its directory is not there
		}
		info, err := f.Stat()
		require.NoError(t, err)
		size := info.Size()
		switch rng.IntN(12) {
		case 0, 1, 2, 3:
			b := make([]byte, 1+rng.IntN(1500))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			_, err = f.WriteAt(b, rng.Int64N(size+1))
		case 4, 5:
			err = f.Sync()
		case 6:
			err = f.Truncate(rng.Int64N(size + 600))
		case 7:
			err = f.(vfs.SyncFailer).FailSync([]vfs.Personality{vfs.PagesClean, vfs.CacheReverted}[rng.IntN(2)])
		case 8:
			_ = d.SyncDir(dirs[rng.IntN(3)])
		case 9:
			_ = d.Rename(name(), name())
		case 10:
			_ = d.Remove(name())
		case 11:
			_ = d.Rename(dirs[1+rng.IntN(2)], dirs[1+rng.IntN(2)])
		}
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}

// treeText reads everything on a disk.
func treeText(t *testing.T, d *Disk) string {
	text := ""
	require.NoError(t, afero.Walk(d, "/", func(name string, info os.FileInfo, err error) error {
		require.NoError(t, err)
		if info.IsDir() {
			text += name + "/\n"
			return nil
		}
		b, err := afero.ReadFile(d, name)
		text += fmt.Sprintf("%s %d %x\n", name, info.Size(), b)
		return err
	}))
	return text
}

func TestEverythingIsWhatCallersSaw(t *testing.T) {
	for seed := range uint64(300) {
		d := scribble(t, seed, 12)
		require.Equal(t, treeText(t, d), treeText(t, d.Space(d.Points(), Weak).Everything().Disk()), "seed %d", seed)
	}
}

func TestIDsRebuildTheirStates(t *testing.T) {
	for seed := range uint64(60) {
		d := scribble(t, seed, 12)
		for _, p := range Profiles() {
			for k := 0; k <= d.Points(); k += 3 {
				space := d.Space(k, p)
				ids := map[string]bool{}
				for st := range space.Some(50, seed) {
					require.False(t, ids[st.ID()], "two states are called %s", st.ID())
					ids[st.ID()] = true
					again, err := d.Space(k, p).State(st.ID())
					require.NoError(t, err, "seed %d", seed)
					require.Equal(t, st.Hash(), again.Hash(), "seed %d: %s is another state now", seed, st.ID())
					require.Equal(t, st.ID(), again.ID())
				}
			}
		}
	}
}

func TestIDsThatAreNone(t *testing.T) {
	d := NewDisk()
	require.NoError(t, afero.WriteFile(d, "f", []byte("x"), 0o644))
	space := d.Space(d.Points(), Weak)
	for _, id := range []string{"", "X1", "!", "-1", "zzzz", "0Xzzz", "1X!", "1XX", "0X1"} {
		_, err := space.State(id)
		require.ErrorContains(t, err, id)
	}
}

// TestOtherProfilesPromiseMore: what they allow is legal under Weak as well, and
// what Weak makes of everything or nothing is a state of its own.
func TestOtherProfilesPromiseMore(t *testing.T) {
	for seed := range uint64(150) {
		d := scribble(t, seed, 8)
		weak := d.Space(d.Points(), Weak)
		for _, p := range Profiles()[1:] {
			space := d.Space(d.Points(), p)
			for st := range space.Some(100, seed) {
				require.True(t, weak.Contains(st), "seed %d: %s has state %s, which is not legal", seed, p, st.ID())
			}
			require.True(t, space.Contains(space.Everything()), "seed %d: %s cannot have everything", seed, p)
		}
	}
}

// TestStrongProfilesOnASwap: only the weak model shows what a missing sync costs
// where the journal happens to help.
func TestStrongProfilesOnASwap(t *testing.T) {
	w := newTwins(t)
	w.durable("cur", 200)
	w.create("tmp")
	w.append("tmp", 100)
	w.rename("tmp", "cur")
	counts := map[Profile]uint64{}
	for _, p := range Profiles() {
		counts[p], _ = w.d.Space(w.d.Points(), p).Count()
	}
	// Before it; an empty file or a whole one beside the old; the swap, which has
	// flushed the data on ext4 and may leave nothing elsewhere.
	require.Equal(t, map[Profile]uint64{Weak: 22, Ext4: 1 + 2 + 1, XFS: 1 + 2 + 2, Btrfs: 1 + 2 + 2}, counts)
}

func TestSomeIsBoundedAndDistinct(t *testing.T) {
	for seed := range uint64(40) {
		d := scribble(t, seed, 30)
		for _, max := range []int{0, 1, 7, 100} {
			space := d.Space(d.Points(), Weak)
			seen := map[uint64]bool{}
			for st := range space.Some(max, seed) {
				require.True(t, space.Contains(st))
				seen[st.Hash()] = true
			}
			n, capped := space.Count()
			require.LessOrEqual(t, len(seen), max)
			if !capped && n > 200 {
				require.Equal(t, max, len(seen), "seed %d: there are %d", seed, n)
			}
		}
	}
}

// TestReadsDecide: whoever learns the same facts from two contents, and does not
// look further, cannot tell them apart.
func TestReadsDecide(t *testing.T) {
	look := func(d *Disk, rng *rand.Rand) string {
		text := ""
		for range 6 {
			name := []string{"a", "b", "d/a", "d/b", "e/a", "d", "/"}[rng.IntN(7)]
			f, err := d.Open(name)
			text += fmt.Sprint(name, err)
			if err != nil {
				continue
			}
			switch rng.IntN(3) {
			case 0:
				b := make([]byte, 1+rng.IntN(900))
				n, err := f.ReadAt(b, rng.Int64N(1200))
				text += fmt.Sprintf("%x %v", b[:n], err)
			case 1:
				names, err := f.Readdirnames(-1)
				text += fmt.Sprint(names, err)
			case 2:
				_ = f.(*diskFile).Truncate(rng.Int64N(900))
				_, err := f.Seek(0, 2)
				text += fmt.Sprint(err)
			}
			_ = f.Close()
		}
		return text
	}
	same := 0
	for seed := range uint64(150) {
		d := scribble(t, seed, 10)
		seen := map[string]string{} // facts with their values -> what was seen
		for st := range d.Space(d.Points(), Weak).Some(60, seed) {
			disk := st.Disk()
			text := look(disk, rand.New(rand.NewPCG(seed, 3)))
			key := ""
			for _, f := range disk.Reads() {
				key += fmt.Sprint(f, st.Value(f), " ")
			}
			if other, ok := seen[key]; ok {
				same++
				require.Equal(t, other, text, "seed %d: the same facts, and another view: %s", seed, key)
			}
			seen[key] = text
		}
	}
	require.NotZero(t, same)
}

// TestKilledKeepsTheCacheAndForcesNothing: a process that starts after a kill
// sees everything, and a power cut then may leave what one at the kill might
// have left, no more and no less.
func TestKilledKeepsTheCacheAndForcesNothing(t *testing.T) {
	for seed := range uint64(100) {
		d := scribble(t, seed, 8)
		for k := 0; k <= d.Points(); k += 4 {
			killed := d.Killed(k)
			before, after := d.Space(k, Weak), killed.Space(0, Weak)
			require.Equal(t, treeText(t, before.Everything().Disk()), treeText(t, killed), "seed %d, point %d", seed, k)
			n, _ := before.Count()
			m, _ := after.Count()
			require.Equal(t, n, m, "seed %d, point %d", seed, k)
			for st := range after.Some(40, seed) {
				require.True(t, before.Contains(st), "seed %d, point %d: state %s", seed, k, st.ID())
			}
			for _, n := range killed.nodes {
				if n.old {
					require.NotEmpty(t, n.origin)
				}
			}
		}
	}
}

// TestKilledThenPowerCut: what was read from the cache after a kill, and never
// synced, is lost by a power cut; syncing it then saves it.
func TestKilledThenPowerCut(t *testing.T) {
	w := newTwins(t)
	w.durable("f", 100)
	w.append("f", 100)
	killed := w.d.Killed(w.d.Points())
	b, err := afero.ReadFile(killed, "f")
	require.NoError(t, err)
	require.Len(t, b, 200)
	n, _ := killed.Space(killed.Points(), Weak).Count()
	require.EqualValues(t, 4, n)
	f, err := killed.OpenFile("f", os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	n, _ = killed.Space(killed.Points(), Weak).Count()
	require.EqualValues(t, 1, n)
}

// TestKilledSharesNothingThatItWritesTo: what happens after a kill changes neither
// what the disk before it may leave nor what was on it at the kill.
func TestKilledSharesNothingThatItWritesTo(t *testing.T) {
	w := newTwins(t)
	w.durable("f", 2*SectorBytes)
	k := w.d.Points()
	before := treeText(t, w.d.Space(k, Weak).Everything().Disk())
	killed := w.d.Killed(k)
	f, err := killed.OpenFile("f", os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("overwritten"), SectorBytes)
	require.NoError(t, err)
	require.Equal(t, before, treeText(t, w.d.Space(k, Weak).Everything().Disk()))
	require.Equal(t, before, treeText(t, killed.Space(0, Weak).Everything().Disk()))
	require.NotEqual(t, before, treeText(t, killed))
}

func TestHistoryDoesNotChange(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		d := NewDisk()
		scribbleOn(t, d, rng, 8)
		k := d.Points()
		counts := func() (list []uint64) {
			for _, p := range Profiles() {
				for at := range k + 1 {
					n, _ := d.Space(at, p).Count()
					list = append(list, n)
				}
			}
			return list
		}
		before := counts()
		scribbleOn(t, d, rng, 8)
		require.Equal(t, before, counts(), "seed %d", seed)
	}
}

func TestCrashLeavesALegalContent(t *testing.T) {
	for seed := range uint64(100) {
		for _, keep := range keeps {
			d := scribble(t, seed, 8)
			require.Nil(t, d.After())
			lost, err := d.Crash(seed, keep)
			require.NoError(t, err)
			space := d.Space(d.Points(), Weak)
			left := d.After().Space(0, Weak).Everything()
			require.True(t, space.Contains(left), "seed %d, keep %s", seed, keep)
			if space.Contains(left) && treeText(t, d.After()) == treeText(t, space.Everything().Disk()) {
				require.Zero(t, lost)
			}
			_, err = d.Crash(seed, keep)
			require.ErrorIs(t, err, vfs.ErrCrashed)
		}
	}
	_, err := NewDisk().Crash(1, "all")
	require.ErrorContains(t, err, "all")
}

func TestReadDiskCopiesATree(t *testing.T) {
	from := afero.NewMemMapFs()
	require.NoError(t, afero.WriteFile(from, "/top/d/f", []byte("text"), 0o600))
	require.NoError(t, afero.WriteFile(from, "/top/g", make([]byte, 2000), 0o600))
	d, err := ReadDisk(from, "/top")
	require.NoError(t, err)
	require.Equal(t, "//\n/d/\n/d/f 4 74657874\n/g 2000 "+fmt.Sprintf("%x", make([]byte, 2000))+"\n", treeText(t, d))
	require.Zero(t, d.Points())
	n, _ := d.Space(0, Weak).Count()
	require.EqualValues(t, 1, n)
	_, err = ReadDisk(from, "/nowhere")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "/nowhere")
}

func TestCallsAreDescribed(t *testing.T) {
	w := newTwins(t)
	require.NoError(t, w.d.Mkdir("d", 0o755))
	w.create("f")
	w.write("f", 10, 20)
	w.truncate("f", 5)
	w.preallocate("f", 4096)
	w.sync("f")
	w.syncDir()
	w.rename("f", "g")
	w.failSync("g")
	w.remove("g")
	var calls []string
	for k := range w.d.Points() {
		calls = append(calls, w.d.Call(k+1))
	}
	require.Equal(t, []string{"mkdir /d", "create /f", "write /f 10+20", "truncate /f 5", "preallocate /f 4096",
		"sync /f", "syncdir /", "rename /f /g", "failed sync /g", "remove /g"}, calls)
	require.Empty(t, w.d.Call(0))
	require.Empty(t, w.d.Call(100))
}

func TestSurvivorsAreDescribed(t *testing.T) {
	w := newTwins(t)
	w.durable("old", 100)
	w.create("new")
	w.append("new", 600)
	w.remove("old")
	want := map[string]bool{
		"name /new there": true, "name /old gone": true, "size /new 600": true,
		"data /new 0+512 written": true, "data /new 512+512 garbage": true, "data /new 0+512 stale bytes": true,
	}
	for st := range w.d.Space(w.d.Points(), Weak).All() {
		for _, line := range st.Survivors() {
			delete(want, line)
		}
	}
	require.Empty(t, want)
	for st := range w.d.Space(w.d.Points(), Weak).Some(1, 0) {
		require.Empty(t, st.Survivors(), "nothing was kept")
	}
}
