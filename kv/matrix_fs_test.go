package kv

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/afero"
)

// matrixFs is the smallest file system that a store can live on: one directory
// in memory. A clone costs a few words for each file, because content is shared
// until it is changed. It has no more of afero than the engine calls.
type matrixFs struct {
	afero.Fs // nil: what is not implemented here must not be called

	mu      sync.Mutex
	nodes   map[string]*matrixNode
	changes int // calls that could have changed something

	// keep, if it is not nil, names files that cannot be removed.
	keep func(name string) bool
	// stale, if it is not nil, is told what every write replaces.
	stale func(name string, offset int64, old []byte)
}

type matrixNode struct {
	data   []byte
	shared bool // data belongs to others too
}

func newMatrixFs(files map[string][]byte) *matrixFs {
	fsys := &matrixFs{nodes: make(map[string]*matrixNode, len(files)+2)}
	for name, data := range files {
		fsys.nodes[name] = &matrixNode{data, true}
	}
	return fsys
}

// contents returns what every file holds. It is not copied.
func (m *matrixFs) contents() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := map[string][]byte{}
	for name, node := range m.nodes {
		files[name], node.shared = node.data, true
	}
	return files
}

func (m *matrixFs) Name() string                       { return "matrixFs" }
func (m *matrixFs) MkdirAll(string, os.FileMode) error { return nil }
func (m *matrixFs) SyncDir(string) error               { return nil }

func (m *matrixFs) Stat(name string) (os.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node := m.nodes[filepath.Base(name)]
	if node == nil {
		return nil, &os.PathError{Op: "stat", Path: name, Err: os.ErrNotExist}
	}
	return matrixInfo{name: name, size: int64(len(node.data))}, nil
}

func (m *matrixFs) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	base := filepath.Base(name)
	if m.nodes[base] == nil {
		return &os.PathError{Op: "remove", Path: name, Err: os.ErrNotExist}
	}
	m.changes++
	if m.keep != nil && m.keep(base) {
		return &os.PathError{Op: "remove", Path: name, Err: errors.New("it is wanted")}
	}
	delete(m.nodes, base)
	return nil
}

func (m *matrixFs) Open(name string) (afero.File, error) { return m.OpenFile(name, os.O_RDONLY, 0) }

func (m *matrixFs) OpenFile(name string, flag int, _ os.FileMode) (afero.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name == dir {
		return &matrixFile{fs: m, names: slices.Sorted(maps.Keys(m.nodes))}, nil
	}
	base := filepath.Base(name)
	node := m.nodes[base]
	switch {
	case node == nil && flag&os.O_CREATE == 0:
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	case node != nil && flag&os.O_EXCL != 0:
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrExist}
	case node == nil:
		m.changes++
		node = &matrixNode{}
		m.nodes[base] = node
	}
	return &matrixFile{fs: m, name: base, node: node}, nil
}

// matrixFile is an open file, or the directory.
type matrixFile struct {
	afero.File // nil, as above
	fs         *matrixFs
	name       string
	node       *matrixNode
	names      []string
	cursor     int64
}

func (f *matrixFile) Close() error                       { return nil }
func (f *matrixFile) Sync() error                        { return nil }
func (f *matrixFile) SyncData() error                    { return nil }
func (f *matrixFile) TryLock() error                     { return nil }
func (f *matrixFile) OverlapsSafely() bool               { return true }
func (f *matrixFile) Readdirnames(int) ([]string, error) { return f.names, nil }

func (f *matrixFile) Stat() (os.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return matrixInfo{name: f.name, size: int64(len(f.node.data))}, nil
}

func (f *matrixFile) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.cursor)
	f.cursor += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *matrixFile) ReadAt(b []byte, offset int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if offset >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[offset:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *matrixFile) WriteAt(b []byte, offset int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.resize(max(int64(len(f.node.data)), offset+int64(len(b))))
	if f.fs.stale != nil {
		f.fs.stale(f.name, offset, f.node.data)
	}
	return copy(f.node.data[offset:], b), nil
}

func (f *matrixFile) Preallocate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.resize(max(size, int64(len(f.node.data))))
	return nil
}

func (f *matrixFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.resize(size)
	return nil
}

// resize gives the node a size and content of its own.
func (f *matrixFile) resize(size int64) {
	f.fs.changes++
	n := f.node
	if n.shared || size > int64(cap(n.data)) {
		n.data, n.shared = bytes.Clone(n.data[:min(size, int64(len(n.data)))]), false
	}
	if size <= int64(len(n.data)) {
		n.data = n.data[:size]
		return
	}
	n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
}

type matrixInfo struct {
	name string
	size int64
}

func (i matrixInfo) Name() string       { return i.name }
func (i matrixInfo) Size() int64        { return i.size }
func (i matrixInfo) Mode() os.FileMode  { return 0o644 }
func (i matrixInfo) ModTime() time.Time { return time.Time{} }
func (i matrixInfo) IsDir() bool        { return false }
func (i matrixInfo) Sys() any           { return nil }
