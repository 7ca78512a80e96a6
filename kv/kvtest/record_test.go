package kvtest

import (
	"fmt"
	"os"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// recorder writes down every call that reaches a file system, with its bytes and
// its outcome.
type recorder struct {
	afero.Fs
	mu    sync.Mutex
	calls []string
}

func (r *recorder) note(err error, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, fmt.Sprintf(format, args...)+fmt.Sprintf(": %v", err))
}

func (r *recorder) Open(name string) (afero.File, error) { return r.OpenFile(name, os.O_RDONLY, 0) }

func (r *recorder) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := r.Fs.OpenFile(name, flag, perm)
	r.note(err, "open %s %d %o", name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &recordedFile{f, r, name}, nil
}

func (r *recorder) MkdirAll(name string, perm os.FileMode) error {
	err := r.Fs.MkdirAll(name, perm)
	r.note(err, "mkdirall %s %o", name, perm)
	return err
}

func (r *recorder) Remove(name string) error {
	err := r.Fs.Remove(name)
	r.note(err, "remove %s", name)
	return err
}

func (r *recorder) Stat(name string) (os.FileInfo, error) {
	info, err := r.Fs.Stat(name)
	r.note(err, "stat %s", name)
	return info, err
}

func (r *recorder) SyncDir(name string) error {
	err := vfs.SyncDir(r.Fs, name)
	r.note(err, "syncdir %s", name)
	return err
}

type recordedFile struct {
	afero.File
	r    *recorder
	name string
}

func (f *recordedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.r.note(err, "read %s %d %x", f.name, n, xxhash.Sum64(b[:n]))
	return n, err
}

func (f *recordedFile) ReadAt(b []byte, offset int64) (int, error) {
	n, err := f.File.ReadAt(b, offset)
	f.r.note(err, "readat %s %d+%d %x", f.name, offset, n, xxhash.Sum64(b[:n]))
	return n, err
}

func (f *recordedFile) WriteAt(b []byte, offset int64) (int, error) {
	n, err := f.File.WriteAt(b, offset)
	f.r.note(err, "writeat %s %d+%d %x", f.name, offset, n, b)
	return n, err
}

func (f *recordedFile) Truncate(size int64) error {
	err := f.File.Truncate(size)
	f.r.note(err, "truncate %s %d", f.name, size)
	return err
}

func (f *recordedFile) Preallocate(size int64) error {
	err := vfs.Preallocate(f.File, size)
	f.r.note(err, "preallocate %s %d", f.name, size)
	return err
}

func (f *recordedFile) Sync() error {
	err := f.File.Sync()
	f.r.note(err, "sync %s", f.name)
	return err
}

func (f *recordedFile) SyncData() error {
	err := vfs.SyncData(f.File)
	f.r.note(err, "syncdata %s", f.name)
	return err
}

func (f *recordedFile) TryLock() error {
	err := f.File.(vfs.Locker).TryLock()
	f.r.note(err, "lock %s", f.name)
	return err
}

func (f *recordedFile) Readdirnames(n int) ([]string, error) {
	names, err := f.File.Readdirnames(n)
	f.r.note(err, "names %s %q", f.name, names)
	return names, err
}

func (f *recordedFile) Stat() (os.FileInfo, error) {
	info, err := f.File.Stat()
	f.r.note(err, "fstat %s", f.name)
	return info, err
}

func (f *recordedFile) Close() error {
	err := f.File.Close()
	f.r.note(err, "close %s", f.name)
	return err
}

func (f *recordedFile) OverlapsSafely() bool { return vfs.OverlapsSafely(f.File) }
