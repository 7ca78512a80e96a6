package chaos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"strings"
)

// MinValueBytes is the smallest value that can vouch for itself: the header alone.
const MinValueBytes = 36

// A value says on its own which write made it, and every one of its bits is covered twice or is
// compared with what it must be. Integers are big-endian.
//
//	 0  magic    4  "HFV1"
//	 4  crc      4  CRC-32C of everything after it
//	 8  length   4  bytes of the whole value
//	12  key      4  index of the key it was written to
//	16  writer   4  index of the writer
//	20  seed     8  of the campaign
//	28  version  8  1 for the first write to this key, 2 for the next …
//	36  fill     …  pseudo-random bytes that follow from the fields above
const (
	magicAt   = 0
	crcAt     = 4
	lengthAt  = 8
	keyAt     = 12
	writerAt  = 16
	seedAt    = 20
	versionAt = 28
	fillAt    = MinValueBytes
)

const valueMagic = "HFV1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// valueID names one write to one key. Key and version alone are unique within a campaign; the rest
// tells a value of this campaign and writer from any other.
type valueID struct {
	seed    uint64
	version uint64
	key     uint32
	writer  uint32
}

// encodeValue makes the value of sizeBytes, at least MinValueBytes, that stands for id.
func encodeValue(id valueID, sizeBytes int) []byte {
	v := make([]byte, sizeBytes)
	copy(v[magicAt:], valueMagic)
	binary.BigEndian.PutUint32(v[lengthAt:], uint32(sizeBytes))
	binary.BigEndian.PutUint32(v[keyAt:], id.key)
	binary.BigEndian.PutUint32(v[writerAt:], id.writer)
	binary.BigEndian.PutUint64(v[seedAt:], id.seed)
	binary.BigEndian.PutUint64(v[versionAt:], id.version)
	fill(v[fillAt:], id)
	binary.BigEndian.PutUint32(v[crcAt:], crc32.Checksum(v[lengthAt:], castagnoli))
	return v
}

// parseValue reads a value back. An error means that v is not, byte for byte, what encodeValue made
// for the id that v claims.
func parseValue(v []byte) (valueID, error) {
	if len(v) < MinValueBytes {
		return valueID{}, fmt.Errorf("%d bytes, shorter than a header", len(v))
	}
	if string(v[magicAt:crcAt]) != valueMagic {
		return valueID{}, fmt.Errorf("magic is % x", v[magicAt:crcAt])
	}
	if n := binary.BigEndian.Uint32(v[lengthAt:]); int64(n) != int64(len(v)) {
		return valueID{}, fmt.Errorf("%d bytes, written as %d", len(v), n)
	}
	if sum := crc32.Checksum(v[lengthAt:], castagnoli); sum != binary.BigEndian.Uint32(v[crcAt:]) {
		return valueID{}, errors.New("checksum does not match")
	}
	id := valueID{
		seed:    binary.BigEndian.Uint64(v[seedAt:]),
		version: binary.BigEndian.Uint64(v[versionAt:]),
		key:     binary.BigEndian.Uint32(v[keyAt:]),
		writer:  binary.BigEndian.Uint32(v[writerAt:]),
	}
	// A checksum of 32 bits lets one damaged value in four billion pass; the fill does not.
	want := make([]byte, len(v)-fillAt)
	fill(want, id)
	if !bytes.Equal(want, v[fillAt:]) {
		return valueID{}, errors.New("fill does not match its header")
	}
	return id, nil
}

// fill writes the bytes that follow from id over p.
func fill(p []byte, id valueID) {
	var gen rand.PCG
	gen.Seed(id.seed^uint64(id.key)<<32^uint64(id.writer), id.version)
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, gen.Uint64())
		p = p[8:]
	}
	var last [8]byte
	binary.LittleEndian.PutUint64(last[:], gen.Uint64())
	copy(p, last[:])
}

const keyPrefix = "chaos-"

// keyName is the key with index i, 16 bytes long.
func keyName(i int) []byte { return fmt.Appendf(nil, keyPrefix+"%010d", i) }

// isKeyName reports whether name is that of one of the first n keys.
func isKeyName(name []byte, n int) bool {
	i, err := strconv.Atoi(strings.TrimPrefix(string(name), keyPrefix))
	return err == nil && i >= 0 && i < n && bytes.Equal(keyName(i), name)
}
