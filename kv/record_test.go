package kv

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

var goldenStore = storeID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

func goldenHeader() segmentHeader {
	return segmentHeader{kind: segmentLog, store: goldenStore, number: 7, id: 0x1122334455667788, firstSeq: 42, capacity: 65536}
}

// The bytes on disk are a promise to every later version: a change here is a
// new format version.
func TestRecordBytesAreGolden(t *testing.T) {
	rec := appendRecord(nil, kindSet, flagMore, []byte("key"), []byte("value"))
	h := goldenHeader()
	place := newSegment(h, nil).start()
	require.EqualValues(t, 48, place.place(rec))
	require.Equal(t, ""+
		"9529fd73"+"01"+"01"+"0000"+"03000000"+"05000000"+ // checksum, kind, flags, zero, key and value length
		"2a00000000000000"+"0002000000000000"+ // sequence number, durable
		"10221b45"+"448900e8"+ // checksum of the record before, of the payload
		hex.EncodeToString([]byte("keyvalue")),
		hex.EncodeToString(rec))
	require.Equal(t, placement{identity: h.identity(), offset: 560, seq: 43, durable: 512, prev: le.Uint32(rec)}, place)
}

func TestRecordRoundTrip(t *testing.T) {
	for _, c := range []struct {
		kind  uint8
		value string
		size  int64
	}{{kindSet, "", 48}, {kindSet, "v", 48}, {kindSet, "12345", 48}, {kindSet, "123456", 56}, {kindDelete, "", 48}} {
		rec := appendRecord(nil, c.kind, 0, []byte("key"), []byte(c.value))
		place := placement{identity: 99, offset: 4096, seq: 5, durable: 1024, prev: 77}
		require.Equal(t, c.size, place.place(rec))
		require.Len(t, rec, int(c.size))
		h, ok := parseHeader(rec, 99, 4096)
		require.True(t, ok)
		require.Equal(t, recordHeader{
			crc: le.Uint32(rec), kind: c.kind, keyLen: 3, valueLen: uint32(len(c.value)),
			seq: 5, durable: 1024, prev: 77, payloadCRC: le.Uint32(rec[36:]),
		}, h)
		require.True(t, h.payloadIntact(rec[40:40+3+len(c.value)]))
		require.False(t, h.more())
	}
}

// Every bit of a header is covered, and so are its place and its segment.
func TestRecordHeaderRejects(t *testing.T) {
	rec := appendRecord(nil, kindSet, 0, []byte("key"), []byte("value"))
	place := placement{identity: 99, offset: 4096, seq: 5, durable: 1024, prev: 77}
	place.place(rec)
	_, ok := parseHeader(rec, 99, 4104)
	require.False(t, ok, "a record that was written elsewhere in the file")
	_, ok = parseHeader(rec, 98, 4096)
	require.False(t, ok, "a record of another segment")
	_, ok = parseHeader(make([]byte, 40), 0, 0)
	require.False(t, ok, "zeros")
	for bit := range recordHeaderBytes * 8 {
		rec[bit/8] ^= 1 << (bit % 8)
		_, ok := parseHeader(rec, 99, 4096)
		require.False(t, ok, "bit %d flipped", bit)
		rec[bit/8] ^= 1 << (bit % 8)
	}
	h, ok := parseHeader(rec, 99, 4096)
	require.True(t, ok)
	for bit := range 8 * 8 {
		rec[40+bit/8] ^= 1 << (bit % 8)
		require.False(t, h.payloadIntact(rec[40:48]), "payload bit %d flipped", bit)
		rec[40+bit/8] ^= 1 << (bit % 8)
	}
}

func TestSegmentHeaderBytesAreGolden(t *testing.T) {
	h := goldenHeader()
	b := h.encode()
	require.Len(t, b, segmentHeaderBytes)
	require.Equal(t, ""+
		hex.EncodeToString([]byte("HFSEGMNT"))+"01000000"+"01000000"+
		"000102030405060708090a0b0c0d0e0f"+"0700000000000000"+"8877665544332211"+
		"2a00000000000000"+"0000010000000000"+"10221b45",
		hex.EncodeToString(b[:segmentHeaderUsed]))
	got, err := parseSegmentHeader(b)
	require.NoError(t, err)
	require.Equal(t, h, got)
}

func TestSegmentHeaderRejects(t *testing.T) {
	h := goldenHeader()
	b := h.encode()
	for bit := range segmentHeaderUsed * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		_, err := parseSegmentHeader(b)
		require.ErrorIs(t, err, errNotASegment, "bit %d flipped", bit)
		b[bit/8] ^= 1 << (bit % 8)
	}
	_, err := parseSegmentHeader(b[:segmentHeaderUsed-1])
	require.ErrorIs(t, err, errNotASegment)
	_, err = parseSegmentHeader(withVersion(b, 8, 64, 2))
	require.ErrorIs(t, err, ErrFormatTooNew)
}

// withVersion returns b with another format version at offset at, and with its
// checksum, over everything before sum, put right.
func withVersion(b []byte, at, sum int, version uint32) []byte {
	b = append([]byte(nil), b...)
	le.PutUint32(b[at:], version)
	le.PutUint32(b[sum:], checksum(b[:sum]))
	return b
}

func TestSegmentNames(t *testing.T) {
	require.Equal(t, "00000007.seg", segmentName(7))
	for _, n := range []uint64{0, 7, 99_999_999, 100_000_000, 1<<64 - 1} {
		got, ok := segmentNumber(segmentName(n))
		require.True(t, ok)
		require.Equal(t, n, got)
	}
	for _, name := range []string{"7.seg", "00000007.sgm", "0000000a.seg", "000000007.seg", ".seg", "+0000007.seg"} {
		_, ok := segmentNumber(name)
		require.False(t, ok, name)
	}
}
