package faultfs_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

const crashSeeds = 200

// cutOverwrite makes a file of 2000 durable bytes of "A", writes 3000 of "B"
// over it without a sync, cuts the power and returns what is below.
func cutOverwrite(t *testing.T, seed uint64, keep string) ([]byte, vfs.Lost) {
	t.Helper()
	base := afero.NewMemMapFs()
	v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
	f := write(t, v, "/f", strings.Repeat("A", 2000))
	require.NoError(t, f.Sync())
	require.NoError(t, v.SyncDir("/"))
	_, err := f.WriteAt(bytes.Repeat([]byte("B"), 3000), 0)
	require.NoError(t, err)
	require.Equal(t, faultfs.Pending{Bytes: 6*512 + 8}, v.Pending())
	lost, err := v.Crash(seed, keep)
	require.NoError(t, err)
	b, err := afero.ReadFile(base, "/f")
	require.NoError(t, err)
	return b, lost
}

// pieces names what each sector of the result shows: A, B, 0, or ? for garbage.
// The sector across the old end has two pieces.
func pieces(t *testing.T, b []byte) string {
	t.Helper()
	var s strings.Builder
	for _, cut := range [][2]int{{0, 512}, {512, 1024}, {1024, 1536}, {1536, 2000}, {2000, 2048}, {2048, 2560}, {2560, 3000}} {
		if cut[0] >= len(b) {
			break
		}
		piece := b[cut[0]:cut[1]]
		switch {
		case bytes.Count(piece, piece[:1]) < len(piece):
			s.WriteByte('?')
		case piece[0] == 0:
			s.WriteByte('0')
		default:
			s.WriteByte(piece[0])
		}
	}
	return s.String()
}

// What durable space shows is old or new, sector by sector; what was exposed
// shows what the way of keeping says; and each way shows what it is there for.
func TestEveryCutOfAnOverwriteIsLegal(t *testing.T) {
	for keep, legal := range map[string]struct {
		exposed string
		sizes   []int
		atLeast int // different outcomes
	}{
		"":                  {"", []int{2000}, 1},
		faultfs.KeepNothing: {"", []int{2000}, 1},
		faultfs.KeepWhole:   {"B0", []int{2000, 3000}, 20},
		faultfs.KeepTorn:    {"B0", []int{2000, 3000}, 8},
		faultfs.KeepZeros:   {"B0", []int{3000}, 20},
		faultfs.KeepGarbage: {"B?", []int{3000}, 20},
		faultfs.KeepAny:     {"B0?", []int{2000, 3000}, 20},
	} {
		t.Run(keep, func(t *testing.T) {
			outcomes := map[string]bool{}
			for seed := range uint64(crashSeeds) {
				b, lost := cutOverwrite(t, seed, keep)
				again, _ := cutOverwrite(t, seed, keep)
				require.Equal(t, b, again, "seed %d", seed)
				shown := pieces(t, b)
				requireLegal(t, shown, legal.exposed, fmt.Sprintf("seed %d", seed))
				require.Contains(t, legal.sizes, len(b))
				requireLost(t, shown, lost)
				if keep == faultfs.KeepTorn {
					require.NotContains(t, shown[:4], "AB", "a torn write is a beginning")
				}
				outcomes[shown] = true
			}
			require.GreaterOrEqual(t, len(outcomes), legal.atLeast)
			for _, kind := range legal.exposed {
				require.True(t, slices.ContainsFunc(keysOf(outcomes), func(s string) bool {
					return len(s) > 4 && strings.ContainsRune(s[4:], kind)
				}), "%c is never exposed", kind)
			}
		})
	}
}

func keysOf(m map[string]bool) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}

func requireLegal(t *testing.T, shown, exposed, which string) {
	t.Helper()
	for i, piece := range shown {
		if i < 4 {
			require.Contains(t, "AB", string(piece), which)
			continue
		}
		require.Contains(t, exposed, string(piece), which)
	}
	if len(shown) > 4 {
		require.Equal(t, shown[3] == 'B', shown[4] == 'B', "one sector is kept or lost as one: %s", which)
	}
}

// requireLost checks the count against what is seen.
func requireLost(t *testing.T, shown string, lost vfs.Lost) {
	t.Helper()
	kept := int64(strings.Count(shown[:4]+shown[min(len(shown), 5):], "B")) * 512
	if len(shown) > 4 {
		kept += 8
	}
	require.Equal(t, int64(6*512+8)-kept, lost.Bytes)
}

// Of an un-synced rename over a file every subset of its three steps is seen,
// and nothing else.
func TestEveryCutOfARenameIsLegal(t *testing.T) {
	outcomes := map[string]bool{}
	for seed := range uint64(crashSeeds) {
		base := afero.NewMemMapFs()
		v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
		require.NoError(t, write(t, v, "/name", "old").Sync())
		require.NoError(t, write(t, v, "/tmp", "new").Sync())
		require.NoError(t, v.SyncDir("/"))
		require.NoError(t, v.Rename("/tmp", "/name"))
		require.Equal(t, faultfs.Pending{Entries: 2}, v.Pending())
		lost, err := v.Crash(seed, faultfs.KeepWhole)
		require.NoError(t, err)
		found := below(t, base, "/")
		name, _ := found["name"], found["tmp"]
		var kept int64
		if name == "new" {
			kept++
		}
		if _, there := found["tmp"]; !there {
			kept++
		}
		require.Equal(t, 2-kept, lost.Entries)
		outcomes[fmt.Sprint(found)] = true
		requireNoHiddenFiles(t, base, "/")
	}
	require.Equal(t, map[string]bool{
		"map[name:new]": true, "map[name:new tmp:new]": true, "map[name:old]": true, "map[name:old tmp:new]": true,
		"map[]": true, "map[tmp:new]": true,
	}, outcomes)
}

