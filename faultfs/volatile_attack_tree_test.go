package faultfs_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// refNode is a file or directory of a reference with directories in directories,
// as callers see it and as it was synced.
type refNode struct {
	isDir        bool
	now, synced  map[string]*refNode
	touched      map[string]bool // names that changed since the last sync
	text, forced string
}

func newRefDir() *refNode {
	return &refNode{isDir: true, now: map[string]*refNode{}, synced: map[string]*refNode{}, touched: map[string]bool{}}
}

// list notes path -> content of what is in the directory, "/" for a directory.
func (n *refNode) list(into map[string]string, path string, of func(*refNode) (map[string]*refNode, string)) {
	names, _ := of(n)
	for name, child := range names {
		_, text := of(child)
		at := filepath.Join(path, name)
		if child.isDir {
			into[at] = "/"
			child.list(into, at, of)
		} else {
			into[at] = "=" + text
		}
	}
}

// walkAll is tree with the directories.
func walkAll(t failer, fsys afero.Fs, top string) map[string]string {
	found := map[string]string{}
	for path, text := range tree(t, fsys, top) {
		found[path] = "=" + text
	}
	require.NoError(t, afero.Walk(fsys, top, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.IsDir() || path == top {
			return err
		}
		if len(info.Name()) >= len(faultfs.HiddenPrefix) && info.Name()[:len(faultfs.HiddenPrefix)] == faultfs.HiddenPrefix {
			return filepath.SkipDir
		}
		name, err := filepath.Rel(top, path)
		found[name] = "/"
		return err
	}))
	return found
}

func treeStep(v *faultfs.Volatile, top string, root *refNode, s move, moveDirs bool) error {
	find := func(path string) (dir *refNode, name string, n *refNode) {
		n = root
		parts := splitPath(path)
		for _, part := range parts {
			if n == nil || !n.isDir {
				return nil, "", nil
			}
			dir, name, n = n, part, n.now[part]
		}
		return dir, name, n
	}
	dir, name, n := find(s.path)
	path := filepath.Join(top, s.path)
	if dir == nil {
		return nil
	}
	switch {
	case s.what == "mkdir" && n == nil:
		dir.now[name], dir.touched[name] = newRefDir(), true
		return v.Mkdir(path, 0o755)
	case s.what == "create" && n == nil:
		f, err := v.Create(path)
		if err != nil {
			return err
		}
		dir.now[name], dir.touched[name] = &refNode{text: string(s.fill)}, true
		if _, err = f.Write([]byte{s.fill}); err != nil {
			return err
		}
		return f.Close()
	case s.what == "sync" && n != nil && !n.isDir:
		f, err := v.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		n.forced = n.text
		if err := f.Sync(); err != nil {
			return err
		}
		return f.Close()
	case s.what == "write" && n != nil && !n.isDir:
		n.text += string(s.fill)
		f, err := v.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		if _, err := f.Write([]byte{s.fill}); err != nil {
			return err
		}
		return f.Close()
	case s.what == "syncdir" && n != nil && n.isDir:
		n.synced = maps.Clone(n.now)
		clear(n.touched)
		return v.SyncDir(path)
	case s.what == "synctop":
		root.synced = maps.Clone(root.now)
		clear(root.touched)
		return v.SyncDir(top)
	case s.what == "remove" && n != nil && (!n.isDir || len(n.now) == 0):
		delete(dir.now, name)
		dir.touched[name] = true
		n.release()
		return v.Remove(path)
	case s.what == "removeall" && n != nil:
		delete(dir.now, name)
		dir.touched[name] = true
		n.removed()
		return v.RemoveAll(path)
	case s.what == "rename" && n != nil && (moveDirs || !n.isDir):
		to, last, target := find(s.other)
		if to == nil || target == n || n.isDir && n.holds(to) || target != nil && (target.isDir != n.isDir || len(target.now) > 0) {
			return nil
		}
		if target != nil {
			target.release()
		}
		delete(dir.now, name)
		dir.touched[name] = true
		to.now[last], to.touched[last] = n, true
		return v.Rename(path, filepath.Join(top, s.other))
	}
	return nil
}

func (n *refNode) release() {
	if !n.isDir {
		n.text = n.forced
	}
}

func (n *refNode) removed() {
	n.release()
	for name, child := range n.now {
		child.removed()
		delete(n.now, name)
	}
}

func (n *refNode) holds(other *refNode) bool {
	if n == other {
		return true
	}
	for _, child := range n.now {
		if child.holds(other) {
			return true
		}
	}
	return false
}

func splitPath(path string) (parts []string) {
	for path != "." {
		parts = append([]string{filepath.Base(path)}, parts...)
		path = filepath.Dir(path)
	}
	return parts
}

