package faultfs_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

var (
	attackRounds = flag.Int("attack.rounds", 300, "random histories that the volatile layer is attacked with")
	attackSeed   = flag.Uint64("attack.seed", 1, "the first of them")
)

// refFile is a file of the reference: every content that it had since it was
// last synced, oldest first, which is the synced one. A crash may keep any mix
// of their sectors.
type refFile struct {
	versions [][]byte
	orphans  bool           // a failed sync has left changes behind, of sectors and of the size
	dirty    map[int64]bool // sectors that the next sync forces
	held     []bool         // bytes of sectors that a sync has written; the others are in space that never held data
	handle   afero.File

	forgotten bool // it has what is below, which the reference does not know
}

func (f *refFile) now() []byte    { return f.versions[len(f.versions)-1] }
func (f *refFile) synced() []byte { return f.versions[0] }

// refName is a name of the reference: every meaning since its directory was
// last synced, oldest first, which is the synced one.
type refName struct {
	meanings []*refFile
	dirty    bool // the next sync of its directory forces the last meaning
}

func (n *refName) now() *refFile { return n.meanings[len(n.meanings)-1] }

// reference is a disk in the plainest words: it keeps everything that ever was.
type reference map[string]*refName

func (r reference) name(path string) *refName {
	if r[path] == nil {
		r[path] = &refName{meanings: []*refFile{nil}}
	}
	return r[path]
}

func (r reference) set(path string, f *refFile) {
	n := r.name(path)
	n.meanings, n.dirty = append(n.meanings, f), true
}

// step is one call of an attack. What it does depends on nothing but itself and
// the state, so that a history stays one when steps are left out.
type move struct {
	what        string
	path, other string
	off, n      int
	fill        byte
}

func (s move) String() string {
	return fmt.Sprintf("%s %s %s off=%d n=%d %c", s.what, s.path, s.other, s.off, s.n, s.fill)
}

var stepKinds = []string{
	"create", "trunc", "excl", "write", "write", "write", "append", "resize", "preallocate", "sync", "sync",
	"syncdir", "syncdir", "syncopendir", "rename", "rename", "remove", "close",
	"fail clean", "fail reverted", "faildir clean", "faildir reverted",
}

func randomSteps(rng *rand.Rand, kinds []string) (steps []move) {
	path := func() string {
		return string("de"[rng.IntN(2)]) + "/" + string("abc"[rng.IntN(3)])
	}
	sizes := []int{1, 3, 100, 511, 512, 513, 1000, 4095, 4096, 4097, 9000}
	for range 5 + rng.IntN(40) {
		steps = append(steps, move{
			what: kinds[rng.IntN(len(kinds))], path: path(), other: path(),
			off: rng.IntN(2) * sizes[rng.IntN(len(sizes))], n: sizes[rng.IntN(len(sizes))], fill: byte('!' + rng.IntN(90)),
		})
	}
	return steps
}

// attack is one history on a layer and on its reference.
type attack struct {
	v    *faultfs.Volatile
	base afero.Fs
	top  string
	ref  reference
}

func newAttack(base afero.Fs, top string) (*attack, error) {
	a := &attack{base: base, top: top, ref: reference{}}
	if err := base.RemoveAll(top); err != nil {
		return nil, err
	}
	for _, d := range modelDirs {
		if err := base.MkdirAll(filepath.Join(top, d), 0o755); err != nil {
			return nil, err
		}
	}
	a.v = faultfs.NewVolatile(base, faultfs.VolatileOptions{})
	return a, nil
}

func (a *attack) changed(f *refFile, b []byte, from, to int64) {
	f.versions = append(f.versions, b)
	f.held = f.held[:min(len(f.held), len(b))]
	for s := from / 512; s*512 < to; s++ {
		f.dirty[s] = true
	}
}

// text is bytes that tell their place and the step that wrote them.
func text(n int, fill byte) []byte {
	b := bytes.Repeat([]byte{fill}, n)
	for i := 0; i < n; i += 7 {
		b[i] = byte('0' + i/7%10)
	}
	return b
}

