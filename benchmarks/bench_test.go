package benchmarks

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/kv"
)

// BenchmarkDurableSet measures one durable write of 16-byte keys and 128-byte
// values, by the number of callers that write at the same time, against the
// limit of the disk. For a ratio to trust use "holdfast bench engine", which
// lets the two sides take turns.
func BenchmarkDurableSet(b *testing.B) {
	sides := map[string]func(b *testing.B) setter{
		"bare": func(b *testing.B) setter {
			l, err := NewBareLoop(afero.NewOsFs(), filepath.Join(b.TempDir(), "bare"), bareFileBytes)
			require.NoError(b, err)
			return l
		},
		"kv": func(b *testing.B) setter {
			db, err := kv.Open(afero.NewOsFs(), b.TempDir(), nil)
			require.NoError(b, err)
			return db
		},
	}
	for _, side := range []string{"bare", "kv"} {
		for _, callers := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/callers=%d", side, callers), func(b *testing.B) {
				s := sides[side](b)
				defer func() { require.NoError(b, s.Close()) }()
				keys := keyspace{bytes: 16, n: 1_000_000}
				runBench(b, callers, setOperations(s, keys, newValue(1, 128), 1))
			})
		}
	}
}

// BenchmarkGet measures one read of a 128-byte value from the operating
// system's cache, against a bare ReadAt of as many bytes.
func BenchmarkGet(b *testing.B) {
	keys, value := keyspace{bytes: 16, n: 100_000}, newValue(1, 128)
	b.Run("readat", func(b *testing.B) {
		file, err := newValueFile(afero.NewOsFs(), filepath.Join(b.TempDir(), "values"), value, int(keys.n))
		require.NoError(b, err)
		defer func() { require.NoError(b, file.Close()) }()
		runBench(b, 1, func(int) operation { return readAtOperation(file, keys, len(value), 1) })
	})
	b.Run("kv", func(b *testing.B) {
		db, err := newStore(afero.NewOsFs(), b.TempDir(), keys, value)
		require.NoError(b, err)
		defer func() { require.NoError(b, db.Close()) }()
		runBench(b, 1, func(int) operation { return getOperation(db, keys, len(value), 1) })
	})
}

func runBench(b *testing.B, callers int, newOperation func(int) operation) {
	b.ReportAllocs()
	b.ResetTimer()
	s, err := load{goroutines: callers, ops: int64(b.N)}.run(b.Context(), newOperation)
	b.StopTimer()
	require.NoError(b, err)
	require.EqualValues(b, b.N, s.ops)
	b.ReportMetric(s.perSecond(), "ops/s")
}
