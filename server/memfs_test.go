package server

import (
	"os"
	"sync"

	"github.com/spf13/afero"
)

// memFs is afero's file system in memory, made safe for concurrent reads and writes of one file:
// there ReadAt and WriteAt move a position that all users of a handle share.
type memFs struct{ afero.Fs }

func newMemFs() afero.Fs { return &memFs{afero.NewMemMapFs()} }

func (m *memFs) Open(name string) (afero.File, error) {
	return m.OpenFile(name, os.O_RDONLY, 0)
}

func (m *memFs) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := m.Fs.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &memFile{File: f}, nil
}

type memFile struct {
	afero.File
	mu sync.Mutex
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.File.ReadAt(p, off)
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.File.WriteAt(p, off)
}
