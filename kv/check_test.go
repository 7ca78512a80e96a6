package kv

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

func mustCheck(t *testing.T, fsys afero.Fs) *CheckReport {
	t.Helper()
	before := listing(t, fsys)
	report, err := Check(fsys, dir, nil)
	require.NoError(t, err)
	require.Equal(t, before, listing(t, fsys), "a check changes nothing")
	return report
}

func TestCheckOfWholeStores(t *testing.T) {
	fsys, want := killed(t, 200, small)
	report := mustCheck(t, fsys)
	require.Equal(t, VerdictClean, report.Verdict)
	require.Equal(t, len(want), report.Keys)
	require.EqualValues(t, 200, report.Records)
	require.Empty(t, report.Damages)
	require.Len(t, report.Manifests, 1)
	require.True(t, report.Manifests[0].Counts)
	require.Greater(t, len(report.Segments), 3)
	for i, s := range report.Segments {
		last := i == len(report.Segments)-1
		require.Equal(t, last, s.State == stateActive)
		require.Equal(t, s.LastSeq-s.FirstSeq+1, s.Records)
	}

	db := mustOpen(t, fsys, small)
	_, err := db.Delete([]byte("key-0001"))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	report = mustCheck(t, fsys)
	require.Equal(t, VerdictClean, report.Verdict)
	require.Equal(t, len(want)-1, report.Keys)
	require.Len(t, report.Store, 32)
}

func TestCheckSaysWhatOpenWouldCut(t *testing.T) {
	fsys, want := killed(t, 20, roomy)
	name := onlyFile(t, fsys, "*.seg")
	end := logEnd(t, fsys, name)
	rec := inFlight(t, fsys, name, "torn", "never acknowledged", flagMore)
	writeBytes(t, fsys, name, rec, end)
	report := mustCheck(t, fsys)
	require.Equal(t, VerdictTorn, report.Verdict)
	require.Equal(t, filepath.Base(name), report.CutFile)
	require.Equal(t, end, report.CutOffset)
	require.Positive(t, report.CutBytes)
	require.Equal(t, len(want), report.Keys, "what begins a batch does not count")
	require.Empty(t, report.Damages)
	require.Empty(t, report.OpenError)
}

// Open names the first damage; Check goes on, names all of it, and says which
// keys are touched.
func TestCheckGoesOnBehindDamage(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, roomy)
	want := load(t, db, 12)
	require.NoError(t, db.Set([]byte("key-0002"), []byte("newer")))
	require.NoError(t, db.Set([]byte("key-0004"), []byte("newer")))
	require.NoError(t, db.Set([]byte("last"), nil))
	require.NoError(t, db.Close())
	name := onlyFile(t, fsys, "*.seg")
	ends := recordEnds(t, fsys, name)
	flip := func(offset int64) { require.NoError(t, faultfs.FlipBit(fsys, name, offset*8)) }
	flip(ends[12] + recordHeaderBytes + 9) // the newer value of key-0002
	flip(ends[7] + recordHeaderBytes + 9)  // the only value of key-0007
	flip(ends[4] + recordHeaderBytes + 9)  // the value of key-0004 that was overwritten
	flip(ends[9] + 20)                     // a header: nobody knows whose

	report := mustCheck(t, fsys)
	require.Equal(t, VerdictDamaged, report.Verdict)
	require.Equal(t, 4, report.DamagesTotal)
	base := filepath.Base(name)
	for i, place := range []int{4, 7, 9, 12} {
		d := report.Damages[i]
		require.Equal(t, base, d.File)
		require.Equal(t, ends[place], d.Offset)
		require.Equal(t, ends[place+1]-ends[place], d.Length)
		require.Equal(t, uint64(place+1), d.FirstSeq)
		require.Equal(t, d.FirstSeq, d.LastSeq)
		require.NotEmpty(t, d.Reason)
	}
	require.Equal(t, []TouchedKey{
		{Key: []byte("key-0002"), File: base, Offset: ends[12], Seq: 13, OlderSeq: 3},
		{Key: []byte("key-0007"), File: base, Offset: ends[7], Seq: 8},
	}, report.Touched, "not key-0004, whose newest record is whole")
	require.EqualValues(t, 1, report.MissingRecords)
	require.False(t, report.MissingUnknown)
	require.Equal(t, len(want)-2+1, report.Keys, "key-0007 and key-0009 are gone, last is there")
	require.Equal(t, 7, report.MaybeOlder, "all that is older than record 10 and was not written since")
	require.Contains(t, report.OpenError, fmt.Sprint(ends[4]))
	text, err := json.Marshal(report)
	require.NoError(t, err)
	require.NotContains(t, string(text), "newer", "no value")
	require.Contains(t, string(text), `"key":"key-0007"`)
}

