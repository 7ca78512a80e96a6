package cli

import (
	"encoding/json"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/kv"
)

// newData makes a store in memory, closed in good order, and returns its
// segment's name.
func newData(t *testing.T) (fsys afero.Fs, segment string) {
	t.Helper()
	fsys = afero.NewMemMapFs()
	db, err := kv.Open(fsys, "data", &kv.Options{SegmentBytes: 64 << 10})
	require.NoError(t, err)
	for _, key := range []string{"one", "two", "three", "\xff\xfe"} {
		require.NoError(t, db.Set([]byte(key), []byte("a secret of "+key)))
	}
	require.NoError(t, db.Close())
	names, err := afero.Glob(fsys, "data/*.seg")
	require.NoError(t, err)
	require.Len(t, names, 1)
	return fsys, names[0]
}

func check(t *testing.T, fsys afero.Fs, code int, flags ...string) (out, errOut string) {
	t.Helper()
	w := newWorld(append([]string{"check", "data"}, flags...)...)
	w.FS = fsys
	require.Equal(t, code, w.run(), "%s%s", &w.out, &w.err)
	require.NotContains(t, w.out.String()+w.err.String(), "secret", "a value is never shown")
	return w.out.String(), w.err.String()
}

// damageValue flips a bit in the value of key.
func damageValue(t *testing.T, fsys afero.Fs, name, key string) {
	t.Helper()
	b, err := afero.ReadFile(fsys, name)
	require.NoError(t, err)
	at := strings.Index(string(b), "secret of "+key)
	require.Positive(t, at)
	require.NoError(t, faultfs.FlipBit(fsys, name, int64(at)*8))
}

func TestCheckOfACleanStore(t *testing.T) {
	fsys, _ := newData(t)
	out, errOut := check(t, fsys, exitOK)
	require.Contains(t, out, "verdict: clean\n")
	require.Contains(t, out, "4, in 4 whole records")
	require.Contains(t, out, "it counts")
	require.Empty(t, errOut)
}

func TestCheckNamesDamageAndKeys(t *testing.T) {
	fsys, name := newData(t)
	damageValue(t, fsys, name, "two")
	damageValue(t, fsys, name, "\xff\xfe")
	out, errOut := check(t, fsys, exitDamage)
	require.Contains(t, out, path.Base(name))
	require.Contains(t, out, `"two"`)
	require.Contains(t, out, "verdict: damaged")
	require.Contains(t, errOut, "the store in data is damaged")

	out, _ = check(t, fsys, exitDamage, "--json")
	var report struct {
		Verdict string
		Damages []kv.Damage
		Touched []struct {
			Key       string
			KeyBase64 []byte
			OlderSeq  uint64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Equal(t, "damaged", report.Verdict)
	require.Len(t, report.Damages, 2)
	require.Len(t, report.Touched, 2)
	require.Equal(t, "two", report.Touched[0].Key)
	require.Equal(t, []byte("\xff\xfe"), report.Touched[1].KeyBase64)
}

func TestCheckOfATornTailIsClean(t *testing.T) {
	fsys, name := newData(t)
	b, err := afero.ReadFile(fsys, name)
	require.NoError(t, err)
	copy(b[40000:], "what a crash left")
	require.NoError(t, afero.WriteFile(fsys, name, b, 0o644))
	out, _ := check(t, fsys, exitOK)
	require.Contains(t, out, "verdict: clean, with a torn tail: ")
}

// Damage to the last acknowledged write of a store that was killed right after it looks like a torn
// one. The report must not call it unacknowledged.
func TestCheckDoesNotCallAcknowledgedWritesUnacknowledged(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db, err := kv.Open(fsys, "data", &kv.Options{BoundEvery: time.Hour}) // no machine is too slow for that second
	require.NoError(t, err)
	require.NoError(t, db.Set([]byte("key"), []byte("a secret of key")))
	killed := afero.NewMemMapFs()
	names, err := afero.Glob(fsys, "data/*")
	require.NoError(t, err)
	for _, name := range names {
		b, err := afero.ReadFile(fsys, name)
		require.NoError(t, err)
		require.NoError(t, afero.WriteFile(killed, name, b, 0o644))
	}
	require.NoError(t, db.Close())
	segments, err := afero.Glob(killed, "data/*.seg")
	require.NoError(t, err)
	damageValue(t, killed, segments[0], "key")

	out, _ := check(t, killed, exitOK)
	require.Contains(t, out, "torn by a crash, or damage to the writes of the last second before it")
	require.NotContains(t, out, "nobody was told")
}

func TestCheckSaysWhatItDoesNotKnowOfRecordsThatAreGone(t *testing.T) {
	for want, r := range map[string]kv.CheckReport{
		"": {},
		"3 records are gone, and nobody knows of which keys":               {MissingRecords: 3},
		"3 records are gone, perhaps more, and nobody knows of which keys": {MissingRecords: 3, MissingUnknown: true},
		"how many records are gone is not known, nor of which keys":        {MissingUnknown: true},
	} {
		require.Equal(t, want, goneText(&r))
	}
	fsys, _ := newData(t)
	manifests, err := afero.Glob(fsys, "data/MANIFEST-*")
	require.NoError(t, err)
	for _, name := range manifests {
		require.NoError(t, fsys.Remove(name))
	}
	out, _ := check(t, fsys, exitDamage)
	require.Contains(t, out, "how many records are gone is not known")
}

func TestCheckOfWhatCannotBeChecked(t *testing.T) {
	fsys, name := newData(t)
	_, errOut := check(t, afero.NewMemMapFs(), exitFailure)
	require.Contains(t, errOut, "there is no store")

	failing := faultfs.New(fsys)
	failing.Inject(faultfs.MustParse("read *.seg EIO")[0])
	out, errOut := check(t, failing, exitFailure)
	require.Contains(t, errOut, syscall.EIO.Error())
	require.Contains(t, out, "a server would fail with")

	// A bad STORE file as well: then it is damaged in any case.
	require.NoError(t, afero.WriteFile(failing, "data/STORE", []byte("bad"), 0o644))
	check(t, failing, exitDamage)

	require.NoError(t, fsys.Remove(name))
	out, _ = check(t, fsys, exitDamage)
	require.Contains(t, out, path.Base(name))
}

func TestCheckOfAStoreInUse(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db, err := kv.Open(fsys, "data", nil)
	require.NoError(t, err)
	out, _ := check(t, fsys, exitLocked)
	require.Empty(t, out)
	require.NoError(t, db.Close())
}

func TestCheckWhoseReportCannotBePrinted(t *testing.T) {
	fsys, _ := newData(t)
	for _, flags := range [][]string{nil, {"--json"}} {
		w := newWorld(append([]string{"check", "data"}, flags...)...)
		w.FS, w.Stdout = fsys, brokenPipe{}
		require.Equal(t, exitFailure, w.run())
		require.Contains(t, w.err.String(), "broken pipe")
	}
}
