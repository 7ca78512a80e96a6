package kv

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// onBoth runs a test on a file system in memory and on the real one.
func onBoth(t *testing.T, test func(t *testing.T, open func(*Options) *DB)) {
	t.Run("memory", func(t *testing.T) {
		fsys := afero.NewMemMapFs()
		test(t, func(o *Options) *DB { return mustOpen(t, fsys, o) })
	})
	t.Run("disk", func(t *testing.T) {
		fsys := afero.NewBasePathFs(afero.NewOsFs(), t.TempDir())
		test(t, func(o *Options) *DB { return mustOpen(t, fsys, o) })
	})
}

func TestSetGetDeleteExists(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(*Options) *DB) {
		db := open(small)
		key := []byte("key")
		_, err := db.Get(key)
		require.ErrorIs(t, err, ErrNotFound)
		existed, err := db.Delete(key)
		require.NoError(t, err)
		require.False(t, existed)

		require.NoError(t, db.Set(key, []byte("one")))
		require.NoError(t, db.Set(key, []byte("two")))
		value, err := db.Get(key)
		require.NoError(t, err)
		require.Equal(t, "two", string(value))
		exists, err := db.Exists(key)
		require.NoError(t, err)
		require.True(t, exists)
		size, err := db.ValueSize(key)
		require.NoError(t, err)
		require.Equal(t, 3, size)

		existed, err = db.Delete(key)
		require.NoError(t, err)
		require.True(t, existed)
		exists, err = db.Exists(key)
		require.NoError(t, err)
		require.False(t, exists)
		_, err = db.ValueSize(key)
		require.ErrorIs(t, err, ErrNotFound)
		requireContents(t, db, contents{})
	})
}

func TestEverythingIsThereAfterClose(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(*Options) *DB) {
		db := open(small)
		want := load(t, db, 300)
		require.Greater(t, db.Stats().Segments, 3, "the load should rotate")
		_, err := db.Delete([]byte("key-0007"))
		require.NoError(t, err)
		delete(want, "key-0007")
		require.NoError(t, db.Set([]byte("empty"), nil))
		want["empty"] = ""
		require.NoError(t, db.Close())

		db = open(nil)
		requireContents(t, db, want)
		require.EqualValues(t, 302, db.Stats().LastSeq)
		require.Zero(t, db.Stats().Recovery.CutBytes)
		require.NoError(t, db.Set([]byte("more"), []byte("x")))
		want["more"] = "x"
		require.NoError(t, db.Close())
		requireContents(t, open(nil), want)
	})
}

func TestBatchIsAppliedInOrderAsOne(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(*Options) *DB) {
		db := open(small)
		require.NoError(t, db.Set([]byte("gone"), []byte("x")))
		b := batchOf("a", "1", "b", "2", "a", "3")
		b.Delete([]byte("gone"))
		b.Delete([]byte("b"))
		b.Set([]byte("b"), []byte("4"))
		require.Equal(t, 6, b.Len())
		require.NoError(t, db.Apply(b))
		b.Reset()
		require.Zero(t, b.Len())
		require.NoError(t, db.Apply(b), "an empty batch does nothing")
		want := contents{"a": "3", "b": "4"}
		requireContents(t, db, want)
		require.NoError(t, db.Close())
		requireContents(t, open(nil), want)
	})
}

func TestWritesLargerThanASegmentGetTheirOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(*Options) *DB) {
		db := open(small)
		want := load(t, db, 10)
		big := string(bytes.Repeat([]byte("big"), 20<<10))
		require.NoError(t, db.Set([]byte("big"), []byte(big)))
		require.NoError(t, db.Apply(batchOf("big1", big, "big2", big)))
		require.NoError(t, db.Set([]byte("after"), []byte("x")))
		want["big"], want["big1"], want["big2"], want["after"] = big, big, big, "x"
		requireContents(t, db, want)
		require.NoError(t, db.Close())
		requireContents(t, open(small), want)
	})
}

func TestBadArgumentsDoNothing(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), &Options{SegmentBytes: 4 << 10, MaxValueBytes: 100})
	long := make([]byte, MaxKeyBytes+1)
	for _, key := range [][]byte{nil, {}, long} {
		want := ErrEmptyKey
		if len(key) > 0 {
			want = ErrKeyTooLarge
		}
		_, err := db.Get(key)
		require.ErrorIs(t, err, want)
		_, err = db.Exists(key)
		require.ErrorIs(t, err, want)
		_, err = db.ValueSize(key)
		require.ErrorIs(t, err, want)
		_, err = db.Delete(key)
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, db.Set(key, nil), want)
		b := batchOf("fine", "x")
		b.Delete(key)
		require.ErrorIs(t, db.Apply(b), want)
	}
	require.ErrorIs(t, db.Set([]byte("k"), make([]byte, 101)), ErrValueTooLarge)
	require.ErrorIs(t, db.Apply(batchOf("fine", "x", "k", string(make([]byte, 101)))), ErrValueTooLarge)
	requireContents(t, db, contents{})

	longest := string(long[1:])
	require.NoError(t, db.Set([]byte(longest), make([]byte, 100)))
	requireContents(t, db, contents{longest: string(make([]byte, 100))})
}

