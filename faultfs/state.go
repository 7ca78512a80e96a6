package faultfs

import (
	"errors"
	"math/big"
	"slices"
)

// State is one legal content. It is only valid until the iteration that made
// it goes on, unless Clone is called. Distinct States may be used concurrently.
type State struct {
	space  *Space
	tree   *assignment
	choice []fileChoice // of each file of the tree
}

// fileChoice is a variant of a file, and an option for each of its units.
type fileChoice struct {
	variant int
	options []uint16
}

func newState(s *Space, a *assignment) State {
	st := State{space: s, tree: a, choice: make([]fileChoice, len(a.files))}
	for i := range st.choice {
		st.enter(i, 0)
	}
	return st
}

// enter begins with a variant of file i.
func (s *State) enter(i, variant int) {
	c := &s.choice[i]
	n := len(s.tree.files[i].variants[variant].units)
	if cap(c.options) < n {
		c.options = make([]uint16, n)
	}
	c.variant, c.options = variant, c.options[:n]
	clear(c.options)
}

// next goes on to the next content with the same names.
func (s *State) next() bool {
	for i := len(s.choice) - 1; i >= 0; i-- {
		c, f := &s.choice[i], s.tree.files[i]
		for j := len(c.options) - 1; j >= 0; j-- {
			if c.options[j]++; int(c.options[j]) < len(f.variants[c.variant].units[j].options) {
				return true
			}
			c.options[j] = 0
		}
		if c.variant+1 < len(f.variants) {
			s.enter(i, c.variant+1)
			return true
		}
		s.enter(i, 0)
	}
	return false
}

// Clone returns a State that stays valid.
func (s State) Clone() State {
	s.choice = slices.Clone(s.choice)
	for i := range s.choice {
		s.choice[i].options = slices.Clone(s.choice[i].options)
	}
	return s
}

// ID names the state in its Space, in letters and digits.
func (s State) ID() string {
	tree := new(big.Int)
	for i, digit := range s.tree.digits {
		addDigit(tree, big.NewInt(int64(s.space.vars[i].radix())), big.NewInt(int64(digit)))
	}
	rank := new(big.Int)
	for i, c := range s.choice {
		f := s.tree.files[i]
		addDigit(rank, f.bigCount(), f.rank(c))
	}
	if rank.Sign() == 0 {
		return tree.Text(36)
	}
	return tree.Text(36) + idSeparator + rank.Text(36)
}

func (v *variant) bigCount() *big.Int {
	n := big.NewInt(1)
	for _, u := range v.units {
		n.Mul(n, big.NewInt(int64(len(u.options))))
	}
	return n
}

func (f *fileSpace) bigCount() *big.Int {
	n := new(big.Int)
	for i := range f.variants {
		n.Add(n, f.variants[i].bigCount())
	}
	return n
}

// rank numbers the choices of a file.
func (f *fileSpace) rank(c fileChoice) *big.Int {
	n := new(big.Int)
	for j, option := range c.options {
		addDigit(n, big.NewInt(int64(len(f.variants[c.variant].units[j].options))), big.NewInt(int64(option)))
	}
	for i := range c.variant {
		n.Add(n, f.variants[i].bigCount())
	}
	return n
}

var errNoSuchState = errors.New("there is no such content at this point")

// setRank is the inverse of the second half of ID.
func (s *State) setRank(n *big.Int) error {
	for i := len(s.choice) - 1; i >= 0; i-- {
		f := s.tree.files[i]
		rank := takeDigit(n, f.bigCount())
		v := 0
		for count := f.variants[v].bigCount(); rank.Cmp(count) >= 0; count = f.variants[v].bigCount() {
			rank.Sub(rank, count)
			v++
		}
		s.enter(i, v)
		units := f.variants[v].units
		for j := len(units) - 1; j >= 0; j-- {
			s.choice[i].options[j] = uint16(takeDigit(rank, big.NewInt(int64(len(units[j].options)))).Int64())
		}
	}
	if n.Sign() != 0 {
		return errNoSuchState
	}
	return nil
}

