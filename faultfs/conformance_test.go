package faultfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// A wrapper that strikes nothing must not be noticed. The test makes the same
// random calls on a base and on a wrapped base of the same kind, and compares
// every result, oddities of the base included. A quota without end is a second
// wrapper that must not be noticed: its bookkeeping runs and never refuses.
//
// To replay a failure: go test ./faultfs -run Transparent -rapid.seed=N
func TestAWrapperWithoutStrikesIsTransparent(t *testing.T) {
	wrappers := map[string]func(afero.Fs) afero.Fs{
		"no rules": func(base afero.Fs) afero.Fs { return faultfs.New(base) },
		"a rule that counts": func(base afero.Fs) afero.Fs {
			return faultfs.New(base, count(faultfs.OpAny))
		},
		"endless quota": func(base afero.Fs) afero.Fs {
			return faultfs.New(base, faultfs.Rule{Op: faultfs.OpWrite, Quota: math.MaxInt64})
		},
		"two layers": func(base afero.Fs) afero.Fs { return faultfs.New(faultfs.New(base)) },
	}
	bases := map[string]func(dir string) afero.Fs{
		"os":  func(dir string) afero.Fs { return afero.NewBasePathFs(afero.NewOsFs(), dir) },
		"mem": func(string) afero.Fs { return afero.NewMemMapFs() },
	}
	for baseName, newBase := range bases {
		for name, wrap := range wrappers {
			t.Run(baseName+"/"+name, func(t *testing.T) {
				dir := t.TempDir()
				rapid.Check(t, func(t *rapid.T) {
					plain, wrapped := freshDir(t, dir), freshDir(t, dir)
					defer os.RemoveAll(plain)
					defer os.RemoveAll(wrapped)
					compare(t, newBase(plain), wrap(newBase(wrapped)))
				})
			})
		}
	}
}

func freshDir(t *rapid.T, parent string) string {
	dir, err := os.MkdirTemp(parent, "")
	require.NoError(t, err)
	return dir
}

// compare makes one random sequence of calls on both file systems.
func compare(t *rapid.T, plain, wrapped afero.Fs) {
	sides := [2]*side{{fsys: plain}, {fsys: wrapped}}
	for _, s := range sides {
		defer s.closeAll()
		require.NoError(t, s.fsys.MkdirAll("/d/e", 0o755))
	}
	for range rapid.IntRange(1, 40).Draw(t, "calls") {
		call := rapid.SampledFrom(calls).Draw(t, "call")
		a := args{
			path: rapid.SampledFrom(slices.Concat(files, dirs, missing)).Draw(t, "path"),
			from: rapid.SampledFrom(files).Draw(t, "from"),
			to:   rapid.SampledFrom(files).Draw(t, "to"),
			dir:  rapid.SampledFrom(dirs).Draw(t, "dir"),
			flag: rapid.SampledFrom(flags).Draw(t, "flag"),
			open: rapid.IntRange(0, 7).Draw(t, "open"),
			n:    rapid.IntRange(0, 9).Draw(t, "n"),
		}
		want, got := call(sides[0], a), call(sides[1], a)
		require.Equal(t, want, got)
	}
	require.Equal(t, sides[0].tree(), sides[1].tree())
}

// What is a file is never made a directory, nor is a file made under another:
// the file system in memory allows both and panics later.
var (
	files   = []string{"/a", "/b", "/d/a", "/d/e/f"}
	dirs    = []string{"/d", "/d/e"}
	missing = []string{"/missing", "/missing/x"}
	flags   = []int{os.O_RDONLY, os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_TRUNC,
		os.O_RDWR | os.O_CREATE | os.O_EXCL, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_CREATE | os.O_TRUNC}
)

// side is one of the two file systems with the files that are open on it.
type side struct {
	fsys  afero.Fs
	files []afero.File
}

type args struct {
	path, from, to, dir string
	flag, open, n       int
}

func (s *side) opened(f afero.File, err error) string {
	if err != nil {
		return result(nil, err)
	}
	s.files = append(s.files, f)
	return "open " + filepath.Base(f.Name())
}

func (s *side) closeAll() {
	for _, f := range s.files {
		_ = f.Close()
	}
}

// on makes a call on one of the open files, if there is any.
func on(call func(f afero.File, a args) string) func(*side, args) string {
	return func(s *side, a args) string {
		if len(s.files) == 0 {
			return ""
		}
		return call(s.files[a.open%len(s.files)], a)
	}
}

