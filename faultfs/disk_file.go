package faultfs

import (
	"io"
	iofs "io/fs"
	"os"
	"syscall"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// diskFile is an open file or directory of a Disk. Its fields are guarded by
// the lock of the disk.
type diskFile struct {
	d      *Disk
	node   *node
	name   string // as it was opened
	path   string // the same from the root
	flag   int    // as it was opened
	closed bool

	pos    int64
	listed []listedName // what is still to be listed
	begun  bool
}

type listedName struct {
	name string
	node *node
}

var (
	_ afero.File       = (*diskFile)(nil)
	_ vfs.DataSyncer   = (*diskFile)(nil)
	_ vfs.Preallocator = (*diskFile)(nil)
	_ vfs.Locker       = (*diskFile)(nil)
	_ vfs.Positional   = (*diskFile)(nil)
	_ vfs.SyncFailer   = (*diskFile)(nil)
)

// Name returns the name that the file was opened under.
func (f *diskFile) Name() string { return f.name }

// OverlapsSafely says that positional calls may overlap.
func (f *diskFile) OverlapsSafely() bool { return true }

// do runs one call. io.EOF is returned as it is.
func (f *diskFile) do(op string, call func() error) error {
	if err := f.d.enter(); err != nil {
		return pathError(op, f.name, err)
	}
	defer f.d.mu.Unlock()
	err := error(iofs.ErrClosed)
	if !f.closed {
		err = call()
	}
	if err == io.EOF {
		return err
	}
	return pathError(op, f.name, err)
}

// may refuses what the file was not opened for.
func (f *diskFile) may(write bool) error {
	access := f.flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
	switch {
	case f.node.isDir && write:
		return syscall.EBADF
	case f.node.isDir:
		return syscall.EISDIR
	case write && access == os.O_RDONLY, !write && access == os.O_WRONLY:
		return syscall.EBADF
	}
	return nil
}

// Read reads at the cursor.
func (f *diskFile) Read(p []byte) (n int, err error) {
	err = f.do("read", func() error {
		if err := f.may(false); err != nil {
			return err
		}
		n = f.d.readAt(f.node, p, f.pos)
		f.pos += int64(n)
		if n == 0 {
			return eof(n, len(p))
		}
		return nil
	})
	return n, err
}

// ReadAt reads at an offset.
func (f *diskFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.do("read", func() error {
		if err := f.may(false); err != nil {
			return err
		}
		if off < 0 {
			return syscall.EINVAL
		}
		n = f.d.readAt(f.node, p, off)
		return eof(n, len(p))
	})
	return n, err
}

// Write writes at the cursor, or at the end of a file opened to append.
func (f *diskFile) Write(p []byte) (int, error) {
	err := f.do("write", func() error {
		if f.flag&os.O_APPEND != 0 {
			f.d.learnSize(f.node)
			f.pos = f.node.size
		}
		if err := f.put(p, f.pos); err != nil {
			return err
		}
		f.pos += int64(len(p))
		return nil
	})
	return wrote(p, err)
}

// WriteString is Write.
func (f *diskFile) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// WriteAt writes at an offset.
func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	return wrote(p, f.do("write", func() error {
		if f.flag&os.O_APPEND != 0 {
			return errAppend
		}
		return f.put(p, off)
	}))
}

