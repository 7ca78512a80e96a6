package faultfs

import (
	"fmt"
	"slices"
	"strings"
)

// brute is the crash model once more, as literally as possible: a list of
// micro-operations, each forced or not, of which every subset is applied, one
// after the other, to a world of names and cells. It shares nothing with the
// code under test but the bytes that stand for garbage.
type brute struct {
	names map[string]string // what callers see: the name of a file -> its identity
	files map[string]*bruteFile
	ops   []*bruteOp
	stale []byte // of the file that gave its space back last
	next  int
}

// bruteFile is what callers see of a file.
type bruteFile struct {
	data    []byte
	written int // no byte behind it was ever synced
	num     int // for garbage: which node it is
}

type bruteKind int

const (
	bruteName bruteKind = iota // name stands for file, or for nothing
	bruteGrow                  // the size is at least this
	bruteSet                   // the size is this
	bruteData                  // data at off, within one sector
)

type bruteOp struct {
	kind   bruteKind
	name   string
	file   string
	size   int
	data   []byte
	fresh  bool
	forced bool
	orphan bool
	chosen bool
}

func newBrute() *brute {
	return &brute{names: map[string]string{}, files: map[string]*bruteFile{}}
}

func (b *brute) add(op bruteOp) { b.ops = append(b.ops, &op) }

func (b *brute) create(name string) {
	b.next++
	id := fmt.Sprint(name, "#", b.next)
	b.files[id] = &bruteFile{num: b.next}
	b.names[name] = id
	b.add(bruteOp{kind: bruteName, name: name, file: id})
}

func (b *brute) write(name string, off int, data []byte) {
	id := b.names[name]
	f := b.files[id]
	if end := off + len(data); end > len(f.data) {
		for at := 1; at <= end; at++ {
			if at == end || at%4096 == 0 && at > off && at > len(f.data) {
				b.add(bruteOp{kind: bruteGrow, file: id, size: at})
			}
		}
		f.data = append(f.data, make([]byte, end-len(f.data))...)
	}
	for at := 0; at < len(data); {
		n := min(512-(off+at)%512, len(data)-at)
		b.add(bruteOp{kind: bruteData, file: id, size: off + at, data: slices.Clone(data[at : at+n]), fresh: off+at+n > f.written})
		at += n
	}
	copy(f.data[off:], data)
}

func (b *brute) truncate(name string, size int) {
	id := b.names[name]
	f := b.files[id]
	if size == len(f.data) {
		return
	}
	if size < len(f.data) {
		for at := size; at < len(f.data) && (at == size || at%4096 != 0) && size%4096 != 0; {
			n := min(512-at%512, len(f.data)-at)
			b.add(bruteOp{kind: bruteData, file: id, size: at, data: make([]byte, n)})
			at += n
		}
		b.gaveBack(f.data)
		f.data = f.data[:size:size]
		f.written = min(f.written, size)
	} else {
		f.data = append(f.data, make([]byte, size-len(f.data))...)
	}
	b.add(bruteOp{kind: bruteSet, file: id, size: size})
}

func (b *brute) preallocate(name string, size int) {
	id := b.names[name]
	if f := b.files[id]; size > len(f.data) {
		f.data = append(f.data, make([]byte, size-len(f.data))...)
		b.add(bruteOp{kind: bruteGrow, file: id, size: size})
	}
}

// gaveBack notes stale bytes. Workloads of these tests stay in one sector where
// more than one file gives back.
func (b *brute) gaveBack(data []byte) {
	if len(strings.Trim(string(data), "\x00")) > 0 {
		old := b.stale
		b.stale = slices.Clone(data)
		for i := 0; i < len(old); i += 512 {
			end := min(i+512, len(old))
			if i >= len(data) || strings.Trim(string(data[i:min(i+512, len(data))]), "\x00") == "" {
				for len(b.stale) < end {
					b.stale = append(b.stale, 0)
				}
				copy(b.stale[i:end], old[i:end])
			}
		}
	}
}

func (b *brute) remove(name string) {
	b.gaveBack(b.files[b.names[name]].data)
	delete(b.names, name)
	b.add(bruteOp{kind: bruteName, name: name})
}

