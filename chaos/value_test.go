package chaos

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
)

var someValue = valueID{seed: 0x0123456789abcdef, version: 42, key: 7, writer: 3}

func TestValueRoundTrip(t *testing.T) {
	for _, size := range []int{MinValueBytes, MinValueBytes + 1, 43, 44, 45, 128, 4096} {
		v := encodeValue(someValue, size)
		require.Len(t, v, size)
		got, err := parseValue(v)
		require.NoError(t, err, "size %d", size)
		require.Equal(t, someValue, got)
	}
}

func TestEveryFlippedBitIsDetected(t *testing.T) {
	v := encodeValue(someValue, 131)
	for bit := range 8 * len(v) {
		v[bit/8] ^= 1 << (bit % 8)
		_, err := parseValue(v)
		require.Error(t, err, "bit %d", bit)
		v[bit/8] ^= 1 << (bit % 8)
	}
}

func TestEveryOtherLengthIsDetected(t *testing.T) {
	v := encodeValue(someValue, 131)
	for n := range v {
		_, err := parseValue(v[:n])
		require.Error(t, err, "cut to %d", n)
	}
	_, err := parseValue(append(v, 0))
	require.Error(t, err)
	_, err = parseValue(make([]byte, 131))
	require.Error(t, err, "zeros")
}

// A checksum made anew over damaged bytes must not help: the fill has to follow from the header.
func TestValueWithForgedChecksumIsDetected(t *testing.T) {
	for at := lengthAt; at < 131; at++ {
		v := encodeValue(someValue, 131)
		v[at] ^= 0x40
		binary.BigEndian.PutUint32(v[crcAt:], crc32.Checksum(v[lengthAt:], castagnoli))
		_, err := parseValue(v)
		require.Error(t, err, "byte %d", at)
	}
}

func TestValuesOfDifferentWritesDiffer(t *testing.T) {
	seen := map[string]valueID{}
	for _, seed := range []uint64{1, 2} {
		for key := range uint32(20) {
			for version := uint64(1); version <= 20; version++ {
				id := valueID{seed: seed, key: key, writer: key % 4, version: version}
				body := string(encodeValue(id, 128)[fillAt:])
				require.NotContains(t, seen, body, "%v and %v", id, seen[body])
				seen[body] = id
			}
		}
	}
}

func TestKeyNamesSortLikeTheirIndex(t *testing.T) {
	require.Len(t, keyName(0), 16)
	require.Less(t, string(keyName(99)), string(keyName(100)))
}

func TestStreamsAreRepeatableAndDistinct(t *testing.T) {
	seen := map[uint64]bool{}
	for _, role := range []streamRole{writerStream, readerStream, killStream} {
		for n := range 100 {
			first := stream(5, role, n).Uint64()
			require.Equal(t, first, stream(5, role, n).Uint64())
			require.False(t, seen[first], "role %d, stream %d repeats another", role, n)
			seen[first] = true
		}
	}
	require.NotEqual(t, stream(5, writerStream, 0).Uint64(), stream(6, writerStream, 0).Uint64())
}
