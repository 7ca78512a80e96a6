package faultfs

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// nameVar is one choice about names.
type nameVar struct {
	// For Weak: what may stand under a name, nothing chosen first, and which
	// change makes it which.
	dir     *node
	name    string
	options []*node
	steps   []nameStep
	// For the others: how many of the groups, in order, are on the disk, or
	// whether one is.
	groups []int
}

// nameStep is a free change, by seq, and the option that it is.
type nameStep struct{ seq, option int }

func (v *nameVar) radix() int {
	if v.options != nil {
		return len(v.options)
	}
	return len(v.groups) + 1
}

// nameVars lists the choices about names at point k.
func (d *Disk) nameVars(k int, p Profile) []nameVar {
	switch p {
	case Ext4, XFS:
		if groups := d.freeGroups(k, p); len(groups) > 0 {
			return []nameVar{{groups: groups}}
		}
		return nil
	case Btrfs:
		var list []nameVar
		for _, g := range d.freeGroups(k, p) {
			list = append(list, nameVar{groups: []int{g}})
		}
		return list
	}
	return d.weakNames(k)
}

// weakNames has one variable for each name with pending changes. Of those any
// may be the last that reached the disk.
func (d *Disk) weakNames(k int) []nameVar {
	type key struct {
		dir  *node
		name string
	}
	vars := map[key]int{}
	var list []nameVar
	for i := range d.names {
		c := &d.names[i]
		there, free := c.at(k)
		if !there {
			continue
		}
		base := c.dir.at(k).base
		if c.seq <= base.seq {
			continue
		}
		at, ok := vars[key{c.dir, c.name}]
		if !ok {
			at = len(list)
			vars[key{c.dir, c.name}] = at
			list = append(list, nameVar{dir: c.dir, name: c.name, options: []*node{base.names[c.name]}})
		}
		v := &list[at]
		if !free {
			// Nothing from before it can show any more.
			v.options, v.steps = []*node{c.node}, nil
			continue
		}
		option := slices.Index(v.options, c.node)
		if option < 0 {
			option = len(v.options)
			v.options = append(v.options, c.node)
		}
		v.steps = append(v.steps, nameStep{c.seq, option})
	}
	return list
}

// freeGroups lists the atomic changes of names that are pending on a file system
// with a journal, in order.
func (d *Disk) freeGroups(k int, p Profile) []int {
	var groups []int
	for i := range d.names {
		c := &d.names[i]
		if there, free := c.at(k); !there || !free || d.commits(c, k, p) {
			continue
		}
		if n := len(groups); n == 0 || groups[n-1] != c.group {
			groups = append(groups, c.group)
		}
	}
	return groups
}

// commits reports whether a sync had made the change durable by point k with
// more than it was asked for.
func (d *Disk) commits(c *nameChange, k int, p Profile) bool {
	return slices.ContainsFunc(d.syncs, func(s syncCall) bool {
		if s.point > k || s.seq < c.seq {
			return false
		}
		if p == Btrfs {
			return s.node == c.node && c.node != nil
		}
		return s.journal
	})
}

// assignment is one choice about all names: a tree, with what may be in its files.
type assignment struct {
	digits []int
	paths  []pathEntry // in alphabetical order of walking
	files  []*fileSpace
	count  uint64
	capped bool
	lookup map[string]int // of paths
	listed map[string]uint64
}

type pathEntry struct {
	path  string
	sum   uint64 // of the path
	node  *node
	file  int    // in assignment.files, -1 for a directory
	value uint64 // what a look at the name tells
}

// tree is what the names stand for, by directory, where that differs from the
// base at point k.
type tree struct {
	k       int
	changed map[*node]map[string]*node
}

func (t tree) entries(dir *node) map[string]*node {
	if e, ok := t.changed[dir]; ok {
		return e
	}
	return dir.at(t.k).base.names
}

func (t tree) set(dir *node, name string, n *node) {
	e, ok := t.changed[dir]
	if !ok {
		base := dir.at(t.k).base.names
		e = make(map[string]*node, len(base)+1)
		maps.Copy(e, base)
		t.changed[dir] = e
	}
	if n == nil {
		delete(e, name)
	} else {
		e[name] = n
	}
}

