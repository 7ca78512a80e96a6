package kv

import (
	"encoding/binary"
	"hash/crc32"
)

// A record is one Set or one Delete in a segment. Integers are little-endian;
// a record begins at a multiple of 8 bytes and is padded with zeros to one.
//
//	offset  size
//	     0     4  header checksum, see below
//	     4     1  kind: 1 set, 2 delete
//	     5     1  flags: bit 0, another record of the same batch follows
//	     6     2  zero
//	     8     4  key length, 1 to 65,536 bytes
//	    12     4  value length in bytes; zero for a delete
//	    16     8  sequence number, one more than the record before
//	    24     8  durable: every byte of this segment before this offset was
//	              synced when this record was written
//	    32     4  header checksum of the record before; for the first record of
//	              a segment the checksum of the segment's header
//	    36     4  payload checksum: CRC-32C of key and value
//	    40        key, value, padding
//
// The header checksum is CRC-32C over the segment's identity (store, number and
// the random id drawn when the file was created), the record's offset in it, and
// bytes 4 to 40. A record that was written elsewhere, or earlier in recycled
// space, therefore fails, and an all-zero header does too (kind 0 is none).
// The two checksums are apart so that callers checksum their payloads side by
// side and the committer only ever touches 40 bytes of each record.
//
// The durable field is what tells a torn tail from damage: a record that was
// written after byte x had been synced proves that whatever stood before x was
// once whole. See damage.go.
const (
	recordHeaderBytes = 40
	recordAlign       = 8

	kindSet    = 1
	kindDelete = 2

	flagMore = 1 << 0
)

// le is the byte order of everything on disk.
var le = binary.LittleEndian

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// recordHeader is a decoded header. Its offsets and lengths are in bytes.
type recordHeader struct {
	crc        uint32
	kind       uint8
	flags      uint8
	keyLen     uint32
	valueLen   uint32
	seq        uint64
	durable    uint64
	prev       uint32
	payloadCRC uint32
}

// size is the length of the whole record with its padding.
func (h *recordHeader) size() int64 {
	return recordSize(int(h.keyLen), int(h.valueLen))
}

func (h *recordHeader) more() bool { return h.flags&flagMore != 0 }

func recordSize(keyLen, valueLen int) int64 {
	return alignUp(recordHeaderBytes+int64(keyLen)+int64(valueLen), recordAlign)
}

func alignUp(n, align int64) int64 { return (n + align - 1) / align * align }

// appendRecord appends a record whose place is not known yet: sequence number,
// durable, prev and header checksum are zero until place fills them in.
func appendRecord(dst []byte, kind, flags uint8, key, value []byte) []byte {
	var h [recordHeaderBytes]byte
	h[4], h[5] = kind, flags
	le.PutUint32(h[8:], uint32(len(key)))
	le.PutUint32(h[12:], uint32(len(value)))
	crc := crc32.Update(checksum(key), castagnoli, value)
	le.PutUint32(h[36:], crc)

	dst = append(dst, h[:]...)
	dst = append(dst, key...)
	dst = append(dst, value...)
	var zeros [recordAlign]byte
	unpadded := recordHeaderBytes + int64(len(key)) + int64(len(value))
	return append(dst, zeros[:alignUp(unpadded, recordAlign)-unpadded]...)
}

// placement is where the next record of a segment goes and what it must say.
type placement struct {
	identity uint32 // of the segment, see segmentHeader.identity
	offset   int64
	seq      uint64
	durable  int64
	prev     uint32
}

// place fills in the header of the record at rec[0:] and moves p behind it.
func (p *placement) place(rec []byte) (size int64) {
	le.PutUint64(rec[16:], p.seq)
	le.PutUint64(rec[24:], uint64(p.durable))
	le.PutUint32(rec[32:], p.prev)
	crc := headerChecksum(p.identity, p.offset, rec)
	le.PutUint32(rec, crc)

	keyLen := le.Uint32(rec[8:])
	valueLen := le.Uint32(rec[12:])
	size = recordSize(int(keyLen), int(valueLen))
	p.offset += size
	p.seq++
	p.prev = crc
	return size
}

func headerChecksum(identity uint32, offset int64, rec []byte) uint32 {
	// The offset is mixed in by hand: an array of its bytes would escape to
	// the heap through crc32.Update, once per record and once per Get.
	crc := ^identity
	for shift := 0; shift < 64; shift += 8 {
		crc = castagnoli[byte(crc)^byte(uint64(offset)>>shift)] ^ crc>>8
	}
	return crc32.Update(^crc, castagnoli, rec[4:recordHeaderBytes])
}

// parseHeader decodes the header at b[0:] of a record that should stand at
// offset of a segment with this identity. It reports false for anything that
// is not the header of a record written to that place. The payload is not
// looked at. b must have at least recordHeaderBytes bytes.
func parseHeader(b []byte, identity uint32, offset int64) (recordHeader, bool) {
	h := recordHeader{
		crc:        le.Uint32(b),
		kind:       b[4],
		flags:      b[5],
		keyLen:     le.Uint32(b[8:]),
		valueLen:   le.Uint32(b[12:]),
		seq:        le.Uint64(b[16:]),
		durable:    le.Uint64(b[24:]),
		prev:       le.Uint32(b[32:]),
		payloadCRC: le.Uint32(b[36:]),
	}
	plausible := (h.kind == kindSet || h.kind == kindDelete && h.valueLen == 0) &&
		h.flags&^flagMore == 0 && b[6] == 0 && b[7] == 0 &&
		h.keyLen >= 1 && h.keyLen <= MaxKeyBytes && h.valueLen <= MaxBatchBytes &&
		h.durable <= uint64(offset)
	// The cheap checks come first: the search for records behind damage calls
	// this for every multiple of 8 bytes.
	return h, plausible && headerChecksum(identity, offset, b) == h.crc
}

// payloadIntact reports whether payload, key and value of the record, is what
// was written.
func (h *recordHeader) payloadIntact(payload []byte) bool {
	return checksum(payload) == h.payloadCRC
}
