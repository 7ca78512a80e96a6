package zoo

import (
	"errors"
	"os"

	"github.com/spf13/afero"
)

const logName = "/log"

// logStore is a log of records in one file. The stores that have one differ in
// how they open it, and in put.
type logStore struct {
	contents
	f    afero.File
	end  int64  // where the next record goes
	seed uint32 // of the checksums of records
	put  func(record []byte) error
}

func (s *logStore) Write(c Change) error {
	if err := s.put(record(c, s.seed)); err != nil {
		return err
	}
	s.apply(c)
	return nil
}

func (s *logStore) Close() error { return s.f.Close() }

// openLog opens the log, or makes it, and makes its changes on top of all. size is
// that of the file, of which end may be short.
func openLog(fsys afero.Fs, all contents, seed uint32) (s *logStore, size int64, err error) {
	f, err := fsys.OpenFile(logName, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, 0, err
	}
	b, err := afero.ReadFile(fsys, logName)
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	s = &logStore{contents: all, f: f, seed: seed}
	s.end = s.replay(b, seed)
	return s, int64(len(b)), nil
}

// openLogRight opens a log as it has to be: the torn tail is cut, and the cut, the
// records that were found, and the name are made durable, before anybody reads and before
// anything is appended.
func openLogRight(fsys afero.Fs, all contents, seed uint32) (*logStore, error) {
	s, size, err := openLog(fsys, all, seed)
	if err != nil {
		return nil, err
	}
	if s.end < size {
		err = s.f.Truncate(s.end)
	}
	if err := errors.Join(err, s.f.Sync(), syncDir(fsys, "/")); err != nil {
		return nil, errors.Join(err, s.f.Close())
	}
	return s, nil
}

// append writes a record behind the last one.
func (s *logStore) append(b []byte) error {
	if _, err := s.f.WriteAt(b, s.end); err != nil {
		return err
	}
	s.end += int64(len(b))
	return nil
}

var errBroken = errors.New("a sync has failed, and the log takes no more writes")

// rightLog appends, syncs, and says ok. After a sync that fails it takes no more
// writes, because what that sync should have made durable never will be. It is
// right as long as no sync fails. If one does, what it left in the cache is found
// when the store is opened again, synced once more in vain, and shown.
func rightLog(fsys afero.Fs) (Store, error) {
	s, err := openLogRight(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	broken := false
	s.put = func(b []byte) error {
		if broken {
			return errBroken
		}
		err := s.append(b)
		if err == nil {
			err = s.f.Sync()
		}
		broken = err != nil
		return err
	}
	return s, nil
}

// logTailNotCut stops reading at the torn record and leaves it there, as nobody
// reads it. It appends behind it, and nobody reads that either.
func logTailNotCut(fsys afero.Fs) (Store, error) {
	s, size, err := openLog(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.f.Sync(), syncDir(fsys, "/")); err != nil {
		return nil, errors.Join(err, s.f.Close())
	}
	s.end = size
	s.put = s.appendAndSync
	return s, nil
}

func (s *logStore) appendAndSync(b []byte) error {
	if err := s.append(b); err != nil {
		return err
	}
	return s.f.Sync()
}

// logWithoutDirSync believes that a file which is synced can be found again. Its
// name is in the directory, which was not synced.
func logWithoutDirSync(fsys afero.Fs) (Store, error) {
	s, size, err := openLog(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	if s.end < size {
		err = s.f.Truncate(s.end)
	}
	if err := errors.Join(err, s.f.Sync()); err != nil {
		return nil, errors.Join(err, s.f.Close())
	}
	s.put = s.appendAndSync
	return s, nil
}

// logServesTheCache cuts the tail and goes on: what it read was synced, or it was
// not acknowledged. But it shows it. When the process before was killed, that is
// in the cache only, and a power cut takes away what was read.
func logServesTheCache(fsys afero.Fs) (Store, error) {
	s, size, err := openLog(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	switch {
	case size == 0:
		err = errors.Join(s.f.Sync(), syncDir(fsys, "/"))
	case s.end < size:
		err = errors.Join(s.f.Truncate(s.end), s.f.Sync())
	}
	if err != nil {
		return nil, errors.Join(err, s.f.Close())
	}
	s.put = s.appendAndSync
	return s, nil
}