func TestBatchTooLarge(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), &Options{MaxValueBytes: maxMaxValue})
	half := make([]byte, maxMaxValue)
	b := new(Batch)
	b.Set([]byte("a"), half)
	b.Set([]byte("b"), half)
	require.ErrorIs(t, db.Apply(b), ErrBatchTooLarge)
}

func TestInvalidOptions(t *testing.T) {
	for _, o := range []Options{
		{SegmentBytes: 100}, {SegmentBytes: 1 << 40}, {SegmentBytes: -1},
		{MaxValueBytes: -1}, {MaxValueBytes: 1 << 30}, {BoundEvery: -1}, {Sync: SyncEvery(0)}, {Sync: SyncEvery(-1)},
	} {
		_, err := Open(afero.NewMemMapFs(), dir, &o)
		require.ErrorIs(t, err, ErrInvalidOptions, "%+v", o)
	}
}

func TestSyncPolicyText(t *testing.T) {
	for _, s := range []string{"always", "100ms", "1h0m0s"} {
		var p SyncPolicy
		require.NoError(t, p.UnmarshalText([]byte(s)))
		text, err := p.MarshalText()
		require.NoError(t, err)
		require.Equal(t, s, string(text))
		require.Equal(t, s == "always", p.Always())
	}
	for _, s := range []string{"", "0", "0s", "-1s", "never", "100"} {
		_, err := ParseSyncPolicy(s)
		require.ErrorContains(t, err, fmt.Sprintf("%q", s))
	}
}

// The store keeps no slice it was handed, and hands out none it keeps.
func TestSlicesBelongToTheCaller(t *testing.T) {
	for _, opts := range []*Options{small, {SegmentBytes: 4 << 10, Sync: SyncEvery(1 << 40)}} {
		db := mustOpen(t, afero.NewMemMapFs(), opts)
		key, value := []byte("key"), []byte("value")
		require.NoError(t, db.Set(key, value))
		copy(key, "xxx")
		copy(value, "xxxxx")
		got, err := db.Get([]byte("key"))
		require.NoError(t, err)
		require.Equal(t, "value", string(got))
		copy(got, "yyyyy")
		_ = append(got, "beyond"...)
		got, err = db.Get([]byte("key"))
		require.NoError(t, err)
		require.Equal(t, "value", string(got))
		for p, err := range db.Scan(ScanOptions{}) {
			require.NoError(t, err)
			copy(p.Key, "zzz")
			copy(p.Value, "zzzzz")
		}
		requireContents(t, db, contents{"key": "value"})
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), small)
	require.NoError(t, db.Set([]byte("k"), nil))
	s, err := db.Snapshot()
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, db.Close(), "closing twice")

	_, err = db.Get([]byte("k"))
	require.ErrorIs(t, err, ErrClosed)
	_, err = db.Exists([]byte("k"))
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, db.Set([]byte("k"), nil), ErrClosed)
	_, err = db.Delete([]byte("k"))
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, db.Apply(batchOf("k", "v")), ErrClosed)
	require.ErrorIs(t, db.Sync(), ErrClosed)
	_, err = db.ScanPage(ScanOptions{})
	require.ErrorIs(t, err, ErrClosed)
	for _, err := range db.Scan(ScanOptions{}) {
		require.ErrorIs(t, err, ErrClosed)
	}
	_, err = s.ScanPage(ScanOptions{})
	require.ErrorIs(t, err, ErrClosed, "the file of a snapshot's value is closed")
	require.Zero(t, db.Stats().Keys)
}

func TestSecondOpenerIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(*Options) *DB) {
		db := open(nil)
		_, err := Open(db.storage.fs, dir, nil)
		require.ErrorIs(t, err, ErrLocked)
		require.ErrorContains(t, err, dir)
		require.NoError(t, db.Close())
		require.NoError(t, open(nil).Close())
	})
}

func TestEmptyStoreCostsAlmostNothing(t *testing.T) {
	fsys := afero.NewMemMapFs()
	for range 5 {
		require.NoError(t, mustOpen(t, fsys, nil).Close())
	}
	require.Empty(t, files(t, fsys, "*.seg"))
	require.Len(t, files(t, fsys, "*"), 3, "LOCK, STORE and one manifest")
}
