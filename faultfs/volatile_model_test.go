package faultfs_test

import (
	"errors"
	"io"
	iofs "io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// modelFile is a file of the reference: what callers see, and what was synced.
type modelFile struct {
	now, synced []byte
	pending     bool // changed since the last sync
	open        []afero.File
}

// model is the reference for a volatile layer, in the plainest words: directory
// -> name -> file, once as callers see it and once as it was last synced.
type model struct {
	now, synced map[string]map[string]*modelFile
	pending     map[string]bool // paths that changed since the last sync of their directory
}

var modelDirs = []string{"d", "e"}

func newModel() *model {
	m := &model{now: map[string]map[string]*modelFile{}, synced: map[string]map[string]*modelFile{}, pending: map[string]bool{}}
	for _, d := range modelDirs {
		m.now[d], m.synced[d] = map[string]*modelFile{}, map[string]*modelFile{}
	}
	return m
}

// content returns path -> content of one of the two views.
func (m *model) content(view map[string]map[string]*modelFile, of func(*modelFile) []byte) map[string]string {
	all := map[string]string{}
	for d, names := range view {
		for name, f := range names {
			all[filepath.Join(d, name)] = string(of(f))
		}
	}
	return all
}

func (m *model) seen() map[string]string {
	return m.content(m.now, func(f *modelFile) []byte { return f.now })
}

func (m *model) durable() map[string]string {
	return m.content(m.synced, func(f *modelFile) []byte { return f.synced })
}

// resize is what truncate does to bytes.
func resize(b []byte, size int) []byte {
	if size <= len(b) {
		return slices.Clone(b[:size])
	}
	return append(slices.Clone(b), make([]byte, size-len(b))...)
}

// modelRun is one random run on a layer and its reference.
type modelRun struct {
	t   *rapid.T
	m   *model
	v   *faultfs.Volatile
	dir string
}

func (r *modelRun) path() (dir, name, path string) {
	dir = rapid.SampledFrom(modelDirs).Draw(r.t, "dir")
	name = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r.t, "name")
	return dir, name, filepath.Join(r.dir, dir, name)
}

// steps are the calls that the model knows.
func (r *modelRun) steps() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"create": func(*rapid.T) { r.create() }, "remove": func(*rapid.T) { r.remove() },
		"rename": func(*rapid.T) { r.rename() }, "write": func(*rapid.T) { r.write() },
		"write again": func(*rapid.T) { r.write() }, "resize": func(*rapid.T) { r.resize() },
		"sync": func(*rapid.T) { r.sync() }, "syncdir": func(*rapid.T) { r.syncDir() },
		"failsync": func(*rapid.T) { r.revert() }, "": func(t *rapid.T) { r.compare(t) },
	}
}

func (r *modelRun) create() {
	dir, name, path := r.path()
	f, err := r.v.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	require.NoError(r.t, err)
	file := r.m.now[dir][name]
	if file == nil {
		file = &modelFile{}
		r.m.pending[filepath.Join(dir, name)] = true
		r.m.now[dir][name] = file
	}
	file.open = append(file.open, f)
}

func (r *modelRun) remove() {
	dir, name, path := r.path()
	err := r.v.Remove(path)
	if r.m.now[dir][name] == nil {
		require.ErrorIs(r.t, err, iofs.ErrNotExist)
		return
	}
	require.NoError(r.t, err)
	r.m.pending[filepath.Join(dir, name)] = true
	delete(r.m.now[dir], name)
}

func (r *modelRun) rename() {
	dir, name, path := r.path()
	dir2, name2, path2 := r.path()
	err := r.v.Rename(path, path2)
	if r.m.now[dir][name] == nil {
		require.ErrorIs(r.t, err, iofs.ErrNotExist)
		return
	}
	require.NoError(r.t, err)
	if path != path2 {
		r.m.pending[filepath.Join(dir, name)], r.m.pending[filepath.Join(dir2, name2)] = true, true
		r.m.now[dir2][name2] = r.m.now[dir][name]
		delete(r.m.now[dir], name)
	}
}

// file draws one of the files with a name, opened if it was not.
func (r *modelRun) file() (*modelFile, afero.File) {
	dir, name, path := r.path()
	file := r.m.now[dir][name]
	if file == nil {
		r.t.Skip("no such file")
	}
	if len(file.open) == 0 || rapid.Bool().Draw(r.t, "reopen") {
		for _, f := range file.open {
			require.NoError(r.t, f.Close())
		}
		f, err := r.v.OpenFile(path, os.O_RDWR, 0)
		require.NoError(r.t, err)
		file.open = []afero.File{f}
	}
	return file, file.open[0]
}

func (r *modelRun) write() {
	file, f := r.file()
	off := rapid.IntRange(0, 9000).Draw(r.t, "off")
	text := strings.Repeat(rapid.StringMatching("[a-z]{1,4}").Draw(r.t, "text"), rapid.IntRange(1, 900).Draw(r.t, "times"))
	_, err := f.WriteAt([]byte(text), int64(off))
	require.NoError(r.t, err)
	file.now = resize(file.now, max(len(file.now), off+len(text)))
	copy(file.now[off:], text)
	file.pending = true
}

func (r *modelRun) resize() {
	file, f := r.file()
	size := rapid.IntRange(0, 12000).Draw(r.t, "size")
	require.NoError(r.t, f.Truncate(int64(size)))
	file.now = resize(file.now, size)
	file.pending = true
}

