package kv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small makes segments rotate after a few dozen records.
var small = &Options{SegmentBytes: 4 << 10, BoundEvery: time.Hour, resumeEvery: time.Hour}

// roomy keeps a test's records in one segment.
var roomy = &Options{SegmentBytes: 64 << 10, BoundEvery: time.Hour, resumeEvery: time.Hour}

const dir = "/data/store"

// contents is what a store should hold.
type contents map[string]string

func mustOpen(t testing.TB, fsys afero.Fs, opts *Options) *DB {
	t.Helper()
	db, err := Open(fsys, dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// reopen closes nothing: it opens the store of a process that was killed.
func reopen(t testing.TB, db *DB, fsys afero.Fs) *DB {
	t.Helper()
	abandon(db)
	opts := *small
	opts.SegmentBytes = db.opts.SegmentBytes
	return mustOpen(t, fsys, &opts)
}

// abandon leaves the store as SIGKILL would: the lock is free, and nothing else
// is done. The committer is only stopped so that it does not leak.
func abandon(db *DB) {
	db.fenced.CompareAndSwap(nil, new(error(errAbandoned)))
	db.closeOnce.Do(db.stop)
}

var errAbandoned = fmt.Errorf("the test abandoned this store")

// requireContents holds a store against want, by Get, Exists and Scan.
func requireContents(t testing.TB, db *DB, want contents) {
	t.Helper()
	var keys []string
	for key, value := range want {
		keys = append(keys, key)
		got, err := db.Get([]byte(key))
		require.NoError(t, err, "key %q", key)
		require.Equal(t, value, string(got), "key %q", key)
	}
	sort.Strings(keys)
	var scanned []string
	for p, err := range db.Scan(ScanOptions{}) {
		require.NoError(t, err)
		require.Equal(t, want[string(p.Key)], string(p.Value), "scanned key %q", p.Key)
		scanned = append(scanned, string(p.Key))
	}
	require.Equal(t, keys, scanned)
}

// load writes n keys one by one and returns what the store then holds.
func load(t testing.TB, db *DB, n int) contents {
	t.Helper()
	want := contents{}
	for i := range n {
		key, value := fmt.Sprintf("key-%04d", i), fmt.Sprintf("value-%d-%s", i, strings.Repeat("x", i%60))
		require.NoError(t, db.Set([]byte(key), []byte(value)))
		want[key] = value
	}
	return want
}

func batchOf(pairs ...string) *Batch {
	b := new(Batch)
	for i := 0; i < len(pairs); i += 2 {
		b.Set([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	return b
}

// files returns the store's file names that match glob, in order.
func files(t testing.TB, fsys afero.Fs, glob string) []string {
	t.Helper()
	names, err := afero.Glob(fsys, filepath.Join(dir, glob))
	require.NoError(t, err)
	sort.Strings(names)
	return names
}

func onlyFile(t testing.TB, fsys afero.Fs, glob string) string {
	t.Helper()
	names := files(t, fsys, glob)
	require.Len(t, names, 1, "files that match %s", glob)
	return names[0]
}

// snapshotFiles copies a directory in memory, so that damage can be tried on
// the copy.
func snapshotFiles(t testing.TB, fsys afero.Fs) afero.Fs {
	t.Helper()
	clone := afero.NewMemMapFs()
	for _, name := range files(t, fsys, "*") {
		b, err := afero.ReadFile(fsys, name)
		require.NoError(t, err)
		require.NoError(t, afero.WriteFile(clone, name, b, 0o644))
	}
	return clone
}

type fsMode = os.FileMode

const (
	waitLimit = 10 * time.Second
	pollEvery = time.Millisecond
)

// errIsAny reports whether err is one of the targets.
func errIsAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}