// names makes the tree that digits stand for.
func (s *Space) names(digits []int) tree {
	t := tree{s.point, map[*node]map[string]*node{}}
	if s.profile == Weak {
		for i, v := range s.vars {
			t.set(v.dir, v.name, v.options[digits[i]])
		}
		return t
	}
	dropped := map[int]bool{}
	for i, v := range s.vars {
		for _, g := range v.groups[digits[i]:] {
			dropped[g] = true
		}
	}
	for i := range s.disk.names {
		c := &s.disk.names[i]
		if there, _ := c.at(s.point); there && !dropped[c.group] && c.seq > c.dir.at(s.point).base.seq {
			t.set(c.dir, c.name, c.node)
		}
	}
	return t
}

// assign builds the assignment of digits, or returns nil if it is another one's
// twin: a choice in a directory that has no name itself makes no difference.
func (s *Space) assign(digits []int) *assignment {
	t := s.names(digits)
	a := &assignment{digits: slices.Clone(digits), lookup: map[string]int{}, listed: map[string]uint64{}}
	reached := map[*node]bool{}
	a.walk(t, s.disk.root, "/", reached)
	for i, v := range s.vars {
		if s.profile == Weak && digits[i] != 0 && !reached[v.dir] {
			return nil
		}
	}
	a.count = 1
	place := map[*node]int{}
	for i := range a.paths {
		e := &a.paths[i]
		a.lookup[e.path] = i
		if e.file = -1; e.node.isDir {
			continue
		}
		at, ok := place[e.node]
		if !ok {
			at = len(a.files)
			place[e.node] = at
			f := s.file(e.node, s.mustReach(digits, e.node))
			a.files = append(a.files, f)
			a.count = mulSat(a.count, f.count)
			a.capped = a.capped || f.capped
		}
		e.file = at
	}
	a.value()
	return a
}

// walk lists what can be reached. A directory is not followed into itself.
func (a *assignment) walk(t tree, dir *node, at string, reached map[*node]bool) {
	if reached[dir] {
		return
	}
	reached[dir] = true
	entries := t.entries(dir)
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		full := path.Join(at, name)
		a.paths = append(a.paths, pathEntry{path: full, sum: xxhash.Sum64String(full), node: entries[name]})
		if entries[name].isDir {
			a.walk(t, entries[name], full, reached)
		}
	}
}

// sum is the same for two assignments with the same names for the same nodes.
func (a *assignment) sum() (sum uint64) {
	for i := range a.paths {
		sum += blend(a.paths[i].sum, uint64(a.paths[i].node.num))
	}
	return sum
}

// value works out what names tell: whether there is something, its kind, and
// whether it is the same as what another path leads to.
func (a *assignment) value() {
	first := map[*node]uint64{}
	links := map[*node]int{}
	for _, e := range a.paths {
		links[e.node]++
	}
	a.listed["/"] = 1
	for i := range a.paths {
		e := &a.paths[i]
		e.value = 1
		if e.node.isDir {
			e.value = 2
			a.listed[e.path] = 1
		}
		if links[e.node] > 1 {
			if _, ok := first[e.node]; !ok {
				first[e.node] = e.sum
			}
			e.value = blend(e.value, first[e.node])
		}
		parent, _ := path.Split(e.path)
		if parent != "/" {
			parent = strings.TrimSuffix(parent, "/")
		}
		a.listed[parent] += blend(e.sum, e.value)
	}
}

// mustReach returns the last change of data that the renames of Ext4 have
// flushed: replacing a file writes the new one's data first.
func (s *Space) mustReach(digits []int, n *node) int {
	if s.profile != Ext4 || len(s.vars) == 0 {
		return 0
	}
	must := 0
	dropped := s.vars[0].groups[digits[0]:]
	for i := range s.disk.names {
		c := &s.disk.names[i]
		there, _ := c.at(s.point)
		if there && c.node == n && c.replaces(s.disk, i) && !slices.Contains(dropped, c.group) {
			must = c.group
		}
	}
	return must
}

// replaces reports whether change i of the names is the half of a rename that
// put a file where another was.
func (c *nameChange) replaces(d *Disk, i int) bool {
	return i > 0 && d.names[i-1].group == c.group && d.names[i-1].name == c.name && d.names[i-1].dir == c.dir
}