func treeRun(t failer, base afero.Fs, top string, steps []move, seed uint64, keep string, moveDirs bool) error {
	if err := base.RemoveAll(top); err != nil {
		return err
	}
	if err := base.MkdirAll(top, 0o755); err != nil {
		return err
	}
	v := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
	root := newRefDir()
	check := func() error {
		seen, durable := map[string]string{}, map[string]string{}
		root.list(seen, ".", func(n *refNode) (map[string]*refNode, string) { return n.now, n.text })
		root.list(durable, ".", func(n *refNode) (map[string]*refNode, string) { return n.synced, n.forced })
		if found := walkAll(t, v, top); !maps.Equal(seen, found) {
			return fmt.Errorf("seen %v, want %v", found, seen)
		}
		below := walkAll(t, base, top)
		if !moveDirs && !maps.Equal(durable, below) {
			return fmt.Errorf("below %v, want %v", below, durable)
		}
		return nil
	}
	for i, s := range steps {
		err := treeStep(v, top, root, s, moveDirs)
		if err == nil {
			err = check()
		}
		if err != nil {
			return fmt.Errorf("step %d, %s: %w", i, s, err)
		}
	}
	if moveDirs { // in the end everything can be forced
		var force func(n *refNode, path string) error
		force = func(n *refNode, path string) error {
			if err := v.SyncDir(path); err != nil {
				return err
			}
			n.synced = maps.Clone(n.now)
			for name, child := range n.now {
				at := filepath.Join(path, name)
				if child.isDir {
					if err := force(child, at); err != nil {
						return err
					}
					continue
				}
				f, err := v.OpenFile(at, os.O_RDWR, 0)
				if err != nil {
					return err
				}
				child.forced = child.text
				if err := f.Sync(); err != nil {
					return err
				}
				_ = f.Close()
			}
			return nil
		}
		if seed%2 == 0 {
			if err := force(root, top); err != nil {
				return err
			}
			moveDirs = false
			if err := check(); err != nil {
				return fmt.Errorf("everything forced: %w", err)
			}
			if p := v.Pending(); p != (faultfs.Pending{}) {
				return fmt.Errorf("everything forced: %+v is pending", p)
			}
		}
	}
	before := walkAll(t, base, top)
	if _, err := v.Crash(seed, keep); err != nil {
		return fmt.Errorf("crash: %w", err)
	}
	after := walkAll(t, base, top)
	if keep == faultfs.KeepNothing && !maps.Equal(before, after) {
		return fmt.Errorf("a cut that keeps nothing leaves %v of %v", after, before)
	}
	// A name that never was pending is there: every synced path whose every part
	// is what it was, and whose content is.
	var walk func(n *refNode, path string) error
	walk = func(n *refNode, path string) error {
		for name, child := range n.synced {
			if n.now[name] != child || n.touched[name] {
				continue
			}
			at := filepath.Join(path, name)
			text, there := after[at]
			if !there && !moveDirs {
				return fmt.Errorf("keeping %s: %s is gone", keep, at)
			}
			if child.isDir {
				if err := walk(child, at); err != nil {
					return err
				}
			} else if child.text == child.forced && there && text != "="+child.forced && !moveDirs {
				return fmt.Errorf("keeping %s: %s has %q, and %q was synced", keep, at, text, child.forced)
			}
		}
		return nil
	}
	return walk(root, ".")
}

// The same with directories in directories.
func TestAttackOnTheTreeOfTheVolatileLayer(t *testing.T) {
	kinds := []string{"mkdir", "mkdir", "create", "create", "sync", "sync", "write", "syncdir", "syncdir", "synctop", "remove", "removeall", "rename", "rename"}
	keeps := []string{faultfs.KeepNothing, faultfs.KeepWhole, faultfs.KeepAny}
	base, top := afero.NewMemMapFs(), "/m"
	require.Positive(t, *attackRounds, "-attack.rounds selects nothing")
	for round := range *attackRounds {
		seed := *attackSeed + uint64(round)
		rng := rand.New(rand.NewPCG(seed, 2))
		path := func() string {
			p := string("ab"[rng.IntN(2)])
			for rng.IntN(2) == 0 && len(p) < 6 {
				p += "/" + string("ab"[rng.IntN(2)])
			}
			return p
		}
		var steps []move
		for range 5 + rng.IntN(40) {
			steps = append(steps, move{what: kinds[rng.IntN(len(kinds))], path: path(), other: path(), fill: byte('a' + rng.IntN(26))})
		}
		keep, moveDirs := keeps[rng.IntN(len(keeps))], rng.IntN(2) == 0
		try := func(steps []move) (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("panic: %v", r)
				}
			}()
			return treeRun(t, base, top, steps, seed, keep, moveDirs)
		}
		if err := try(steps); err != nil {
			few, err := shrink(steps, try)
			require.NoError(t, err, "-attack.seed %d keeping %s, %v:\n%v", seed, keep, moveDirs, few)
		}
	}

}
