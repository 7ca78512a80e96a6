package kv

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// storage is a store's directory: where its files are and how they are made
// durable. Its methods are called by Open, and then by the committer alone.
type storage struct {
	fs   afero.Fs
	dir  string
	id   storeID
	log  *slog.Logger
	rand io.Reader // of ids
}

// errIO marks a failed write or sync: after it the state of the file concerned
// is not known, and that file is not used again.
var errIO = errors.New("storage failed")

// isDiskFull reports whether err is the file system's word for no space left.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func (st *storage) path(name string) string { return filepath.Join(st.dir, name) }

// writeDurably writes b at the start of file, which was just created under
// name, and makes file and name durable.
func (st *storage) writeDurably(file afero.File, name string, b []byte) error {
	if err := writeAt(file, b, 0); err != nil {
		return fmt.Errorf("writing %s: %w: %w", name, errIO, err)
	}
	return st.syncNew(file, name)
}

// syncNew makes a file that was just created durable, and its name.
func (st *storage) syncNew(file afero.File, name string) error {
	// A full sync and not a data sync: the file is new, and its size and
	// allocation have to be there as well.
	if err := file.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w: %w", name, errIO, err)
	}
	return st.syncDir()
}

func (st *storage) syncDir() error {
	if err := vfs.SyncDir(st.fs, st.dir); err != nil {
		return fmt.Errorf("syncing the directory %s: %w: %w", st.dir, errIO, err)
	}
	return nil
}

// makeDir creates the store's directory with every missing parent.
func (st *storage) makeDir() error {
	if err := st.fs.MkdirAll(st.dir, 0o755); err != nil {
		return fmt.Errorf("creating the directory %s: %w", st.dir, err)
	}
	return nil
}

// syncPath makes the directory's own entry durable, and those of its parents:
// a store is no more durable than the path to it. It is not enough to do so for
// the parents that makeDir created: an earlier process may have created them
// and died before it got here. A parent that may not be opened was not made by
// either.
func (st *storage) syncPath() error {
	dir := filepath.Clean(st.dir)
	for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
		err := vfs.SyncDir(st.fs, parent)
		if err != nil && !errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("syncing the directory %s: %w", parent, err)
		}
	}
	return nil
}

// list returns the names in the directory.
func (st *storage) list() ([]string, error) {
	d, err := st.fs.Open(st.dir)
	if err != nil {
		return nil, fmt.Errorf("opening the directory %s: %w", st.dir, err)
	}
	names, err := d.Readdirnames(-1)
	_ = d.Close()
	if err != nil {
		return nil, fmt.Errorf("listing the directory %s: %w", st.dir, err)
	}
	return names, nil
}

// read returns the whole content of a small file.
func (st *storage) read(name string) ([]byte, error) {
	file, err := st.fs.Open(st.path(name))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxManifestBytes))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return b, nil
}

// newID draws the id of a store.
func (st *storage) newID() (id storeID, err error) {
	if _, err = io.ReadFull(st.rand, id[:]); err != nil {
		return id, fmt.Errorf("drawing the store's id: %w", err)
	}
	return id, nil
}

// newSegmentID draws the id that tells a segment file from every other that
// ever has its number.
func (st *storage) newSegmentID() (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(st.rand, b[:]); err != nil {
		return 0, fmt.Errorf("drawing a segment's id: %w", err)
	}
	return le.Uint64(b[:]), nil
}

// maxInterrupts is how many calls in a row may be interrupted, with nothing
// done, until that counts as an error like any other: a storage that only ever
// says EINTR must not keep the caller for good.
const maxInterrupts = 16

// interrupts counts calls that were interrupted in a row.
type interrupts int

// goesOn reports whether to go on after a call that did n bytes.
func (i *interrupts) goesOn(n int, err error) bool {
	if n > 0 {
		*i = 0
	}
	*i++
	return errors.Is(err, syscall.EINTR) && *i <= maxInterrupts
}

// writeAt writes all of b. A short count without an error, or one with an
// interrupt, is gone on from: a hole before the next record would look like
// damage.
func writeAt(file afero.File, b []byte, offset int64) error {
	var in interrupts
	for len(b) > 0 {
		n, err := file.WriteAt(b, offset)
		if err != nil && !in.goesOn(n, err) {
			return err
		}
		if n == 0 && err == nil {
			return io.ErrShortWrite
		}
		b, offset = b[n:], offset+int64(n)
	}
	return nil
}

// readAttempts is how often a read is tried before its error is believed: a
// passing bus or path error heals at once, a bad sector never does.
const readAttempts = 3

// readAt fills b from offset, or returns io.EOF with the count that was there.
func readAt(file afero.File, b []byte, offset int64) (n int, err error) {
	for range readAttempts {
		n, err = readAtOnce(file, b, offset)
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			return n, err
		}
	}
	return n, err
}

func readAtOnce(file afero.File, b []byte, offset int64) (n int, err error) {
	var in interrupts
	for n < len(b) {
		m, err := file.ReadAt(b[n:], offset+int64(n))
		n += m
		switch {
		case n == len(b): // some file systems say EOF with the last byte
			return n, nil
		case err != nil && !in.goesOn(m, err):
			return n, err
		case err != nil:
		case m == 0:
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}
