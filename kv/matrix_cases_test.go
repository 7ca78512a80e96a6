package kv

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// The kinds of damage, in the order of the table.
const (
	flipBit = iota
	truncateFile
	extendZeros
	extendGarbage
	zeroSector
	garbageSector
	staleSector   // what the sector held earlier
	siblingSector // what stands there in another file of the store
	foreignSector // what stood there in an older store, in recycled space
	swapSectors
	removeFile
	foreignFile   // the file of that name in an older store
	overwriteFile // with a copy of another
	copyFile      // under a new name of its kind
	swapFiles
	damageKinds
)

var damageNames = [damageKinds]string{
	"one bit flipped", "file shortened", "file extended by zeros", "file extended by garbage",
	"sector of zeros", "sector of garbage", "stale sector", "sector of another file",
	"sector of an older store", "two sectors swapped", "file removed", "file of an older store", "file replaced by another",
	"file copied to a new name", "two files swapped",
}

// damageCase is one way to damage a store. What a, b and other mean depends on
// the kind.
type damageCase struct {
	kind        uint8
	file, other uint8 // index into matrixStore.names
	a, b        int32
}

func (m *matrixStore) describe(c damageCase) string {
	return fmt.Sprintf("%s store, %s: file %s, other %s, a %d, b %d",
		m.ending, damageNames[c.kind], m.names[c.file], m.names[c.other], c.a, c.b)
}

// garbageSeeds is how many different sectors of garbage each place gets.
const garbageSeeds = 4

// cases returns every damage that the matrix has for this store.
func (m *matrixStore) cases(older *matrixStore) (all []damageCase) {
	for i, name := range m.names {
		c := damageCase{file: uint8(i)}
		add := func(kind uint8, a, b int) {
			c.kind, c.a, c.b = kind, int32(a), int32(b)
			all = append(all, c)
		}
		size := len(m.files[name])
		for bit := range size * 8 {
			add(flipBit, bit, 0)
		}
		for length := range size {
			add(truncateFile, length, 0)
		}
		for _, n := range []int{1, 7, 8, 511, 512, 513, 4096, 70000} {
			add(extendZeros, n, 0)
			add(extendGarbage, n, 0)
		}
		for sector := range sectorsOf(size) {
			add(zeroSector, sector, 0)
			for seed := range garbageSeeds {
				add(garbageSector, sector, seed)
			}
			for age := range m.stale[name][sector] {
				add(staleSector, sector, age)
			}
			add(foreignSector, sector, 0)
			for j := range m.names {
				c.other = uint8(j)
				add(siblingSector, sector, 0)
				for other := range sectorsOf(len(m.files[m.names[j]])) {
					if j > i || j == i && other > sector {
						add(swapSectors, sector, other)
					}
				}
			}
			c.other = 0
		}
		add(removeFile, 0, 0)
		if older.files[name] != nil {
			add(foreignFile, 0, 0)
		}
		for n := range 3 {
			add(copyFile, n, 0)
		}
		for j := range m.names {
			if c.other = uint8(j); j == i {
				continue
			}
			add(overwriteFile, 0, 0)
			if j > i {
				add(swapFiles, 0, 0)
			}
		}
	}
	return all
}

func sectorsOf(size int) int { return (size + matrixSector - 1) / matrixSector }

// sectorAt is a sector of b, shorter at its end and empty behind it.
func sectorAt(b []byte, sector int32) []byte {
	from := min(int(sector)*matrixSector, len(b))
	return b[from:min(from+matrixSector, len(b))]
}

// apply returns the files of the damaged store, and the names of those that
// differ; none if the case changes nothing. The content of m.files stays.
func (m *matrixStore) apply(c damageCase, older *matrixStore) (files map[string][]byte, altered []string) {
	name, other := m.names[c.file], m.names[c.other]
	files = make(map[string][]byte, len(m.files)+1)
	for n, b := range m.files {
		files[n] = b
	}
	switch b := files[name]; c.kind {
	case removeFile:
		delete(files, name)
		return files, []string{name}
	case copyFile:
		fresh := m.freshName(name, c.a)
		files[fresh] = b
		return files, []string{fresh}
	case foreignFile:
		files[name] = older.files[name]
	case overwriteFile:
		files[name] = files[other]
	case swapFiles:
		files[name], files[other] = files[other], b
	case truncateFile:
		files[name] = b[:c.a:c.a]
	case extendZeros:
		files[name] = append(b[:len(b):len(b)], make([]byte, c.a)...)
	case extendGarbage:
		files[name] = append(b[:len(b):len(b)], garbage(uint64(c.a), int(c.a))...)
	default:
		m.alterBytes(c, older, files)
	}
	for _, n := range m.names {
		if !bytes.Equal(files[n], m.files[n]) {
			altered = append(altered, n)
		}
	}
	return files, altered
}

// alterBytes applies damage that leaves the length of files as it is.
func (m *matrixStore) alterBytes(c damageCase, older *matrixStore, files map[string][]byte) {
	name, other := m.names[c.file], m.names[c.other]
	files[name] = bytes.Clone(files[name])
	here := sectorAt(files[name], c.a)
	switch c.kind {
	case flipBit:
		files[name][c.a/8] ^= 1 << (c.a % 8)
	case zeroSector:
		clear(here)
	case garbageSector:
		copy(here, garbage(uint64(c.a)<<8|uint64(c.b), matrixSector))
	case staleSector:
		copy(here, m.stale[name][int(c.a)][c.b])
	case siblingSector:
		copy(here, sectorAt(m.files[other], c.a))
	case foreignSector:
		copy(here, sectorAt(older.files[name], c.a))
	case swapSectors:
		if other != name {
			files[other] = bytes.Clone(files[other])
		}
		there := sectorAt(files[other], c.b)
		n := copy(here, bytes.Clone(there))
		copy(there[:n], sectorAt(m.files[name], c.a))
	}
}

// freshName is a name of the same kind that is not taken: the next one, and
// some further on.
func (m *matrixStore) freshName(name string, n int32) string {
	step := []uint64{1, 2, 40}[n]
	if g, ok := manifestGeneration(name); ok {
		for m.files[manifestName(g)] != nil {
			g++
		}
		return manifestName(g + step - 1)
	}
	if number, ok := segmentNumber(name); ok {
		for m.files[segmentName(number)] != nil {
			number++
		}
		return segmentName(number + step - 1)
	}
	return name + strings.Repeat("~", int(step))
}

func garbage(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
