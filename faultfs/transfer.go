package faultfs

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/afero"
)

// transfer is one read or write of an open file: how it is made below, and
// where it starts.
type transfer struct {
	below func([]byte) (int, error)
	// start returns the offset of the call in a file of the given size.
	start func(size int64) (int64, error)
	// cursor says that the call starts at the cursor of the file and moves it.
	cursor bool
}

func at(offset int64) func(int64) (int64, error) {
	return func(int64) (int64, error) { return offset, nil }
}

// read makes one read below and spoils what it returns as the rules want.
func (f *file) read(p []byte, t transfer) (int, error) {
	o := f.fs.strike(call{op: OpRead, names: []string{f.name}})
	if err := o.before(); err != nil {
		return 0, err
	}
	offset, err := f.place(&o, t)
	if err != nil {
		return 0, err
	}
	part := o.part(p)
	n, err := t.below(part)
	o.spoil(part[:n], offset)
	if o.short() && !t.cursor && err == nil && n < len(p) {
		err = io.EOF // a ReadAt that falls short has to say why
	}
	err, struck := o.afterwards(err)
	if struck {
		n = 0
	}
	return n, err
}

// write makes one write below, or what the rules leave of it.
func (f *file) write(p []byte, t transfer) (int, error) {
	o := f.fs.strike(call{op: OpWrite, names: []string{f.name}})
	if err := o.before(); err != nil {
		return 0, err
	}
	if o.rule != nil && o.rule.Lost {
		return f.loseWrite(len(p), t)
	}
	offset, err := f.place(&o, t)
	if err != nil {
		return 0, err
	}
	part := o.part(p)
	if len(o.damage) > 0 {
		part = append([]byte(nil), part...) // the caller's bytes stay as they are
		o.spoil(part, offset)
	}
	n, err := f.writePart(&o, part, offset, t)
	if o.short() && err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	err, struck := o.afterwards(err)
	if struck && o.rule.After {
		n = 0
	}
	return n, err
}

func (f *file) writePart(o *outcome, part []byte, offset int64, t transfer) (int, error) {
	if o.rule != nil && o.rule.MisdirectBytes != 0 {
		return f.misdirect(part, offset, o.rule.MisdirectBytes, t)
	}
	return f.writeCharged(part, t.start, t.below)
}

// place returns where the call starts, when the outcome depends on that.
func (f *file) place(o *outcome, t transfer) (int64, error) {
	if !o.placed() {
		return 0, nil
	}
	_, offset, err := f.extent(true, t.start)
	if err != nil {
		return 0, fmt.Errorf("finding the place in %s that a fault is about: %w", f.name, err)
	}
	return offset, nil
}

// appends reports whether writes go to the end of the file wherever its cursor
// stands.
func (f *file) appends() bool { return f.flag&os.O_APPEND != 0 }

// loseWrite reports a write of n bytes that does not happen.
func (f *file) loseWrite(n int, t transfer) (int, error) {
	if !t.cursor || f.appends() {
		return n, nil
	}
	if _, err := f.File.Seek(int64(n), io.SeekCurrent); err != nil {
		return 0, fmt.Errorf("passing over a lost write to %s: %w", f.name, err)
	}
	return n, nil
}

// misdirect writes p beside the offset where it belongs.
func (f *file) misdirect(p []byte, offset, beside int64, t transfer) (int, error) {
	target := offset + beside
	if target < 0 {
		target = offset - beside
	}
	below, done, err := f.elsewhere()
	if err != nil {
		return 0, fmt.Errorf("misdirecting a write to %s: %w", f.name, err)
	}
	defer done()
	n, err := f.writeCharged(p, at(target), func(p []byte) (int, error) { return below.WriteAt(p, target) })
	if err == nil && t.cursor && !f.appends() {
		_, err = f.File.Seek(offset+int64(len(p)), io.SeekStart)
	}
	return n, err
}

// elsewhere returns the file below, open so that it can be written at any
// offset: one that was opened for appending cannot.
func (f *file) elsewhere() (below afero.File, done func(), err error) {
	if !f.appends() {
		return f.File, func() {}, nil
	}
	below, err = f.fs.base.OpenFile(f.fs.nameOf(f.inode), os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	return below, func() { _ = below.Close() }, nil // what was written is written
}