// A name that had a meaning between two syncs may come back with it.
func TestACutMayKeepTheTemporaryFile(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(crashSeeds) {
		base := afero.NewMemMapFs()
		v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
		require.NoError(t, write(t, v, "/tmp", "new").Sync())
		require.NoError(t, v.Rename("/tmp", "/name"))
		_, err := v.Crash(seed, faultfs.KeepWhole)
		require.NoError(t, err)
		seen[fmt.Sprint(below(t, base, "/"))] = true
	}
	require.Equal(t, map[string]bool{"map[]": true, "map[name:new]": true, "map[tmp:new]": true, "map[name:new tmp:new]": true}, seen)
}

func TestPreallocatedSpaceMayShowGarbageOnlyUntilItIsWritten(t *testing.T) {
	garbage := 0
	for seed := range uint64(50) {
		base := afero.NewMemMapFs()
		v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
		f := write(t, v, "/f", strings.Repeat("A", 512))
		require.NoError(t, vfs.Preallocate(f, 4096))
		require.NoError(t, f.Sync())
		require.NoError(t, v.SyncDir("/"))
		_, err := f.WriteAt(bytes.Repeat([]byte("B"), 1024), 0)
		require.NoError(t, err)
		_, err = v.Crash(seed, faultfs.KeepGarbage)
		require.NoError(t, err)
		b, err := afero.ReadFile(base, "/f")
		require.NoError(t, err)
		require.Contains(t, "AB", string(b[0]))
		require.Equal(t, 512, bytes.Count(b[:512], b[:1]), "durable data is old or new")
		require.Equal(t, make([]byte, 4096-1024), b[1024:], "what was never written to is zeros")
		if bytes.Count(b[512:1024], b[512:513]) < 512 {
			garbage++
		}
	}
	require.Positive(t, garbage)
}

func TestOrphansOfAFailedSyncMayOrMayNotBeThere(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(crashSeeds) {
		base := afero.NewMemMapFs()
		v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
		f := write(t, v, "/f", "old")
		require.NoError(t, f.Sync())
		require.NoError(t, v.SyncDir("/"))
		_, err := f.WriteAt([]byte("new"), 0)
		require.NoError(t, err)
		write(t, v, "/g", "")
		require.NoError(t, f.(vfs.SyncFailer).FailSync(vfs.PagesClean))
		require.NoError(t, v.FailSyncDir("/", vfs.PagesClean))
		require.NoError(t, f.Sync())
		require.NoError(t, v.SyncDir("/"))
		require.Equal(t, map[string]string{"f": "old"}, below(t, base, "/"), "the next syncs say ok and force nothing of it")
		require.Equal(t, faultfs.Pending{Bytes: 512, Entries: 1}, v.Pending())
		_, err = v.Crash(seed, faultfs.KeepWhole)
		require.NoError(t, err)
		seen[fmt.Sprint(below(t, base, "/"))] = true
	}
	require.Len(t, seen, 4)
}

func TestCrashRefusesAWordThatItDoesNotKnow(t *testing.T) {
	v := faultfs.NewVolatile(afero.NewMemMapFs(), faultfs.VolatileOptions{})
	_, err := v.Crash(1, "half")
	require.ErrorContains(t, err, `not "half"`)
	_, err = v.Stat("/")
	require.NoError(t, err, "nothing has happened")
}

const killedEnv = "FAULTFS_TEST_KILLED_DIR"

// A process that is killed leaves just what it had synced.
func TestSIGKILLLeavesWhatWasSynced(t *testing.T) {
	if dir := os.Getenv(killedEnv); dir != "" {
		runUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSIGKILLLeavesWhatWasSynced$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), killedEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ready := make([]byte, 5)
	_, readErr := io.ReadFull(out, ready)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.NoError(t, readErr)
	require.Equal(t, "ready", string(ready))

	want := map[string]string{"synced": "data", "named": "", "replaced": "old", "locked": ""}
	require.Equal(t, want, below(t, afero.NewOsFs(), dir))
	v := faultfs.NewVolatile(afero.NewOsFs(), faultfs.VolatileOptions{})
	require.Equal(t, want, tree(t, v, dir))
	requireNoHiddenFiles(t, afero.NewOsFs(), dir)
	f, err := v.OpenFile(filepath.Join(dir, "locked"), os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.(vfs.Locker).TryLock(), "the lock died with the process")
}

func runUntilKilled(t *testing.T, dir string) {
	v := faultfs.NewVolatile(afero.NewOsFs(), faultfs.VolatileOptions{})
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, write(t, v, at("replaced"), "old").Sync())
	require.NoError(t, write(t, v, at("synced"), "data").Sync())
	write(t, v, at("named"), "data")
	require.NoError(t, v.SyncDir(dir))
	write(t, v, at("synced"), "lost, and longer")
	require.NoError(t, write(t, v, at("unnamed"), "data").Sync())
	require.NoError(t, v.Rename(at("unnamed"), at("replaced")))
	require.NoError(t, v.Mkdir(at("dir"), 0o755))
	require.NoError(t, write(t, v, at("dir/f"), "data").Sync())
	require.NoError(t, v.SyncDir(at("dir")))
	require.NoError(t, write(t, v, at("locked"), "").(vfs.Locker).TryLock())
	fmt.Print("ready")
	select {}
}
