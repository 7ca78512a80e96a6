package faultfs

// Killed returns the disk as a process finds it that starts after the one
// before was killed at point k, 0 to Points: the cache is intact, and what was
// pending then is still pending, so that a power cut later may still drop it.
// It is a disk of its own; its points begin at 0 again.
func (d *Disk) Killed(k int) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	k = max(0, min(k, d.point))
	c := &Disk{seq: d.seq}
	twin := make([]*node, len(d.nodes))
	for i, n := range d.nodes {
		twin[i] = n.copyAt(k)
		c.nodes = append(c.nodes, twin[i])
	}
	of := func(n *node) *node {
		if n == nil {
			return nil
		}
		return twin[n.num]
	}
	for i, n := range d.nodes {
		if n.isDir {
			base := n.at(k).base
			names := make(map[string]*node, len(base.names))
			for name, child := range base.names {
				names[name] = of(child)
			}
			twin[i].base.names = names
		}
	}
	c.root = of(d.root)
	for _, old := range d.names {
		if old.survives(k) && old.seq > old.dir.at(k).base.seq {
			old.change = old.at0(k)
			old.dir, old.node = of(old.dir), of(old.node)
			c.names = append(c.names, old)
		}
	}
	for _, s := range d.syncs {
		if s.point <= k {
			c.syncs = append(c.syncs, syncCall{seq: s.seq, node: of(s.node), journal: s.journal})
		}
	}
	for _, f := range d.freed {
		if f.point <= k {
			c.freed = append(c.freed, freed{0, f.sectors})
		}
	}
	c.rebuild(0)
	c.remember(c.root, "/")
	return c
}

// survives reports whether the change belongs to the history up to point k.
func (c *change) survives(k int) bool { return c.issued <= k && k < c.voids }

// at0 returns the change as it stands at point k, moved to point 0.
func (c *change) at0(k int) change {
	moved := change{seq: c.seq, forced: never, orphan: never, voids: never}
	if c.forced <= k {
		moved.forced = 0
	}
	if c.orphan <= k {
		moved.orphan = 0
	}
	return moved
}

// copyAt copies what happened to a node up to point k.
func (n *node) copyAt(k int) *node {
	c := &node{num: n.num, isDir: n.isDir, mode: n.mode, mtime: n.mtime, base: n.at(k).base}
	since := c.base.seq
	c.base.point, c.base.seq = 0, 0
	c.written = c.base.written
	for _, s := range n.sizes {
		if s.survives(k) && s.seq > since {
			s.change = s.at0(k)
			c.sizes = append(c.sizes, s)
			if s.kind == sizeSet {
				c.written = min(c.written, s.size)
			}
		}
	}
	for i, list := range n.data {
		for _, w := range list {
			if !w.survives(k) || w.seq <= since {
				continue
			}
			if w.change = w.at0(k); w.forced == 0 {
				c.written = max(c.written, int64(i)*SectorBytes+int64(w.hi))
			}
			if c.data == nil {
				c.data = map[int][]dataChange{}
			}
			c.data[i] = append(c.data[i], w)
		}
	}
	return c
}

// remember makes what callers see the content that the disk starts with.
func (d *Disk) remember(dir *node, at string) {
	if dir.old {
		return
	}
	dir.old, dir.origin = true, at
	for _, name := range dir.sorted() {
		child := dir.entries[name]
		full := clean(at + "/" + name)
		switch {
		case child.isDir:
			d.remember(child, full)
		case !child.old:
			child.old, child.origin = true, full
		}
	}
}
