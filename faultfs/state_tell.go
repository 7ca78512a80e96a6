package faultfs

import (
	"fmt"
	"math/rand/v2"

	"holdfast/internal/vfs"
)

// Survivors describes which of the changes that were pending are in the state,
// one line each, and what sectors hold whose data was lost.
func (s State) Survivors() []string {
	list := s.names()
	for i, c := range s.choice {
		f := s.tree.files[i]
		name := s.pathOf(i)
		v := &f.variants[c.variant]
		if c.variant > 0 {
			list = append(list, fmt.Sprintf("size %s %d", name, v.size))
		}
		for j, option := range c.options {
			u := &v.units[j]
			o := &u.options[option]
			what := ""
			switch {
			case o.fill == fillGarbage:
				what = "garbage"
			case o.fill == fillStale:
				what = "stale bytes"
			case o.chosen != 0 && len(u.free) > 1:
				what = describe(subset(o.chosen), len(u.free))
			case o.chosen != 0:
				what = "written"
			default:
				continue
			}
			list = append(list, fmt.Sprintf("data %s %d+%d %s", name, u.first*SectorBytes, u.width*SectorBytes, what))
		}
	}
	return list
}

// describe says which of several changes of one sector there are.
func describe(set subset, n int) string {
	text := "written, changes"
	for i := range n {
		if set.has(i) {
			text += fmt.Sprintf(" %d", i+1)
		}
	}
	return fmt.Sprintf("%s of %d", text, n)
}

// names describes the choices about names.
func (s State) names() []string {
	var list []string
	for i, digit := range s.tree.digits {
		v := &s.space.vars[i]
		switch {
		case s.space.profile != Weak:
			list = append(list, fmt.Sprintf("names: %d of %d changes", digit, len(v.groups)))
		case digit == 0:
		case v.options[digit] == nil:
			list = append(list, fmt.Sprintf("name %s gone", s.place(v.dir, v.name)))
		default:
			list = append(list, fmt.Sprintf("name %s there", s.place(v.dir, v.name)))
		}
	}
	return list
}

// place returns a path of a name in a directory of the state.
func (s State) place(dir *node, name string) string {
	for i := range s.tree.paths {
		if s.tree.paths[i].node == dir {
			return s.tree.paths[i].path + "/" + name
		}
	}
	return "/" + name
}

// pathOf returns the first path of file i.
func (s State) pathOf(i int) string {
	for j := range s.tree.paths {
		if s.tree.paths[j].file == i {
			return s.tree.paths[j].path
		}
	}
	return ""
}

// Contains reports whether a disk with this content is legal here. Whether two
// names stand for one file or for two equal ones makes no difference.
func (s *Space) Contains(content State) bool {
	for a := range s.trees() {
		if a.admits(content) {
			return true
		}
	}
	return false
}

// admits reports whether content has these names, and each file a content that
// it may have. A file with several names must have one content.
func (a *assignment) admits(content State) bool {
	if len(a.paths) != len(content.tree.paths) {
		return false
	}
	seen := map[int]int{} // a file here -> one there
	for i := range a.paths {
		e, o := &a.paths[i], &content.tree.paths[i]
		if e.path != o.path || (e.file < 0) != (o.file < 0) {
			return false
		}
		if e.file < 0 {
			continue
		}
		if first, ok := seen[e.file]; ok {
			if content.fileSum(first) != content.fileSum(o.file) {
				return false
			}
			continue
		}
		seen[e.file] = o.file
		if !a.files[e.file].admits(content.image(o.file)) {
			return false
		}
	}
	return true
}

// admits reports whether the file may have this content.
func (f *fileSpace) admits(im image) bool {
	for i := range f.variants {
		if f.variants[i].admits(im) {
			return true
		}
	}
	return false
}

func (v *variant) admits(im image) bool {
	if v.size != im.size {
		return false
	}
	at := func(i int) *sector {
		if i < len(im.sectors) {
			return im.sectors[i]
		}
		return nil
	}
	for i := range max(len(v.fixed), len(v.slot), len(im.sectors)) {
		if i < len(v.slot) && v.slot[i] >= 0 {
			continue
		}
		var own *sector
		if i < len(v.fixed) {
			own = v.fixed[i]
		}
		if own.sum() != at(i).sum() {
			return false
		}
	}
	for i := range v.units {
		if !v.units[i].admits(at) {
			return false
		}
	}
	return true
}

func (u *unit) admits(at func(int) *sector) bool {
	for _, o := range u.options {
		same := true
		for j, s := range o.sectors {
			same = same && s.sum() == at(u.first+j).sum()
		}
		if same {
			return true
		}
	}
	return false
}

// choose returns the state that a power cut with keep leaves, by seed.
func (s *Space) choose(seed uint64, keep string) State {
	rng := rand.New(rand.NewPCG(seed, uint64(s.point)))
	if keep == KeepAny {
		return s.state(s.draw(rng))
	}
	p := s.newPick()
	switch keep {
	case KeepZeros, KeepTorn, KeepWhole:
	case KeepGarbage:
		p.fill = fillGarbage
	default:
		return s.state(p)
	}
	torn := map[int]bool{} // calls whose later sectors are lost
	for _, c := range s.all() {
		keeps := rng.IntN(2) == 0
		if c.node != nil && c.sector >= 0 && keep == KeepTorn {
			torn[c.issued] = torn[c.issued] || !keeps
			keeps = !torn[c.issued]
		}
		p.keep[c.seq-p.from] = keeps
	}
	return s.state(p)
}

// lost counts, as Pending does, what callers saw and the state does not have.
func (s State) lost(seen State) (lost vfs.Lost) {
	for i := range seen.tree.paths {
		e := &seen.tree.paths[i]
		j, ok := s.tree.lookup[e.path]
		if !ok || s.tree.paths[j].node != e.node {
			lost.Entries++
		}
	}
	for i := range s.tree.paths {
		if _, ok := seen.tree.lookup[s.tree.paths[i].path]; !ok {
			lost.Entries++
		}
	}
	for i, f := range seen.tree.files {
		now := seen.image(i)
		was := image{}
		for j, g := range s.tree.files {
			if g.view.node == f.view.node {
				was = s.image(j)
			}
		}
		if now.size != was.size {
			lost.Bytes += 8
		}
		for k := range max(len(now.sectors), len(was.sectors)) {
			var a, b *sector
			if k < len(now.sectors) {
				a = now.sectors[k]
			}
			if k < len(was.sectors) {
				b = was.sectors[k]
			}
			if a.sum() != b.sum() {
				lost.Bytes += SectorBytes
			}
		}
	}
	return lost
}
