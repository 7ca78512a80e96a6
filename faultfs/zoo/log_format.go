package zoo

import (
	"bytes"
	"errors"
	"hash/crc32"
	"os"
	"strings"

	"github.com/spf13/afero"
)

// The logs of this file open, cut and sync as they should. They differ in what
// they take for a record.

// openFormat opens a log whose records parse understands: it returns the first
// one and its length, 0 if there is none.
func openFormat(fsys afero.Fs, parse func(b []byte) (Change, int)) (*logStore, error) {
	f, err := fsys.OpenFile(logName, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	s := &logStore{contents: contents{}, f: f}
	b, err := afero.ReadFile(fsys, logName)
	for c, n := parse(b); n > 0; c, n = parse(b[s.end:]) {
		s.apply(c)
		s.end += int64(n)
	}
	if err := errors.Join(err, f.Truncate(s.end), f.Sync(), syncDir(fsys, "/")); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// formatStore is a logStore with records of its own.
type formatStore struct {
	*logStore
	encode func(Change) []byte
}

func (s formatStore) Write(c Change) error {
	if err := s.appendAndSync(s.encode(c)); err != nil {
		return err
	}
	s.apply(c)
	return nil
}

// linesOfText writes "key=value" and a new line for each change, and believes
// that what is torn has no new line. But of a line of several sectors the last
// may be there and the first not: zeros and rubbish stand where the key should be.
func linesOfText(fsys afero.Fs) (Store, error) {
	s, err := openFormat(fsys, func(b []byte) (c Change, n int) {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return c, 0
		}
		key, value, set := strings.Cut(string(b[:end]), "=")
		return Change{key, value, !set}, end + 1
	})
	return formatStore{s, func(c Change) []byte {
		if c.Delete {
			return []byte(c.Key + "\n")
		}
		return []byte(c.Key + "=" + c.Value + "\n")
	}}, err
}

// trustsTheSize has lengths and no checksum: what the file is long enough for was
// written. The size of a file is durable apart from what is in it.
func trustsTheSize(fsys afero.Fs) (Store, error) {
	s, err := openFormat(fsys, func(b []byte) (c Change, n int) {
		if len(b) < recordHeader {
			return c, 0
		}
		keyEnd := recordHeader + int(le.Uint16(b[4:]))
		if n = keyEnd + int(le.Uint32(b[6:])); n > len(b) {
			return c, 0
		}
		return Change{string(b[recordHeader:keyEnd]), string(b[keyEnd:n]), b[10] == kindDelete}, n
	})
	return formatStore{s, func(c Change) []byte { return record(c, 0) }}, err
}

// checksOnlyTheValue has a checksum, of the value: it is the value that matters.
// The checksum of no bytes is zero, so that eleven zeros are a good record, of
// the key "".
func checksOnlyTheValue(fsys afero.Fs) (Store, error) {
	s, err := openFormat(fsys, func(b []byte) (c Change, n int) {
		if len(b) < recordHeader {
			return c, 0
		}
		keyEnd := recordHeader + int(le.Uint16(b[4:]))
		n = keyEnd + int(le.Uint32(b[6:]))
		if n > len(b) || le.Uint32(b) != crc32.ChecksumIEEE(b[keyEnd:n]) {
			return c, 0
		}
		return Change{string(b[recordHeader:keyEnd]), string(b[keyEnd:n]), b[10] == kindDelete}, n
	})
	return formatStore{s, func(c Change) []byte {
		b := record(c, 0)
		le.PutUint32(b, crc32.ChecksumIEEE([]byte(c.Value)))
		return b
	}}, err
}

// endsWithAMark writes a mark behind each record, and believes that a record
// whose mark is there is there. Sectors reach the disk in any order.
func endsWithAMark(fsys afero.Fs) (Store, error) {
	const mark = "END\n"
	s, err := openFormat(fsys, func(b []byte) (c Change, n int) {
		if len(b) < recordHeader {
			return c, 0
		}
		keyEnd := recordHeader + int(le.Uint16(b[4:]))
		n = keyEnd + int(le.Uint32(b[6:]))
		if n+len(mark) > len(b) || string(b[n:n+len(mark)]) != mark {
			return c, 0
		}
		return Change{string(b[recordHeader:keyEnd]), string(b[keyEnd:n]), b[10] == kindDelete}, n + len(mark)
	})
	return formatStore{s, func(c Change) []byte { return append(record(c, 0), mark...) }}, err
}