func (b *brute) rename(from, to string) {
	id := b.names[from]
	if old, ok := b.names[to]; ok {
		b.gaveBack(b.files[old].data)
		b.add(bruteOp{kind: bruteName, name: to})
	}
	delete(b.names, from)
	b.names[to] = id
	b.add(bruteOp{kind: bruteName, name: to, file: id})
	b.add(bruteOp{kind: bruteName, name: from})
}

func (b *brute) sync(name string) {
	id := b.names[name]
	for _, op := range b.ops {
		if op.kind != bruteName && op.file == id && !op.orphan && !op.forced {
			op.forced = true
			if op.kind == bruteData {
				f := b.files[id]
				f.written = max(f.written, min(len(f.data), op.size+len(op.data)))
			}
		}
	}
}

func (b *brute) failSync(name string) {
	for _, op := range b.ops {
		if op.kind != bruteName && op.file == b.names[name] && !op.forced {
			op.orphan = true
		}
	}
}

func (b *brute) syncDir() {
	for _, op := range b.ops {
		if op.kind == bruteName {
			op.forced = true
		}
	}
}

// contents returns the distinct legal worlds, each as text.
func (b *brute) contents() []string {
	var free []*bruteOp
	for _, op := range b.ops {
		if op.chosen = op.forced; !op.forced {
			free = append(free, op)
		}
	}
	found := map[string]bool{}
	for set := range 1 << len(free) {
		for i, op := range free {
			op.chosen = set>>i&1 != 0
		}
		b.worlds(found)
	}
	list := []string{}
	for text := range found {
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

// bruteWorld is a file in one world.
type bruteWorld struct {
	size  int
	cells [4608]byte
	known [4608]bool
	open  [9]bool // sectors in which anything may show
}

// worlds applies the chosen operations, and fills what was lost in every way.
func (b *brute) worlds(found map[string]bool) {
	names := map[string]string{}
	files := map[string]*bruteWorld{}
	for id := range b.files {
		files[id] = &bruteWorld{}
	}
	for _, op := range b.ops {
		f := files[op.file]
		switch {
		case op.kind == bruteData && !op.chosen:
			f.open[op.size/512] = f.open[op.size/512] || op.fresh
		case !op.chosen:
		case op.kind == bruteName && op.file == "":
			delete(names, op.name)
		case op.kind == bruteName:
			names[op.name] = op.file
		case op.kind == bruteGrow:
			f.size = max(f.size, op.size)
		case op.kind == bruteSet:
			if op.size > f.size && !op.forced {
				for i := f.size / 512; i*512 < op.size; i++ {
					f.open[i] = true
				}
			}
			for i := op.size; i < f.size; i++ {
				f.cells[i], f.known[i] = 0, false
			}
			// What lies behind the old end goes as well.
			if op.size < f.size {
				clear(f.cells[op.size:])
				clear(f.known[op.size:])
			}
			f.size = op.size
		default:
			copy(f.cells[op.size:], op.data)
			for i := range op.data {
				f.known[op.size+i] = true
			}
		}
	}
	b.fill(found, names, files)
}

// fill goes through every way to fill the open sectors that can be seen.
func (b *brute) fill(found map[string]bool, names map[string]string, files map[string]*bruteWorld) {
	type place struct {
		id string
		at int
	}
	var open []place
	seen := map[string]bool{}
	for _, id := range names {
		for i := range files[id].open {
			if files[id].open[i] && i*512 < files[id].size && !seen[id] {
				open = append(open, place{id, i})
			}
		}
		seen[id] = true
	}
	ways := 1
	for range open {
		ways *= 3
	}
	for way := range ways {
		filled := map[place]int{}
		for _, p := range open {
			filled[p] = way % 3
			way /= 3
		}
		lines := []string{}
		for name, id := range names {
			f := files[id]
			text := slices.Clone(f.cells[:f.size])
			for i := range text {
				if f.known[i] {
					continue
				}
				switch filled[place{id, i / 512}] {
				case 1:
					text[i] = garbage(&node{num: b.files[id].num}, i/512).bytes[i%512]
				case 2:
					if i < len(b.stale) && strings.Trim(string(b.stale[i/512*512:min(len(b.stale), i/512*512+512)]), "\x00") != "" {
						text[i] = b.stale[i]
					}
				}
			}
			lines = append(lines, fmt.Sprintf("%s=%x", name, text))
		}
		slices.Sort(lines)
		found[strings.Join(lines, "\n")] = true
	}
}
