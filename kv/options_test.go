package kv

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// bytesOf returns what a store's files hold after the same few writes, a kill
// and a recovery, with ids from a seed.
func bytesOf(t *testing.T, seed byte) map[string]string {
	fsys := afero.NewMemMapFs()
	opts := *small
	opts.Rand = rand.NewChaCha8([32]byte{seed})
	db := mustOpen(t, fsys, &opts)
	load(t, db, 100) // several segments
	abandon(db)
	require.NoError(t, mustOpen(t, fsys, &opts).Close())
	content := map[string]string{}
	for _, name := range files(t, fsys, "*") {
		b, err := afero.ReadFile(fsys, name)
		require.NoError(t, err)
		content[name] = string(b)
	}
	require.Greater(t, len(content), 4)
	return content
}

func TestSameRandSameBytes(t *testing.T) {
	first := bytesOf(t, 1)
	require.Equal(t, first, bytesOf(t, 1))
	other := bytesOf(t, 2)
	for name := range first {
		if name != "/data/store/LOCK" {
			require.NotEqual(t, first[name], other[name], name)
		}
	}
}

// Without Rand no two stores and no two segments have the same id.
func TestIDsDifferUnlessTold(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		fsys := afero.NewMemMapFs()
		db := mustOpen(t, fsys, small)
		load(t, db, 100)
		segments := files(t, fsys, "*.seg")
		require.Greater(t, len(segments), 2)
		for i, name := range segments {
			b, err := afero.ReadFile(fsys, name)
			require.NoError(t, err)
			h, err := parseSegmentHeader(b)
			require.NoError(t, err)
			ids := []string{string(le.AppendUint64(nil, h.id))}
			if i == 0 {
				ids = append(ids, string(h.store[:]))
			}
			for _, id := range ids {
				require.False(t, seen[id])
				seen[id] = true
			}
		}
	}
}

// What needs an id fails without one, nothing else does, and it goes on once
// there are ids again.
func TestRandThatFails(t *testing.T) {
	dry := errors.New("no more random numbers")
	fsys := afero.NewMemMapFs()
	opts := *small
	opts.Rand = iotest.ErrReader(dry)
	_, err := Open(fsys, dir, &opts)
	require.ErrorIs(t, err, dry)
	require.ErrorContains(t, err, "store's id")
	require.Equal(t, []string{"/data/store/LOCK"}, files(t, fsys, "*"))

	var ids bytes.Buffer
	ids.Write(make([]byte, 16+8)) // of the store and of one segment
	opts.Rand = &ids
	db := mustOpen(t, fsys, &opts)
	value := make([]byte, 3000)
	require.NoError(t, db.Set([]byte("first"), value))
	err = db.Set([]byte("second"), value)
	require.ErrorContains(t, err, "segment's id")
	require.NotErrorIs(t, err, ErrOutcomeUnknown)
	_, err = db.Get([]byte("first"))
	require.NoError(t, err)
	require.NoError(t, db.Set([]byte("small"), nil), "there is room for it")

	ids.Write([]byte("another "))
	require.NoError(t, db.Set([]byte("second"), value))
}

// The manifest says how far the log is durable once BoundEvery has passed after
// a write, and is left alone while there is none.
func TestBoundEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := afero.NewMemMapFs()
		opts := *roomy
		opts.BoundEvery = 20 * time.Millisecond
		db := mustOpen(t, fsys, &opts)
		require.NoError(t, db.Set([]byte("key"), nil)) // begins a segment, in a manifest
		begun := onlyFile(t, fsys, manifestPrefix+"*")
		time.Sleep(opts.BoundEvery - 1) // of the bubble's clock
		synctest.Wait()
		require.Equal(t, begun, onlyFile(t, fsys, manifestPrefix+"*"))

		time.Sleep(time.Nanosecond)
		synctest.Wait()
		raised := onlyFile(t, fsys, manifestPrefix+"*")
		require.NotEqual(t, begun, raised)
		b, err := afero.ReadFile(fsys, raised)
		require.NoError(t, err)
		m, _, err := parseManifest(b)
		require.NoError(t, err)
		require.Equal(t, db.Stats().DurableSeq, m.lastSeq())

		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, raised, onlyFile(t, fsys, manifestPrefix+"*"))
		require.NoError(t, db.Close())
	})
}
