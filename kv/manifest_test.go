package kv

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func goldenManifest() manifest {
	return manifest{generation: 9, store: goldenStore, nextSegment: 4, entries: []manifestEntry{
		{number: 2, id: 0xa2, firstSeq: 1, length: 1024, lastSeq: 8, capacity: 4096, chain: 0xdeadbeef, kind: segmentCopy, sealed: true},
		{number: 3, id: 0xa3, firstSeq: 9, length: 512, lastSeq: 8, capacity: 65536, chain: 0xcafe, kind: segmentLog},
	}}
}

func TestManifestBytesAreGolden(t *testing.T) {
	m := goldenManifest()
	b := m.encode()
	require.Len(t, b, 1024)
	require.Equal(t, b[:512], b[512:], "the two copies")
	require.Equal(t, ""+
		hex.EncodeToString([]byte("HFMANIFT"))+"01000000"+"02000000"+
		"0900000000000000"+"000102030405060708090a0b0c0d0e0f"+"0400000000000000"+
		"0200000000000000"+"a200000000000000"+"0100000000000000"+"0004000000000000"+
		"0800000000000000"+"0010000000000000"+"efbeadde"+"0200"+"0100"+
		"0300000000000000"+"a300000000000000"+"0900000000000000"+"0002000000000000"+
		"0800000000000000"+"0000010000000000"+"feca0000"+"0100"+"0000"+
		"5790d927",
		hex.EncodeToString(b[:164]))
	got, healed, err := parseManifest(b)
	require.NoError(t, err)
	require.False(t, healed)
	require.Equal(t, m, got)
}

// One bad bit, anywhere, costs nothing and is noticed.
func TestManifestSurvivesOneBadBit(t *testing.T) {
	m := goldenManifest()
	b := m.encode()
	const used = 164
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		got, healed, err := parseManifest(b)
		require.NoError(t, err, "bit %d flipped", bit)
		require.Equal(t, m, got, "bit %d flipped", bit)
		require.Equal(t, bit/8%512 < used, healed, "bit %d flipped", bit)
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestManifestRejects(t *testing.T) {
	m := goldenManifest()
	b := m.encode()
	for n := range 164 {
		_, _, err := parseManifest(b[:n])
		require.ErrorIs(t, err, errNotAManifest, "cut to %d bytes", n)
	}
	_, healed, err := parseManifest(b[:600])
	require.NoError(t, err, "cut in the second copy")
	require.True(t, healed)

	both := append([]byte(nil), b...)
	both[20] ^= 1
	both[512+20] ^= 1
	_, _, err = parseManifest(both)
	require.ErrorIs(t, err, errNotAManifest)

	newer := withVersion(b[:512], 8, 160, 2)
	_, _, err = parseManifest(append(newer, newer...))
	require.ErrorIs(t, err, ErrFormatTooNew)

	huge := append([]byte(nil), b[:164]...)
	le.PutUint32(huge[12:], 1<<31)
	_, _, err = parseManifest(huge)
	require.ErrorIs(t, err, errNotAManifest, "a claimed count beyond the file")

	m.entries[0].length = 100
	_, _, err = parseManifest(m.encode())
	require.ErrorIs(t, err, errNotAManifest, "a length shorter than the header")
}

func TestManifestNames(t *testing.T) {
	g, ok := manifestGeneration(manifestName(12))
	require.True(t, ok)
	require.EqualValues(t, 12, g)
	for _, name := range []string{"MANIFEST-12", "MANIFEST", "MANIFEST-0000000x", "00000012"} {
		_, ok := manifestGeneration(name)
		require.False(t, ok, name)
	}
}

func TestStoreFile(t *testing.T) {
	b := encodeStoreFile(goldenStore)
	require.Equal(t, hex.EncodeToString([]byte("HFSTORE\n"))+"01000000"+"000102030405060708090a0b0c0d0e0f"+"432c9303", hex.EncodeToString(b))
	id, err := parseStoreFile(b)
	require.NoError(t, err)
	require.Equal(t, goldenStore, id)
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		_, err := parseStoreFile(b)
		require.ErrorIs(t, err, errNotAStoreFile, "bit %d flipped", bit)
		b[bit/8] ^= 1 << (bit % 8)
	}
	_, err = parseStoreFile(b[:31])
	require.ErrorIs(t, err, errNotAStoreFile)
	_, err = parseStoreFile(withVersion(b, 8, 28, 2))
	require.ErrorIs(t, err, ErrFormatTooNew)
}
