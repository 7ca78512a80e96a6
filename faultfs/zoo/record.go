package zoo

import (
	"encoding/binary"
	"hash/crc32"
)

var le = binary.LittleEndian

// A record of the logs that have a good one:
//
//	 0  checksum of all that follows   4 bytes, CRC-32
//	 4  length of the key              2
//	 6  length of the value            4
//	10  kind                           1, never zero
//	11  key, value
const recordHeader = 11

const (
	kindSet    = 1
	kindDelete = 2
)

// record encodes one change. The checksum begins with seed, which is 0 or says
// to which log the record belongs.
func record(c Change, seed uint32) []byte {
	b := le.AppendUint16(make([]byte, 4), uint16(len(c.Key)))
	b = le.AppendUint32(b, uint32(len(c.Value)))
	kind := byte(kindSet)
	if c.Delete {
		kind = kindDelete
	}
	b = append(append(append(b, kind), c.Key...), c.Value...)
	le.PutUint32(b, crc32.Update(seed, crc32.IEEETable, b[4:]))
	return b
}

// parseRecord returns the record at the start of b and its length, 0 if there is
// no whole one.
func parseRecord(b []byte, seed uint32) (c Change, n int) {
	if len(b) < recordHeader {
		return c, 0
	}
	keyEnd := recordHeader + int(le.Uint16(b[4:]))
	n = keyEnd + int(le.Uint32(b[6:]))
	if n > len(b) || le.Uint32(b) != crc32.Update(seed, crc32.IEEETable, b[4:n]) {
		return c, 0
	}
	return Change{string(b[recordHeader:keyEnd]), string(b[keyEnd:n]), b[10] == kindDelete}, n
}

// replay makes all changes of a log up to the first record that is not whole, and
// returns where that is.
func (c contents) replay(log []byte, seed uint32) (end int64) {
	for {
		change, n := parseRecord(log[end:], seed)
		if n == 0 {
			return end
		}
		c.apply(change)
		end += int64(n)
	}
}