// fileSum sums up the content of file i.
func (s *State) fileSum(i int) uint64 {
	c := s.choice[i]
	v := &s.tree.files[i].variants[c.variant]
	sum := v.fixedSum
	for j, option := range c.options {
		sum += v.units[j].options[option].sum
	}
	return blend(sum, uint64(v.size)+1)
}

// Hash is the same for two states with equal names, sizes and bytes, of the
// same Space or of others, and different for others but for one pair in 2^64.
func (s State) Hash() uint64 {
	var sum uint64
	for i := range s.tree.paths {
		e := &s.tree.paths[i]
		content := e.value
		if e.file >= 0 {
			content += s.fileSum(e.file)
		}
		sum += blend(e.sum, content)
	}
	return sum
}

// Value is what a look at the content answers to the question f. Equal answers
// have equal values.
func (s State) Value(f Fact) uint64 {
	if f.Kind == FactNames {
		return s.tree.listed[f.Path]
	}
	at, ok := s.tree.lookup[f.Path]
	if !ok {
		return 0
	}
	e := &s.tree.paths[at]
	if f.Kind == FactName || e.file < 0 {
		return e.value
	}
	c := s.choice[e.file]
	v := &s.tree.files[e.file].variants[c.variant]
	if f.Kind == FactSize {
		return uint64(v.size) + 1
	}
	return v.sector(c, int(f.At)).sum()
}

// sector returns the content of sector i.
func (v *variant) sector(c fileChoice, i int) *sector {
	if i < len(v.slot) && v.slot[i] >= 0 {
		u := &v.units[v.slot[i]]
		return u.options[c.options[v.slot[i]]].sectors[i-u.first]
	}
	if i < len(v.fixed) {
		return v.fixed[i]
	}
	return nil
}

// image returns the content of file i. Its sectors may be those of others.
func (s *State) image(i int) image {
	c := s.choice[i]
	v := &s.tree.files[i].variants[c.variant]
	im := image{size: v.size, sectors: v.fixed}
	if len(v.units) == 0 {
		im.written = lastByte(im.sectors)
		return im
	}
	im.sectors = make([]*sector, max(len(v.fixed), len(v.slot)))
	copy(im.sectors, v.fixed)
	for j := range v.units {
		copy(im.sectors[v.units[j].first:], v.units[j].options[c.options[j]].sectors)
	}
	im.sectors = trimmed(im.sectors)
	im.written = lastByte(im.sectors)
	return im
}

// lastByte returns the offset behind the last byte that is not zero.
func lastByte(list []*sector) int64 {
	if len(list) == 0 {
		return 0
	}
	at := SectorBytes
	for b := &list[len(list)-1].bytes; b[at-1] == 0; at-- {
	}
	return int64(len(list)-1)*SectorBytes + int64(at)
}

// Disk returns a disk that starts with this content, all of it durable. It
// stays valid, and costs what its names and sizes cost; bytes are shared.
func (s State) Disk() *Disk {
	d := NewDisk()
	d.root.mode = s.space.disk.root.mode
	made := make(map[*node]*node, len(s.tree.paths)+1)
	made[s.space.disk.root] = d.root
	for i := range s.tree.paths {
		e := &s.tree.paths[i]
		if made[e.node] != nil {
			continue
		}
		n := d.newNode(e.node.isDir)
		n.mode, n.mtime, n.origin, n.old = e.node.mode, e.node.mtime, e.path, true
		made[e.node] = n
		if n.isDir {
			n.base.names = map[string]*node{}
			continue
		}
		n.base = s.image(e.file)
		n.size, n.sectors, n.shared = n.base.size, n.base.sectors, true
		n.written = n.base.written
	}
	for i := range s.tree.paths {
		e := &s.tree.paths[i]
		dir, name := made[s.tree.parent(s.space.disk.root, e.path)], e.path[lastSlash(e.path)+1:]
		n := made[e.node]
		dir.base.names[name] = n
		dir.entries[name] = n
		n.parent = dir
		n.links++
	}
	return d
}

func lastSlash(p string) int {
	i := len(p) - 1
	for p[i] != '/' {
		i--
	}
	return i
}

// parent returns the directory that a path is in.
func (a *assignment) parent(root *node, p string) *node {
	if i := lastSlash(p); i > 0 {
		return a.paths[a.lookup[p[:i]]].node
	}
	return root
}
