package zoo

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/spf13/afero"
)

// checkpointed is a log, and from time to time a file with all that the store
// holds, after which the log begins again. Such a file is a checksum and the
// content; it is called by a number and stays.
type checkpointed struct {
	*logStore
	fs     afero.Fs
	number int // of the newest checkpoint
	writes int // since it
	reset  func(s *checkpointed) error
}

// checkpointEvery is so small that plans of three words have one.
const checkpointEvery = 2

// checkpointRight makes the checkpoint durable, name and all, before it empties
// the log. A crash between the two finds both, and making the same changes again,
// in the same order, does no harm. It is right.
func checkpointRight(fsys afero.Fs) (Store, error) {
	return openCheckpointed(fsys, func(s *checkpointed) error {
		s.end = 0
		return errors.Join(syncDir(fsys, "/"), s.f.Truncate(0), s.f.Sync())
	})
}

// checkpointTooEager believes that a file which is synced is there. Its log may
// be empty before the checkpoint has its name.
func checkpointTooEager(fsys afero.Fs) (Store, error) {
	return openCheckpointed(fsys, func(s *checkpointed) error {
		s.end = 0
		return errors.Join(s.f.Truncate(0), s.f.Sync(), syncDir(fsys, "/"))
	})
}

// logUsedAgain writes over the old log instead of emptying it, which saves the
// changes of the size. Behind the newest record there is an old one, as good as
// any, and recovery makes that change again. A kill is enough; the records would
// need numbers.
func logUsedAgain(fsys afero.Fs) (Store, error) {
	return openCheckpointed(fsys, func(s *checkpointed) error {
		s.end = 0
		return syncDir(fsys, "/")
	})
}

func openCheckpointed(fsys afero.Fs, reset func(*checkpointed) error) (Store, error) {
	log, err := openLogRight(fsys)
	if err != nil {
		return nil, err
	}
	s := &checkpointed{logStore: log, fs: fsys, reset: reset}
	s.put = s.appendAndSync
	if err := s.readCheckpoints(); err != nil {
		return nil, errors.Join(err, log.f.Close())
	}
	return s, nil
}

// readCheckpoints makes the changes of the log on top of the newest checkpoint
// that is whole.
func (s *checkpointed) readCheckpoints() error {
	for {
		b, err := afero.ReadFile(s.fs, s.name(s.number+1))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		s.number++
		all := contents{}
		if len(b) > 4 && crc32.ChecksumIEEE(b[4:]) == le.Uint32(b) && json.Unmarshal(b[4:], &all) == nil {
			s.contents = all
		}
	}
	log, err := afero.ReadFile(s.fs, logName)
	s.replay(log)
	return err
}

func (s *checkpointed) name(number int) string { return fmt.Sprintf("/checkpoint%d", number) }

func (s *checkpointed) Write(c Change) error {
	if err := s.logStore.Write(c); err != nil {
		return err
	}
	if s.writes++; s.writes < checkpointEvery {
		return nil
	}
	s.writes = 0
	b, err := json.Marshal(s.contents)
	if err != nil {
		return err
	}
	s.number++
	f, err := s.fs.Create(s.name(s.number))
	if err != nil {
		return err
	}
	_, err = f.Write(append(le.AppendUint32(nil, crc32.ChecksumIEEE(b)), b...))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return s.reset(s)
}