func (a *attack) do(s move) error {
	path := filepath.Join(a.top, s.path)
	name := a.ref.name(s.path)
	f := name.now()
	dir := filepath.Dir(s.path)
	switch s.what {
	case "create", "trunc", "excl":
		flag := os.O_RDWR | os.O_CREATE
		switch s.what {
		case "trunc":
			flag |= os.O_TRUNC
		case "excl":
			flag |= os.O_EXCL
		}
		h, err := a.v.OpenFile(path, flag, 0o644)
		if s.what == "excl" && f != nil {
			if err == nil {
				return fmt.Errorf("%s is there and was created", s.path)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if f == nil {
			f = &refFile{versions: [][]byte{{}}, dirty: map[int64]bool{}}
			a.ref.set(s.path, f)
		}
		if s.what == "trunc" && len(f.now()) > 0 {
			a.changed(f, []byte{}, 0, 0)
		}
		if f.handle != nil {
			_ = f.handle.Close()
		}
		f.handle = h
		return nil
	case "syncdir", "syncopendir":
		var err error
		if s.what == "syncdir" {
			err = a.v.SyncDir(filepath.Dir(path))
		} else {
			var d afero.File
			if d, err = a.v.Open(filepath.Dir(path)); err == nil {
				err = d.Sync()
				_ = d.Close()
			}
		}
		for p, n := range a.ref {
			if filepath.Dir(p) == dir && n.dirty {
				n.meanings, n.dirty = []*refFile{n.now()}, false
			}
		}
		return err
	case "faildir clean", "faildir reverted":
		p := vfs.Personality(strings.TrimPrefix(s.what, "faildir "))
		for path, n := range a.ref {
			if filepath.Dir(path) != dir {
				continue
			}
			n.dirty = false
			if p == vfs.CacheReverted {
				n.meanings = n.meanings[:1]
			}
		}
		return a.v.FailSyncDir(filepath.Dir(path), p)
	}
	if f == nil {
		return nil
	}
	switch s.what {
	case "rename":
		if a.ref.name(s.other).now() == f { // as rename(2) of two links to one file
			return nil
		}
		err := a.v.Rename(path, filepath.Join(a.top, s.other))
		// In two steps: neither may be there.
		if a.ref.name(s.other).now() != nil {
			a.ref.set(s.other, nil)
		}
		a.ref.set(s.other, f)
		a.ref.set(s.path, nil)
		return err
	case "remove":
		a.ref.set(s.path, nil)
		return a.v.Remove(path)
	case "close":
		if f.handle != nil {
			h := f.handle
			f.handle = nil
			return h.Close()
		}
		return nil
	}
	if f.handle == nil {
		h, err := a.v.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		f.handle = h
	}
	old := f.now()
	switch s.what {
	case "write", "append":
		off := s.off
		if s.what == "append" {
			off = len(old)
		}
		next := resize(old, max(len(old), off+s.n))
		copy(next[off:], text(s.n, s.fill))
		a.changed(f, next, int64(off), int64(off+s.n))
		if s.what == "append" {
			h, err := a.v.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			if _, err = h.Write(text(s.n, s.fill)); err != nil {
				return err
			}
			return h.Close()
		}
		_, err := f.handle.WriteAt(text(s.n, s.fill), int64(off))
		return err
	case "resize":
		a.changed(f, resize(old, s.n), 0, 0)
		return f.handle.Truncate(int64(s.n))
	case "preallocate":
		a.changed(f, resize(old, max(s.n, len(old))), 0, 0)
		return vfs.Preallocate(f.handle, int64(s.n))
	case "sync":
		err := f.handle.Sync()
		for s := range f.dirty {
			for i := s * 512; i < min(s*512+512, int64(len(old))); i++ {
				for int64(len(f.held)) <= i {
					f.held = append(f.held, false)
				}
				f.held[i] = true
			}
		}
		if !f.orphans {
			f.versions = [][]byte{f.now()}
		} else {
			f.forceSome()
		}
		clear(f.dirty)
		return err
	case "fail clean":
		if len(f.versions) > 1 {
			f.orphans = true
		}
		clear(f.dirty)
		return f.handle.(vfs.SyncFailer).FailSync(vfs.PagesClean)
	case "fail reverted":
		orphans := f.orphans
		f.revert()
		err := f.handle.(vfs.SyncFailer).FailSync(vfs.CacheReverted)
		if orphans { // what the syncs after the failed one have forced is not said
			f.versions[0], _ = afero.ReadFile(a.v, path)
		}
		return err
	}
	return fmt.Errorf("unknown step %q", s.what)
}

// forceSome is a sync that succeeds after one that failed: it forces the sectors
// that were written since, and what else it forces is not said.
func (f *refFile) forceSome() {
	now := f.now()
	for i, v := range f.versions {
		next := slices.Clone(v)
		for s := range f.dirty {
			lo, hi := int(s*512), int(min(s*512+512, int64(len(now))))
			if lo >= hi {
				continue
			}
			if len(next) < hi {
				next = resize(next, hi)
			}
			copy(next[lo:hi], now[lo:hi])
		}
		f.versions[i] = next
	}
}

// forget gives up what was not synced of files that nobody can reach: removing
// makes room, and a name that comes back has what was synced.
func (a *attack) forget() {
	reached := map[*refFile]bool{}
	for _, n := range a.ref {
		reached[n.now()] = true
	}
	for _, n := range a.ref {
		for _, f := range n.meanings {
			switch {
			case f == nil || reached[f] || f.handle != nil:
			case f.orphans: // what the syncs after the failed one have forced is not said
				f.forgotten = true
			default:
				f.revert()
			}
		}
	}
}

func (f *refFile) revert() {
	f.versions, f.orphans = f.versions[:1], false
	f.held = f.held[:min(len(f.held), len(f.synced()))]
	clear(f.dirty)
}

// judge holds what a cut has left against the reference.
func (a *attack) judge(keep string, found map[string]string) error {
	for path := range found {
		if a.ref[path] == nil {
			return fmt.Errorf("%s never was", path)
		}
	}
	for path, n := range a.ref {
		content, there := found[path]
		meanings := n.meanings
		if keep == faultfs.KeepNothing {
			meanings = meanings[:1]
		}
		var errs []string
		fine := false
		for _, f := range meanings {
			err := f.judge(keep, content, there)
			if err == nil {
				fine = true
				break
			}
			errs = append(errs, err.Error())
		}
		if !fine {
			return fmt.Errorf("%s: %s", path, strings.Join(errs, "; or "))
		}
	}
	return nil
}

func (f *refFile) judge(keep, content string, there bool) error {
	if f == nil || !there {
		if (f != nil) != there {
			return fmt.Errorf("there=%v", there)
		}
		return nil
	}
	if keep == faultfs.KeepNothing && !f.orphans {
		if content != string(f.synced()) {
			return fmt.Errorf("not what was synced: %s, want %s", brief(content), brief(string(f.synced())))
		}
		return nil
	}
	versions := f.versions
	least, sized := len(versions[0]), false
	for _, v := range versions {
		least = min(least, len(v))
		sized = sized || len(v) == len(content)
	}
	if !sized && !f.orphans {
		return fmt.Errorf("it never had %d bytes", len(content))
	}
	for at := 0; at < len(content); at += 512 {
		part := content[at:min(at+512, len(content))]
		of := versions
		if keep == faultfs.KeepNothing {
			of = versions[:1]
		}
		if !slices.ContainsFunc(of, func(v []byte) bool { return f.sectorMay(part, v, at, least, keep) }) {
			return fmt.Errorf("sector %d of %d bytes is %s, which it never was; it was synced as %s", at/512, len(content),
				brief(part), brief(string(versions[0][min(at, len(versions[0])):min(at+512, len(versions[0]))])))
		}
	}
	return nil
}

// sectorMay reports whether part may be what is left of a sector that was
// written as v has it at offset at.
func (f *refFile) sectorMay(part string, v []byte, at, least int, keep string) bool {
	garbage := keep == faultfs.KeepGarbage || keep == faultfs.KeepAny
	for i := range len(part) {
		var want byte
		if at+i < len(v) {
			want = v[at+i]
		}
		exposed := at+i >= least
		fresh := at+i >= len(f.held) || !f.held[at+i]
		if part[i] != want && !(exposed && part[i] == 0) && !((exposed || fresh) && garbage) {
			return false
		}
	}
	return true
}

func brief(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q… (%d bytes)", s[:60], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// run makes the calls, holding the layer against the reference at each, and
// cuts the power.
func (a *attack) run(t failer, steps []move, seed uint64, keep string) error {
	for i, s := range steps {
		if err := a.do(s); err != nil {
			return fmt.Errorf("step %d, %s: %w", i, s, err)
		}
		a.forget()
		seen := map[string]string{}
		for path, n := range a.ref {
			if f := n.now(); f != nil {
				seen[path] = string(f.now())
			}
		}
		found := tree(t, a.v, a.top)
		for path := range found {
			if _, ok := seen[path]; !ok {
				return fmt.Errorf("step %d, %s: %s is seen", i, s, path)
			}
		}
		for path, want := range seen {
			got, ok := found[path]
			if f := a.ref[path].now(); ok && f.forgotten {
				f.revert()
				f.forgotten, f.versions[0], want = false, []byte(got), got
			}
			if !ok || got != want {
				return fmt.Errorf("step %d, %s: %s is seen (%v) as %s, not as %s", i, s, path, ok, brief(got), brief(want))
			}
		}
		if err := a.judge(faultfs.KeepNothing, tree(t, a.base, a.top)); err != nil {
			return fmt.Errorf("step %d, %s, killed: %w", i, s, err)
		}
	}
	if _, err := a.v.Crash(seed, keep); err != nil {
		return fmt.Errorf("crash: %w", err)
	}
	for _, n := range a.ref {
		for _, f := range n.meanings {
			if f != nil && f.handle != nil {
				_ = f.handle.Close()
			}
		}
	}
	if err := a.judge(keep, tree(t, a.base, a.top)); err != nil {
		return fmt.Errorf("keeping %s: %w", keep, err)
	}
	return nil
}

// shrink leaves out steps for as long as the history still fails.
func shrink(steps []move, fails func([]move) error) ([]move, error) {
	err := fails(steps)
	for i := len(steps) - 1; i >= 0; i-- {
		fewer := slices.Delete(slices.Clone(steps), i, i+1)
		if e := fails(fewer); e != nil {
			steps, err = fewer, e
			i = min(i, len(steps))
		}
	}
	return steps, err
}

// Whatever is done to the layer and whatever a cut keeps, no sector, size or
// name is below that the weak model does not allow: nothing that was synced is
// gone, and with "nothing" nothing is there that was not, failed syncs included.
//
//	go test ./faultfs -run Attack -attack.rounds 10000 -attack.seed 1
func TestAttackOnTheVolatileLayer(t *testing.T) {
	keeps := []string{faultfs.KeepNothing, faultfs.KeepWhole, faultfs.KeepTorn, faultfs.KeepZeros, faultfs.KeepGarbage, faultfs.KeepAny}
	onEachBase(t, func(t *testing.T, base afero.Fs, top string) {
		top = filepath.Join(top, "m")
		require.Positive(t, *attackRounds, "-attack.rounds selects nothing")
		for round := range *attackRounds {
			seed := *attackSeed + uint64(round)
			rng := rand.New(rand.NewPCG(seed, 1))
			kinds := stepKinds
			if seed%2 == 0 { // without failed syncs the reference is exact
				kinds = kinds[:len(kinds)-4]
			}
			steps, keep := randomSteps(rng, kinds), keeps[rng.IntN(len(keeps))]
			try := func(steps []move) error {
				a, err := newAttack(base, top)
				require.NoError(t, err)
				return a.run(t, steps, seed, keep)
			}
			if err := try(steps); err != nil {
				few, err := shrink(steps, try)
				require.NoError(t, err, "-attack.seed %d keeping %s:\n%v", seed, keep, few)
			}
		}
	})
}
