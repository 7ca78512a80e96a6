package kv

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// BenchmarkSet measures durable writes of 128-byte values on the real disk.
// The comparison with the disk's own limit is in holdfast/benchmarks.
func BenchmarkSet(b *testing.B) {
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db, err := Open(afero.NewOsFs(), b.TempDir(), nil)
			require.NoError(b, err)
			defer func() { require.NoError(b, db.Close()) }()
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					key, value := make([]byte, 16), make([]byte, 128)
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						binary.BigEndian.PutUint64(key, uint64(i)*0x9e3779b97f4a7c15)
						if err := db.Set(key, value); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkGet measures reads whose pages are in the operating system's cache.
func BenchmarkGet(b *testing.B) {
	db, err := Open(afero.NewOsFs(), b.TempDir(), &Options{Sync: SyncEvery(1e9)})
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	const keys = 100_000
	key, value := make([]byte, 16), make([]byte, 128)
	for i := range keys {
		binary.BigEndian.PutUint64(key, uint64(i)*0x9e3779b97f4a7c15)
		require.NoError(b, db.Set(key, value))
	}
	require.NoError(b, db.Sync())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint64(key, uint64(i*7919%keys)*0x9e3779b97f4a7c15)
		if _, err := db.Get(key); err != nil {
			b.Fatal(err)
		}
	}
}