var calls = []func(*side, args) string{
	func(s *side, a args) string { return s.opened(s.fsys.Create(a.to)) },
	func(s *side, a args) string { return s.opened(s.fsys.Open(a.path)) },
	func(s *side, a args) string { return s.opened(s.fsys.OpenFile(a.to, a.flag, 0o644)) },
	func(s *side, a args) string { return result(nil, s.fsys.Mkdir(a.dir, 0o755)) },
	func(s *side, a args) string { return result(nil, s.fsys.MkdirAll(a.dir, 0o755)) },
	func(s *side, a args) string { return result(nil, s.fsys.Remove(a.from)) },
	func(s *side, a args) string { return s.ifThere(a.from, s.fsys.RemoveAll) },
	func(s *side, a args) string { return result(nil, s.fsys.Rename(a.from, a.to)) },
	func(s *side, a args) string { info, err := s.fsys.Stat(a.path); return result(describe(info), err) },
	func(s *side, a args) string {
		info, _, err := s.fsys.(afero.Lstater).LstatIfPossible(a.path)
		return result(describe(info), err)
	},
	func(s *side, a args) string { return result(nil, s.fsys.Chmod(a.path, 0o700)) },
	func(s *side, a args) string { return result(nil, s.fsys.Chown(a.path, os.Getuid(), os.Getgid())) },
	func(s *side, a args) string {
		return result(nil, s.fsys.Chtimes(a.path, time.Unix(5, 0), time.Unix(6, 0)))
	},
	func(s *side, a args) string { return result(nil, vfs.SyncDir(s.fsys, "/d")) },
	func(s *side, a args) string { return s.list(a) },
	on(func(f afero.File, a args) string {
		p := make([]byte, a.n)
		n, err := f.Read(p)
		return result(p[:n], err)
	}),
	on(func(f afero.File, a args) string {
		p := make([]byte, 3)
		n, err := f.ReadAt(p, int64(a.n))
		return result(p[:n], err)
	}),
	on(func(f afero.File, a args) string { n, err := f.Seek(int64(a.n), a.open%3); return result(n, err) }),
	on(func(f afero.File, a args) string { n, err := f.Write(payload[:a.n]); return result(n, err) }),
	on(func(f afero.File, a args) string { n, err := f.WriteAt(payload[:4], int64(a.n)); return result(n, err) }),
	on(func(f afero.File, a args) string {
		n, err := f.WriteString(string(payload[:a.n]))
		return result(n, err)
	}),
	on(func(f afero.File, a args) string { return result(nil, f.Truncate(int64(a.n))) }),
	on(func(f afero.File, a args) string { return result(nil, vfs.Preallocate(f, int64(a.n))) }),
	on(func(f afero.File, a args) string { return result(nil, f.Sync()) }),
	on(func(f afero.File, a args) string { return result(nil, vfs.SyncData(f)) }),
	on(func(f afero.File, a args) string { info, err := f.Stat(); return result(describe(info), err) }),
	on(func(f afero.File, a args) string { return result(nil, f.Close()) }),
}

var payload = []byte("abcdefghij")

// list uses a handle of its own: one of the file system in memory that has
// listed a directory deadlocks once names have gone from it.
func (s *side) list(a args) string {
	f, err := s.fsys.Open(a.path)
	if err != nil {
		return result(nil, err)
	}
	defer f.Close()
	names, err := f.Readdirnames(a.n)
	first := result(len(names), err)
	infos, err := f.Readdir(-1)
	return first + ", " + result(len(infos), err)
}

// ifThere skips a call that the file system in memory answers with a panic
// when there is no such file.
func (s *side) ifThere(name string, call func(string) error) string {
	if _, err := s.fsys.Stat(name); err != nil {
		return ""
	}
	return result(nil, call(name))
}

func describe(info os.FileInfo) string {
	if info == nil {
		return ""
	}
	if info.IsDir() { // its size is a matter of the file system
		return fmt.Sprint(info.Name(), info.Mode())
	}
	return fmt.Sprint(info.Name(), info.Mode(), info.Size())
}

// result prints what a call returned without what differs between two
// directories: errors are named by kind, for they contain the path.
func result(v any, err error) string {
	for _, kind := range []error{io.EOF, fs.ErrNotExist, fs.ErrExist, fs.ErrClosed, fs.ErrPermission, afero.ErrFileClosed} {
		if errors.Is(err, kind) {
			return fmt.Sprintf("%v %v", v, kind)
		}
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return fmt.Sprintf("%v %s: %v", v, pathErr.Op, pathErr.Err)
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return fmt.Sprintf("%v %s: %v", v, linkErr.Op, linkErr.Err)
	}
	return fmt.Sprintf("%v %v", v, err)
}

// tree prints every file with its content.
func (s *side) tree() string {
	var b strings.Builder
	_ = afero.Walk(s.fsys, "/", func(name string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			data, err := afero.ReadFile(s.fsys, name)
			fmt.Fprintf(&b, "%s %q %v\n", name, data, err)
		}
		return nil
	})
	return b.String()
}

// The comparison itself must be able to fail: against a file system that
// loses one byte of every write it does.
func TestTheComparisonSeesADifference(t *testing.T) {
	plain, wrapped := &side{fsys: afero.NewMemMapFs()}, &side{fsys: faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("write * #1 tear=3 EIO")...)}
	for _, s := range []*side{plain, wrapped} {
		f, err := s.fsys.Create("/a")
		require.NoError(t, err)
		_, _ = f.Write([]byte("abcd"))
	}
	require.NotEqual(t, plain.tree(), wrapped.tree())
}

// Every exported method of a file and of a file system is one that the wrapper
// has itself: a method that the embedded file provides would pass unseen.
func TestNoMethodOfTheInterfacesIsInherited(t *testing.T) {
	source := ""
	for _, name := range []string{"file.go", "fs.go"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		source += string(text)
	}
	require.Empty(t, inherited(reflect.TypeFor[afero.File](), "func (f *file) ", source, "Name"))
	require.Empty(t, inherited(reflect.TypeFor[afero.Fs](), "func (fs *FS) ", source))
}

// inherited lists the methods of an interface that the source does not define,
// apart from those that cannot fail.
func inherited(iface reflect.Type, receiver, source string, harmless ...string) []string {
	var list []string
	for i := range iface.NumMethod() {
		name := iface.Method(i).Name
		if !strings.Contains(source, receiver+name+"(") && !slices.Contains(harmless, name) {
			list = append(list, name)
		}
	}
	return list
}