// With no manifest left, the segments speak for themselves.
func TestCheckWithoutManifestOrStoreFile(t *testing.T) {
	fsys, want := killed(t, 200, small)
	abandon(mustOpen(t, fsys, small)) // the last group now stands twice
	require.NoError(t, fsys.Remove(onlyFile(t, fsys, "MANIFEST-*")))
	report := mustCheck(t, fsys)
	require.Equal(t, VerdictDamaged, report.Verdict)
	require.Equal(t, len(want), report.Keys)
	require.EqualValues(t, 200, report.Records)
	require.True(t, report.names("MANIFEST-*"))
	require.True(t, report.MissingUnknown)

	require.NoError(t, fsys.Remove(filepath.Join(dir, storeFile)))
	other, _ := killed(t, 3, roomy)
	require.NoError(t, afero.WriteFile(fsys, filepath.Join(dir, segmentName(70)), mustRead(t, other, onlyFile(t, other, "*.seg")), 0o644))
	report = mustCheck(t, fsys)
	require.True(t, report.names(storeFile))
	require.Equal(t, len(want), report.Keys)
	require.Contains(t, fmt.Sprint(report.Notes), segmentName(70))
}

func TestCheckNamesEveryDamagedFile(t *testing.T) {
	fsys, _ := killed(t, 300, small)
	names := files(t, fsys, "*.seg")
	require.Greater(t, len(names), 5)
	require.NoError(t, fsys.Remove(names[0]))
	writeBytes(t, fsys, names[1], make([]byte, 8), 0)
	truncate(t, fsys, names[2], 1000)
	active := names[len(names)-1]
	truncate(t, fsys, active, int64(len(mustRead(t, fsys, active))-1))
	report := mustCheck(t, fsys)
	for _, i := range []int{0, 1, 2, len(names) - 1} {
		require.True(t, report.names(filepath.Base(names[i])), "%s: %+v", names[i], report.Damages)
	}
	require.Equal(t, 4, report.DamagesTotal)
	require.Equal(t, stateMissing, report.Segments[0].State)
	require.Equal(t, report.Segments[1].FirstSeq+report.Segments[1].Records-1, report.Segments[1].LastSeq,
		"the records behind a lost header are still known by the manifest's word")
	require.Positive(t, report.Segments[1].Records)
	require.Equal(t, report.Damages[0].LastSeq-report.Damages[0].FirstSeq+1+report.Damages[2].LastSeq-report.Damages[2].FirstSeq+1, report.MissingRecords)
}

func TestCheckRefuses(t *testing.T) {
	_, err := Check(afero.NewMemMapFs(), dir, nil)
	require.ErrorIs(t, err, ErrNoStore)
	empty := afero.NewMemMapFs()
	require.NoError(t, empty.MkdirAll(dir, 0o755))
	_, err = Check(empty, dir, nil)
	require.ErrorIs(t, err, ErrNoStore)
	require.Empty(t, files(t, empty, "*"), "no lock file")
	_, err = Check(empty, dir, &Options{SegmentBytes: 1})
	require.ErrorIs(t, err, ErrInvalidOptions)

	fsys, _ := killed(t, 5, roomy)
	db := mustOpen(t, fsys, roomy)
	report, err := Check(fsys, dir, nil)
	require.ErrorIs(t, err, ErrLocked)
	require.Nil(t, report)
	require.NoError(t, db.Close())
	mustCheck(t, fsys)
	mustOpen(t, fsys, roomy) // the check gave the lock back

	later, _ := killed(t, 5, roomy)
	store := filepath.Join(dir, storeFile)
	require.NoError(t, afero.WriteFile(later, store, withVersion(mustRead(t, later, store), 8, 28, 2), 0o644))
	report, err = Check(later, dir, nil)
	require.ErrorIs(t, err, ErrFormatTooNew)
	require.Equal(t, VerdictFailed, report.Verdict)
}

