package faultfs

import (
	"bytes"
	goflag "flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/vfs"
)

// twins does every call on a Disk and on the brute model.
type twins struct {
	t *testing.T
	d *Disk
	b *brute
	n byte

	log []string
}

func (w *twins) note(args ...any) { w.log = append(w.log, fmt.Sprintln(args...)) }

func newTwins(t *testing.T) *twins { return &twins{t: t, d: NewDisk(), b: newBrute()} }

func (w *twins) create(name string) {
	w.note("create", name)
	f, err := w.d.Create(name)
	require.NoError(w.t, err)
	require.NoError(w.t, f.Close())
	w.b.create(name)
}

func (w *twins) with(name string, do func(afero.File) error) {
	f, err := w.d.OpenFile(name, os.O_RDWR, 0)
	require.NoError(w.t, err)
	require.NoError(w.t, do(f))
	require.NoError(w.t, f.Close())
}

// write writes n bytes that were never written before.
func (w *twins) write(name string, off, n int) {
	w.note("write", name, off, n)
	w.n++
	data := bytes.Repeat([]byte{w.n}, n)
	w.with(name, func(f afero.File) error { _, err := f.WriteAt(data, int64(off)); return err })
	w.b.write(name, off, data)
}

func (w *twins) append(name string, n int) { w.write(name, len(w.b.files[w.b.names[name]].data), n) }

func (w *twins) truncate(name string, size int) {
	w.note("truncate", name, size)
	w.with(name, func(f afero.File) error { return f.Truncate(int64(size)) })
	w.b.truncate(name, size)
}

func (w *twins) preallocate(name string, size int) {
	w.note("preallocate", name, size)
	w.with(name, func(f afero.File) error { return vfs.Preallocate(f, int64(size)) })
	w.b.preallocate(name, size)
}

func (w *twins) sync(name string) {
	w.note("sync", name)
	w.with(name, afero.File.Sync)
	w.b.sync(name)
}

func (w *twins) failSync(name string) {
	w.note("failed sync", name)
	w.with(name, func(f afero.File) error { return f.(vfs.SyncFailer).FailSync(vfs.PagesClean) })
	w.b.failSync(name)
}

func (w *twins) syncDir() {
	w.note("syncdir")
	require.NoError(w.t, w.d.SyncDir("/"))
	w.b.syncDir()
}

func (w *twins) remove(name string) {
	w.note("remove", name)
	require.NoError(w.t, w.d.Remove(name))
	w.b.remove(name)
}

func (w *twins) rename(from, to string) {
	w.note("rename", from, to)
	require.NoError(w.t, w.d.Rename(from, to))
	w.b.rename(from, to)
}

// durable makes a file with n bytes that is on the disk, and its name.
func (w *twins) durable(name string, n int) {
	w.create(name)
	if n > 0 {
		w.append(name, n)
		w.sync(name)
	}
	w.syncDir()
}