func (r *modelRun) sync() {
	file, f := r.file()
	require.NoError(r.t, f.Sync())
	file.synced = slices.Clone(file.now)
	file.pending = false
}

func (r *modelRun) revert() {
	file, f := r.file()
	require.NoError(r.t, f.(vfs.SyncFailer).FailSync(vfs.CacheReverted))
	file.now = slices.Clone(file.synced)
	file.pending = false
}

func (r *modelRun) syncDir() {
	dir := rapid.SampledFrom(modelDirs).Draw(r.t, "dir")
	require.NoError(r.t, r.v.SyncDir(filepath.Join(r.dir, dir)))
	r.m.synced[dir] = maps.Clone(r.m.now[dir])
	maps.DeleteFunc(r.m.pending, func(path string, _ bool) bool { return filepath.Dir(path) == dir })
}

// compare compares what callers see, and what is below: a SIGKILL now.
func (r *modelRun) compare(t *rapid.T) {
	require.Equal(t, r.m.seen(), tree(t, r.v, r.dir))
}

type failer interface {
	require.TestingT
	Helper()
}

// tree returns path -> content of the files in dir that are not hidden.
func tree(t failer, fsys afero.Fs, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, afero.Walk(fsys, dir, func(path string, info os.FileInfo, err error) error {
		switch {
		case err != nil:
			return err
		case info.IsDir() && strings.HasPrefix(info.Name(), faultfs.HiddenPrefix):
			return filepath.SkipDir
		case info.IsDir(), strings.HasPrefix(info.Name(), faultfs.HiddenPrefix):
			return nil
		}
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		f, err := fsys.Open(path)
		require.NoError(t, err)
		defer f.Close()
		data, err := io.ReadAll(f)
		require.NoError(t, err)
		found[name] = string(data)
		return nil
	}))
	return found
}

// The layer shows what a plain file system would, the base at every moment just
// what was synced, and so does the base after a cut that keeps nothing.
//
// To replay a failure: go test ./faultfs -run VolatileModel -rapid.seed=N
func TestVolatileModel(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, top string) {
		rapid.Check(t, func(t *rapid.T) {
			pending := faultfs.Pending{}
			r := newModelRun(t, base, top, faultfs.VolatileOptions{OnPending: func(p faultfs.Pending) { pending = p }})
			steps := r.steps()
			check := steps[""]
			steps[""] = func(t *rapid.T) {
				check(t)
				require.Equal(t, r.m.durable(), tree(t, base, r.dir))
				require.Equal(t, r.v.Pending(), pending, "every change is reported")
			}
			t.Repeat(steps)
			lost, err := r.v.Crash(1, faultfs.KeepNothing)
			require.NoError(t, err)
			require.Equal(t, pending, lost)
			require.Equal(t, r.m.durable(), tree(t, base, r.dir))
			require.Equal(t, r.m.durable(), tree(t, faultfs.NewVolatile(base, faultfs.VolatileOptions{}), r.dir))
			requireNoHiddenFiles(t, base, r.dir)
		})
	})
}

// newModelRun makes an empty layer and its reference.
func newModelRun(t *rapid.T, base afero.Fs, top string, o faultfs.VolatileOptions) *modelRun {
	r := &modelRun{t: t, m: newModel(), dir: filepath.Join(top, "m")}
	require.NoError(t, base.RemoveAll(r.dir))
	for _, d := range modelDirs {
		require.NoError(t, base.MkdirAll(filepath.Join(r.dir, d), 0o755))
	}
	r.v = faultfs.NewVolatile(base, o)
	return r
}

// Whatever a cut keeps of what was pending, names that were not pending are as
// they were, and so is the content of files that were not.
//
// To replay a failure: go test ./faultfs -run ACutTouches -rapid.seed=N
func TestACutTouchesOnlyWhatWasPending(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, top string) {
		rapid.Check(t, func(t *rapid.T) {
			r := newModelRun(t, base, top, faultfs.VolatileOptions{})
			t.Repeat(r.steps())
			pending := r.v.Pending()
			keep := rapid.SampledFrom([]string{faultfs.KeepNothing, faultfs.KeepWhole, faultfs.KeepTorn,
				faultfs.KeepZeros, faultfs.KeepGarbage, faultfs.KeepAny}).Draw(t, "keep")
			lost, err := r.v.Crash(rapid.Uint64().Draw(t, "seed"), keep)
			require.NoError(t, err)
			require.LessOrEqual(t, lost.Bytes, pending.Bytes)
			require.LessOrEqual(t, lost.Entries, pending.Entries)
			require.GreaterOrEqual(t, min(lost.Bytes, lost.Entries), int64(0))
			r.requireUntouched(tree(t, base, r.dir))
			requireNoHiddenFiles(t, base, r.dir)
		})
	})
}

func (r *modelRun) requireUntouched(found map[string]string) {
	for _, d := range modelDirs {
		for _, name := range []string{"a", "b", "c"} {
			path := filepath.Join(d, name)
			if r.m.pending[path] {
				continue
			}
			content, there := found[path]
			file := r.m.synced[d][name]
			require.Equal(r.t, file != nil, there, path)
			if file != nil && !file.pending {
				require.Equal(r.t, string(file.synced), content, path)
			}
		}
	}
}

func requireNoHiddenFiles(t failer, base afero.Fs, dir string) {
	t.Helper()
	require.NoError(t, afero.Walk(base, dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.HasPrefix(info.Name(), faultfs.HiddenPrefix) {
			err = errors.New(path + " was left below")
		}
		return err
	}))
}