func wrote(p []byte, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// maxDiskFile bounds sizes: sectors are held in slices.
const maxDiskFile = 1 << 40

func (f *diskFile) put(p []byte, off int64) error {
	if err := f.may(true); err != nil {
		return err
	}
	if off < 0 {
		return syscall.EINVAL
	}
	if off > maxDiskFile-int64(len(p)) {
		return syscall.EFBIG
	}
	if len(p) == 0 {
		return nil
	}
	f.d.writeAt(f.node, p, off)
	f.d.returns(diskCall{op: "write", name: f.path, off: off, n: int64(len(p))})
	return nil
}

// Truncate changes the size. What is new reads as zeros.
func (f *diskFile) Truncate(size int64) error {
	return f.resize("truncate", size, f.d.resize)
}

// Preallocate makes the file at least size bytes long.
func (f *diskFile) Preallocate(size int64) error {
	return f.resize("preallocate", size, f.d.reserve)
}

func (f *diskFile) resize(op string, size int64, do func(*node, int64)) error {
	return f.do(op, func() error {
		if err := f.may(true); err != nil {
			return err
		}
		if size < 0 {
			return syscall.EINVAL
		}
		if size > maxDiskFile {
			return syscall.EFBIG
		}
		before := f.node.size
		do(f.node, size)
		if f.node.size != before {
			f.d.returns(diskCall{op: op, name: f.path, n: size})
		}
		return nil
	})
}

// Sync forces data and size of a file, or the names in a directory.
func (f *diskFile) Sync() error {
	return f.do("sync", func() error {
		f.d.sync(f.node, f.path)
		return nil
	})
}

// SyncData is Sync: what it leaves out is never pending.
func (f *diskFile) SyncData() error { return f.Sync() }

// FailSync does to what is pending what a failed Sync does.
func (f *diskFile) FailSync(p vfs.Personality) error {
	return f.do("sync", func() error { return f.d.failSync(f.node, f.path, p) })
}

// TryLock locks the file until it is closed, or its disk loses its power.
func (f *diskFile) TryLock() error {
	return f.do("lock", func() error {
		if f.node.locked != nil && f.node.locked != f {
			return vfs.ErrLocked
		}
		f.node.locked = f
		return nil
	})
}

// Seek moves the cursor.
func (f *diskFile) Seek(offset int64, whence int) (pos int64, err error) {
	err = f.do("seek", func() error {
		switch whence {
		case io.SeekStart:
			pos = offset
		case io.SeekCurrent:
			pos = f.pos + offset
		case io.SeekEnd:
			f.d.learnSize(f.node)
			pos = f.node.size + offset
		default:
			return syscall.EINVAL
		}
		if pos < 0 {
			return syscall.EINVAL
		}
		f.pos = pos
		if pos == 0 { // a directory is listed anew
			f.listed, f.begun = nil, false
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return pos, nil
}

// Stat describes the file.
func (f *diskFile) Stat() (info os.FileInfo, err error) {
	err = f.do("stat", func() error {
		info = f.d.info(f.node, f.name)
		return nil
	})
	return info, err
}

// Readdir lists a directory in alphabetical order, as it was at the first call.
func (f *diskFile) Readdir(count int) (infos []os.FileInfo, err error) {
	err = f.list(count, func(page []listedName) {
		infos = make([]os.FileInfo, len(page))
		for i, l := range page {
			infos[i] = f.d.info(l.node, l.name)
		}
	})
	return infos, err
}

// Readdirnames is Readdir, names only.
func (f *diskFile) Readdirnames(count int) (names []string, err error) {
	err = f.list(count, func(page []listedName) {
		names = make([]string, len(page))
		for i, l := range page {
			names[i] = l.name
		}
	})
	return names, err
}

func (f *diskFile) list(count int, take func([]listedName)) error {
	return f.do("readdir", func() error {
		if !f.node.isDir {
			return syscall.ENOTDIR
		}
		if !f.begun {
			f.begun = true
			f.d.learnNames(f.node)
			for _, name := range f.node.sorted() {
				f.listed = append(f.listed, listedName{name, f.node.entries[name]})
			}
		}
		page := f.listed
		if count > 0 {
			page = page[:min(count, len(page))]
		}
		f.listed = f.listed[len(page):]
		if count > 0 && len(page) == 0 {
			return io.EOF
		}
		take(page)
		return nil
	})
}

// Close closes the file. It forces nothing.
func (f *diskFile) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, iofs.ErrClosed)
	}
	f.closed = true
	if f.node.locked == f {
		f.node.locked = nil
	}
	if f.d.off {
		return pathError("close", f.name, vfs.ErrCrashed)
	}
	return nil
}