// text reads a disk the way brute prints its worlds.
func diskText(t *testing.T, d *Disk) string {
	infos, err := afero.ReadDir(d, "/")
	require.NoError(t, err)
	lines := []string{}
	for _, info := range infos {
		b, err := afero.ReadFile(d, info.Name())
		require.NoError(t, err)
		require.EqualValues(t, len(b), info.Size())
		lines = append(lines, fmt.Sprintf("%s=%x", info.Name(), b))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// agree requires the Disk and the brute model to have the same contents, and
// returns how many, and how many choices make them: two files that are equal,
// one under the name of the other, are two choices and one content.
func (w *twins) agree() (contents, choices int) {
	t := w.t
	space := w.d.Space(w.d.Points(), Weak)
	texts := map[uint64]string{}
	for st := range space.All() {
		choices++
		text := diskText(t, st.Disk())
		if other, ok := texts[st.Hash()]; ok {
			require.Equal(t, other, text, "two contents have one hash")
		}
		texts[st.Hash()] = text
	}
	// A file with two names and two equal files differ for whoever asks.
	got := slices.Compact(slices.Sorted(maps.Values(texts)))
	want := w.b.contents()
	require.Equal(t, len(want), len(got), "the model has another number of contents")
	require.Equal(t, want, got)
	n, capped := space.Count()
	require.False(t, capped)
	require.EqualValues(t, choices, n)
	return len(want), choices
}

// The counts of these were worked out by hand; the model has to agree as well.
func TestCountsWorkedOutByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		want int
		do   func(w *twins)
	}{
		{"an empty disk", 1, func(w *twins) {}},
		// Nothing; or the size, with data, zeros or garbage.
		{"append", 1 + 3, func(w *twins) { w.durable("f", 0); w.append("f", 100) }},
		{"append and sync", 1, func(w *twins) { w.durable("f", 0); w.append("f", 100); w.sync("f") }},
		// No name; a name and nothing; a name and a size as above.
		{"create and append", 1 + 1 + 3, func(w *twins) { w.create("f"); w.append("f", 100) }},
		{"create, append and sync", 1 + 1, func(w *twins) { w.create("f"); w.append("f", 100); w.sync("f") }},
		{"append two sectors", 1 + 3*3, func(w *twins) { w.durable("f", 0); w.append("f", 1024) }},
		{"overwrite three sectors", 2 * 2 * 2, func(w *twins) { w.durable("f", 2048); w.write("f", 512, 1536) }},
		// Two sizes and none. With the first, data, zeros or garbage; with the
		// second both, the first alone, the second alone and neither, and where
		// one is missing zeros or garbage.
		{"append twice to a sector", 1 + 3 + (1 + 2*3), func(w *twins) {
			w.durable("f", 0)
			w.append("f", 100)
			w.append("f", 100)
		}},
		{"failed sync, then append and sync", 3, func(w *twins) {
			w.durable("f", 0)
			w.append("f", 100)
			w.failSync("f")
			w.append("f", 100)
			w.sync("f")
		}},
		{"remove", 2, func(w *twins) { w.durable("f", 100); w.remove("f") }},
		{"remove and sync", 1, func(w *twins) { w.durable("f", 100); w.remove("f"); w.syncDir() }},
		// The name gone or there, the old or the new one or both.
		{"rename", 4, func(w *twins) { w.durable("a", 100); w.rename("a", "b") }},
		// The destination old, gone or new; the source gone or there.
		{"rename over", 6, func(w *twins) { w.durable("a", 100); w.durable("b", 100); w.rename("a", "b") }},
		// The destination old or gone and the temporary file gone: 2. In the other
		// 4 the file can be seen: empty, or with data, zeros, garbage or the
		// bytes of the old one, which is its own by now.
		{"swap without any sync", 2 + 4*5, func(w *twins) {
			w.durable("cur", 200)
			w.create("tmp")
			w.append("tmp", 100)
			w.rename("tmp", "cur")
		}},
		{"swap with a file sync", 6, func(w *twins) {
			w.durable("cur", 100)
			w.create("tmp")
			w.append("tmp", 100)
			w.sync("tmp")
			w.rename("tmp", "cur")
		}},
		{"swap with all syncs", 1, func(w *twins) {
			w.durable("cur", 100)
			w.create("tmp")
			w.append("tmp", 100)
			w.sync("tmp")
			w.rename("tmp", "cur")
			w.syncDir()
		}},
		// No name; a name and nothing; the reserved space, with its first sector as
		// written, zeros or garbage.
		{"rotate without syncs", 1 + 1 + 3, func(w *twins) {
			w.durable("1.seg", 512)
			w.create("2.seg")
			w.preallocate("2.seg", 1024)
			w.write("2.seg", 0, 512)
		}},
		{"rotate with a file sync", 2, func(w *twins) {
			w.durable("1.seg", 512)
			w.create("2.seg")
			w.preallocate("2.seg", 1024)
			w.write("2.seg", 0, 512)
			w.sync("2.seg")
		}},
		{"write into reserved space", 3, func(w *twins) {
			w.durable("1.seg", 512)
			w.preallocate("1.seg", 2048)
			w.sync("1.seg")
			w.write("1.seg", 512, 512)
		}},
		// The old size, and in each of its two sectors behind the new one what was
		// there or zeros; or the new size.
		{"cut off", 2*2 + 1, func(w *twins) { w.durable("f", 600); w.truncate("f", 100) }},
		// The old size: in the first sector what was there or zeros, with the new
		// bytes or without, in the second what was there or zeros. Cut; cut and
		// longer with data, zeros, garbage or what was there before.
		{"cut off and append", 4*2 + 1 + 4, func(w *twins) { w.durable("f", 600); w.truncate("f", 100); w.append("f", 50) }},
		// The old size; the end of the first page, with data, zeros or garbage in
		// its last sector; the new size, with the same in each of two.
		{"append over the end of a page", 1 + 3 + 3*3, func(w *twins) { w.durable("f", 4000); w.append("f", 200) }},
		{"make longer", 1 + 2, func(w *twins) { w.durable("f", 0); w.truncate("f", 100) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTwins(t)
			c.do(w)
			contents, choices := w.agree()
			require.Equal(t, c.want, contents)
			require.Equal(t, c.want, choices)
		})
	}
}

var spaceRounds = goflag.Int("space.rounds", 100, "random workloads for the comparison with the model")

// TestRandomWorkloadsAgreeWithTheModel prints the seed of the one that does not.
func TestRandomWorkloadsAgreeWithTheModel(t *testing.T) {
	for seed := range uint64(*spaceRounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newTwins(t)
			rng := rand.New(rand.NewPCG(seed, 1))
			for w.freeOps() < 6 && len(w.b.ops) < 40 {
				w.step(rng)
			}
			t.Log(w.log)
			w.agree()
		})
	}
}

func (w *twins) freeOps() int {
	n := 0
	for _, op := range w.b.ops {
		if !op.forced {
			n++
		}
	}
	return n
}

func (w *twins) step(rng *rand.Rand) {
	name := string("abc"[rng.IntN(3)])
	_, there := w.b.names[name]
	size := 0
	if there {
		size = len(w.b.files[w.b.names[name]].data)
	}
	switch rng.IntN(10) {
	case 0, 1, 2:
		if there && size < 1200 {
			w.append(name, 1+rng.IntN(700))
		} else if !there {
			w.create(name)
		}
	case 3:
		if there && size > 0 {
			at := rng.IntN(size)
			w.write(name, at, 1+rng.IntN(min(300, size-at)))
		}
	case 4, 5:
		if there {
			w.sync(name)
		}
	case 6:
		w.syncDir()
	case 7:
		if there {
			w.remove(name)
		}
	case 8:
		to := string("abc"[rng.IntN(3)])
		if there && to != name {
			w.rename(name, to)
		}
	case 9:
		switch {
		case !there:
		case rng.IntN(3) == 0:
			w.failSync(name)
		case rng.IntN(2) == 0:
			w.preallocate(name, size+rng.IntN(600))
		default:
			w.truncate(name, rng.IntN(size+1))
		}
	}
}
