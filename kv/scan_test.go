package kv

import (
	"fmt"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

func keysOf(pairs []Pair) (keys []string) {
	for _, p := range pairs {
		keys = append(keys, string(p.Key))
	}
	return keys
}

func collect(t *testing.T, seq func(func(Pair, error) bool)) (pairs []Pair) {
	t.Helper()
	for p, err := range seq {
		require.NoError(t, err)
		pairs = append(pairs, p)
	}
	return pairs
}

func TestScanRanges(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), small)
	for _, key := range []string{"b1", "a", "b", "b2", "c", "b\xff", "b\xff\xff"} {
		require.NoError(t, db.Set([]byte(key), []byte("v"+key)))
	}
	for _, c := range []struct {
		o    ScanOptions
		want []string
	}{
		{ScanOptions{}, []string{"a", "b", "b1", "b2", "b\xff", "b\xff\xff", "c"}},
		{ScanOptions{Prefix: []byte("b")}, []string{"b", "b1", "b2", "b\xff", "b\xff\xff"}},
		{ScanOptions{Prefix: []byte("b"), Start: []byte("b1"), End: []byte("b\xff")}, []string{"b1", "b2"}},
		{ScanOptions{Start: []byte("b2")}, []string{"b2", "b\xff", "b\xff\xff", "c"}},
		{ScanOptions{Start: []byte("a"), Prefix: []byte("b"), Limit: 2}, []string{"b", "b1"}},
		{ScanOptions{End: []byte("b")}, []string{"a"}},
		{ScanOptions{Start: []byte("c"), End: []byte("a")}, nil},
		{ScanOptions{Prefix: []byte("b"), Start: []byte("c")}, nil},
		{ScanOptions{Prefix: []byte("zz")}, nil},
		{ScanOptions{Limit: 1}, []string{"a"}},
	} {
		pairs := collect(t, db.Scan(c.o))
		require.Equal(t, c.want, keysOf(pairs), "%+v", c.o)
		page, err := db.ScanPage(c.o)
		require.NoError(t, err)
		require.Equal(t, pairs, page.Pairs, "%+v", c.o)
		for _, p := range pairs {
			require.Equal(t, "v"+string(p.Key), string(p.Value))
		}
	}
}

func TestScanKeysOnlyReadsNoValue(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), small)
	want := load(t, db, 20)
	pairs := collect(t, db.Scan(ScanOptions{KeysOnly: true}))
	require.Len(t, pairs, len(want))
	for _, p := range pairs {
		require.Nil(t, p.Value)
	}
}

func TestScanStopsWhenToldTo(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), small)
	load(t, db, 20)
	seen := 0
	for range db.Scan(ScanOptions{}) {
		if seen++; seen == 3 {
			break
		}
	}
	require.Equal(t, 3, seen)
}

func TestPagesCoverTheRangeOnce(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), small)
	load(t, db, 95)
	all := collect(t, db.Scan(ScanOptions{}))
	for _, o := range []ScanOptions{{Limit: 10}, {Limit: 19}, {Limit: 95}, {LimitBytes: 200}, {LimitBytes: 1}, {Limit: 7, LimitBytes: 150}} {
		var got []Pair
		pages := 0
		for o := o; ; pages++ {
			page, err := db.ScanPage(o)
			require.NoError(t, err)
			got = append(got, page.Pairs...)
			require.NotEmpty(t, page.Pairs)
			if page.Next == nil {
				break
			}
			o.Start = page.Next
		}
		require.Equal(t, all, got, "%+v", o)
	}
	page, err := db.ScanPage(ScanOptions{LimitBytes: 1, KeysOnly: true})
	require.NoError(t, err)
	require.Len(t, page.Pairs, 1, "a page is never empty while the range is not")
}

func TestSnapshotStandsStill(t *testing.T) {
	for _, opts := range []*Options{small, {SegmentBytes: 4 << 10, Sync: SyncEvery(1 << 40)}} {
		db := mustOpen(t, afero.NewMemMapFs(), opts)
		load(t, db, 50)
		s, err := db.Snapshot()
		require.NoError(t, err)
		before := collect(t, s.Scan(ScanOptions{}))
		require.Len(t, before, 50)
		for i := range 50 {
			_, err := db.Delete(fmt.Appendf(nil, "key-%04d", i))
			require.NoError(t, err)
			require.NoError(t, db.Set(fmt.Appendf(nil, "new-%04d", i), nil))
		}
		require.Equal(t, before, collect(t, s.Scan(ScanOptions{})))
		require.NoError(t, db.Sync())
		require.Equal(t, before, collect(t, s.Scan(ScanOptions{})))

		s.Close()
		_, err = s.ScanPage(ScanOptions{})
		require.ErrorIs(t, err, ErrClosed)
	}
}

func TestClosingASnapshotEndsItsScan(t *testing.T) {
	db := mustOpen(t, afero.NewMemMapFs(), small)
	load(t, db, 5)
	s, err := db.Snapshot()
	require.NoError(t, err)
	var last error
	for _, err := range s.Scan(ScanOptions{}) {
		last = err
		s.Close()
	}
	require.ErrorIs(t, last, ErrClosed)
}
