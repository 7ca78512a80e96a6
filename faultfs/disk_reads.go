package faultfs

import "path"

// Fact is one thing that can be learnt of a disk's content.
type Fact struct {
	Kind FactKind
	Path string // where the content was when the disk started
	At   int64  // FactSector: its number
}

// FactKind says what a Fact is about.
type FactKind uint8

const (
	FactName   FactKind = iota // whether there is something called Path, and what kind
	FactNames                  // the names in the directory Path, and their kinds
	FactSize                   // the size of the file Path
	FactSector                 // the bytes of one sector of the file Path
)

// Reads returns what the callers of this disk have learnt of the content that
// it started with, in the order in which they first learnt it. A program that
// depends on nothing but its file system does the same on every disk that
// gives the same [State.Value] to each of these facts.
//
// Modes and times are not part of it; programs must not depend on them.
func (d *Disk) Reads() []Fact {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reads
}

func (d *Disk) learnName(dir *node, name string) {
	if !dir.old || dir.seenNames || dir.seenName[name] {
		return
	}
	if dir.seenName == nil {
		dir.seenName = map[string]bool{}
	}
	dir.seenName[name] = true
	d.reads = append(d.reads, Fact{Kind: FactName, Path: path.Join(dir.origin, name)})
}

func (d *Disk) learnNames(dir *node) {
	if dir.old && !dir.seenNames {
		dir.seenNames = true
		d.reads = append(d.reads, Fact{Kind: FactNames, Path: dir.origin})
	}
}

func (d *Disk) learnSize(n *node) {
	if n.old && !n.isDir && !n.seenSize {
		n.seenSize = true
		d.reads = append(d.reads, Fact{Kind: FactSize, Path: n.origin})
	}
}

func (d *Disk) learnSector(n *node, i int) {
	if !n.old {
		return
	}
	for i/64 >= len(n.seen) {
		n.seen = append(n.seen, 0)
	}
	if bit := uint64(1) << (i % 64); n.seen[i/64]&bit == 0 {
		n.seen[i/64] |= bit
		d.reads = append(d.reads, Fact{Kind: FactSector, Path: n.origin, At: int64(i)})
	}
}
