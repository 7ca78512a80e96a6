package vfs

import (
	"sync"

	"github.com/spf13/afero"
)

// Positional is implemented by an afero.File that knows whether its ReadAt and
// WriteAt may overlap each other, as they may on an operating-system file.
type Positional interface {
	OverlapsSafely() bool
}

// OverlapsSafely reports whether ReadAt and WriteAt of f may overlap. The
// fallback is no: afero's file in memory moves one cursor for both, so that two
// calls at once read from, and write to, the wrong place.
func OverlapsSafely(f afero.File) bool {
	if p, ok := f.(Positional); ok {
		return p.OverlapsSafely()
	}
	return osFile(f) != nil
}

// Overlapping returns f, or f behind a lock, so that ReadAt and WriteAt may
// overlap. The other calls are passed on as they are.
func Overlapping(f afero.File) afero.File {
	if OverlapsSafely(f) {
		return f
	}
	return &serialFile{File: f}
}

// serialFile makes one positional call at a time.
type serialFile struct {
	afero.File
	mu sync.Mutex
}

func (f *serialFile) ReadAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.File.ReadAt(b, offset)
}

func (f *serialFile) WriteAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.File.WriteAt(b, offset)
}

func (f *serialFile) SyncData() error              { return SyncData(f.File) }
func (f *serialFile) Preallocate(size int64) error { return Preallocate(f.File, size) }
func (f *serialFile) OverlapsSafely() bool         { return true }
