package zoo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/afero"
)

// headerBytes is where the records begin: the header has a sector for itself.
const headerBytes = 512

// headerLog has good records, and a header that says how long the log is.
type headerLog struct {
	*logStore
	between bool // the records are durable before the header counts them
}

// lengthInHeader writes the record, then the new length into the header, and
// syncs once: the header comes last, so that the record is there when it counts.
// But one sync has no inside, and the header may be the first to get there.
func lengthInHeader(fsys afero.Fs) (Store, error) { return openHeaderLog(fsys, false) }

// lengthInHeaderTwoSyncs syncs the record before it writes the header. It is right
// as long as eight bytes of one sector are all written or not at all.
func lengthInHeaderTwoSyncs(fsys afero.Fs) (Store, error) { return openHeaderLog(fsys, true) }

func openHeaderLog(fsys afero.Fs, between bool) (Store, error) {
	f, err := fsys.OpenFile(logName, os.O_RDWR, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = newHeaderLog(fsys)
	}
	if err != nil {
		return nil, err
	}
	s := headerLog{&logStore{contents: contents{}, f: f}, between}
	if err := s.load(fsys); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// newHeaderLog makes a log that is empty, under another name until that is durable.
func newHeaderLog(fsys afero.Fs) (afero.File, error) {
	const temp = logName + ".new"
	f, err := fsys.Create(temp)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(make([]byte, headerBytes))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := fsys.Rename(temp, logName); err != nil {
		return nil, err
	}
	return fsys.OpenFile(logName, os.O_RDWR, 0o644)
}

func (s headerLog) load(fsys afero.Fs) error {
	b, err := afero.ReadFile(fsys, logName)
	if err != nil {
		return err
	}
	if err := errors.Join(s.f.Sync(), syncDir(fsys, "/")); err != nil {
		return err
	}
	length := int64(le.Uint64(b))
	if have := int64(len(b)) - headerBytes; length < 0 || length > have {
		return fmt.Errorf("the header says %d bytes, and there are %d", length, have)
	}
	log := b[headerBytes : headerBytes+length]
	if end := s.replay(log, 0); end < length {
		return fmt.Errorf("the record at %d is damaged", end)
	}
	s.end = headerBytes + length
	return nil
}

func (s headerLog) Write(c Change) error {
	if err := s.append(record(c, 0)); err != nil {
		return err
	}
	if s.between {
		if err := s.f.Sync(); err != nil {
			return err
		}
	}
	if _, err := s.f.WriteAt(le.AppendUint64(nil, uint64(s.end-headerBytes)), 0); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil {
		return err
	}
	s.apply(c)
	return nil
}