// A file that cannot be read is no damage that Check vouches for; it returns
// the error with what it could find.
func TestCheckWhereReadingFails(t *testing.T) {
	base, want := killed(t, 200, small)
	for _, rule := range []string{
		"read 00000002.seg EIO", "open 00000002.seg EIO", "read MANIFEST-* EIO", "open MANIFEST-* EIO",
		"read STORE EIO", "list * EIO", "stat 00000002.seg EIO", "read 00000002.seg #2 EIO", "read 00000002.seg #5+ EIO",
	} {
		fsys := faultfs.New(base)
		rules, err := faultfs.ParseRules(rule)
		require.NoError(t, err, rule)
		fsys.Inject(rules[0])
		report, err := Check(fsys, dir, nil)
		if rule == "read 00000002.seg #2 EIO" {
			require.NoError(t, err, "once is tried again")
			continue
		}
		require.ErrorIs(t, err, syscall.EIO, rule)
		require.NotErrorIs(t, err, ErrDamaged, rule)
		if report != nil {
			require.Equal(t, VerdictFailed, report.Verdict, rule)
			require.LessOrEqual(t, report.Keys, len(want))
		}
		fsys.CheckFired(t)
	}
}

// A lock file that cannot be asked does not stand in the way, and is mentioned.
func TestCheckWhereTheLockCannotBeTold(t *testing.T) {
	base, _ := killed(t, 5, roomy)
	for _, rule := range []string{"open LOCK EACCES", "lock LOCK EIO"} {
		fsys := faultfs.New(base)
		rules, err := faultfs.ParseRules(rule)
		require.NoError(t, err)
		fsys.Inject(rules[0])
		report, err := Check(fsys, dir, nil)
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(report.Notes), "cannot be told", rule)
		fsys.CheckFired(t)
	}
	require.NoError(t, base.Remove(filepath.Join(dir, lockFile)))
	require.Empty(t, mustCheck(t, base).Notes)
}

// lyingFs says that every segment is longer than it is, as if it were shortened
// while the check reads it.
type lyingFs struct{ afero.Fs }

func (f lyingFs) Open(name string) (afero.File, error) {
	file, err := f.Fs.Open(name)
	if err != nil || filepath.Ext(name) != segmentSuffix {
		return file, err
	}
	return lyingFile{file}, nil
}

type lyingFile struct{ afero.File }

func (f lyingFile) Stat() (os.FileInfo, error) { return matrixInfo{size: 1 << 20}, nil }

func TestCheckOfAFileThatGetsShorter(t *testing.T) {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, roomy)
	load(t, db, 12)
	require.NoError(t, db.Close())
	name := onlyFile(t, fsys, "*.seg")
	ends := recordEnds(t, fsys, name)
	truncate(t, fsys, name, ends[9]+recordHeaderBytes+2)
	report, err := Check(lyingFs{fsys}, dir, nil)
	require.ErrorContains(t, err, "is shorter now")
	require.Equal(t, VerdictDamaged, report.Verdict)
	require.Equal(t, 9, report.Keys)
	require.True(t, report.MissingUnknown)
}

func TestReadOnlyFsRefusesEveryChange(t *testing.T) {
	base, _ := killed(t, 5, roomy)
	fsys := readOnlyFs{base}
	name := filepath.Join(dir, storeFile)
	for what, change := range map[string]func() error{
		"create":    func() error { _, err := fsys.Create(name); return err },
		"open":      func() error { _, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644); return err },
		"mkdir":     func() error { return fsys.Mkdir(dir+"/x", 0o755) },
		"mkdirall":  func() error { return fsys.MkdirAll(dir+"/x", 0o755) },
		"remove":    func() error { return fsys.Remove(name) },
		"removeall": func() error { return fsys.RemoveAll(dir) },
		"rename":    func() error { return fsys.Rename(name, name+"x") },
		"chmod":     func() error { return fsys.Chmod(name, 0) },
		"chown":     func() error { return fsys.Chown(name, 1, 1) },
		"chtimes":   func() error { return fsys.Chtimes(name, matrixInfo{}.ModTime(), matrixInfo{}.ModTime()) },
	} {
		require.ErrorIs(t, change(), os.ErrPermission, what)
	}
}
