package benchmarks

import (
	"bytes"
	"math/rand/v2"
)

// indexDigits is how many hexadecimal digits of a key tell it from the others.
const indexDigits = 8

// keyspace is a set of n keys of the same length: a prefix, zeros, and eight
// digits that scatter neighbouring numbers over the whole space.
type keyspace struct {
	prefix string
	bytes  int
	n      uint32
}

// template returns a key without its digits; put fills them in.
func (k keyspace) template() []byte {
	key := bytes.Repeat([]byte{'0'}, k.bytes)
	copy(key, k.prefix)
	return key
}

// put makes key, which template returned, the key with number i.
func (k keyspace) put(key []byte, i uint32) {
	i *= 0x9e3779b1 // odd, so that no two numbers become the same
	for at := len(key) - 1; at >= len(key)-indexDigits; at-- {
		key[at] = "0123456789abcdef"[i&15]
		i >>= 4
	}
}

// picker draws the keys of one goroutine, uniformly, from a seed.
type picker struct {
	keyspace
	random *rand.Rand
	key    []byte
}

func (k keyspace) picker(seed uint64, goroutine int) *picker {
	return &picker{keyspace: k, key: k.template(), random: rand.New(rand.NewPCG(seed, uint64(goroutine)))}
}

// next draws a number and its key, which is valid until the next call.
func (p *picker) next() (i uint32, key []byte) {
	i = p.random.Uint32N(p.n)
	p.put(p.key, i)
	return i, p.key
}

// newValue returns bytes that do not compress.
func newValue(seed uint64, size int) []byte {
	value := make([]byte, size)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	return value
}
