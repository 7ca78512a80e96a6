package faultfs

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/afero"
)

// Corrupt damages a file at rest: it reads n bytes at off, lets mutate change
// them in place and writes them back. It does not pass the bounds of the file,
// and it is an error when mutate leaves the bytes as they were: a test on an
// undamaged file would prove nothing.
func Corrupt(fsys afero.Fs, name string, off int64, mutate func([]byte), n int) (err error) {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening a file to damage it: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("closing the damaged file: %w", closeErr)
		}
	}()
	good := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(f, off, int64(n)), good); err != nil {
		return fmt.Errorf("reading %d bytes at %d of %s to damage them: %w", n, off, name, err)
	}
	bad := bytes.Clone(good)
	mutate(bad)
	if bytes.Equal(good, bad) {
		return fmt.Errorf("the %d bytes at %d of %s are undamaged", n, off, name)
	}
	if _, err := f.WriteAt(bad, off); err != nil {
		return fmt.Errorf("damaging %d bytes at %d of %s: %w", n, off, name, err)
	}
	return nil
}

// FlipBit flips one bit of a file at rest: bit 0 is the lowest of byte 0.
func FlipBit(fsys afero.Fs, name string, bit int64) error {
	return Corrupt(fsys, name, bit/8, func(b []byte) { b[0] ^= 1 << (bit % 8) }, 1)
}
