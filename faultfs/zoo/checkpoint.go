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
	fs       afero.Fs
	number   int  // of the newest checkpoint
	numbered bool // records belong to the log after one checkpoint
	writes   int  // since the checkpoint
	reset    func(s *checkpointed) error
}

// checkpointEvery is so small that plans of three words have one.
const checkpointEvery = 2

// checkpointRight makes the checkpoint durable, name and all, before it empties
// the log, and puts the number of the checkpoint into the checksums of the
// records that follow. It is right.
func checkpointRight(fsys afero.Fs) (Store, error) {
	return openCheckpointed(fsys, true, func(s *checkpointed) error {
		return errors.Join(syncDir(fsys, "/"), s.f.Truncate(0), s.f.Sync())
	})
}

// checkpointAnonymous has records that fit into every log. The space that the
// log has given back it gets again, and a record whose bytes were not written yet
// is an old one, as good as any.
func checkpointAnonymous(fsys afero.Fs) (Store, error) {
	return openCheckpointed(fsys, false, func(s *checkpointed) error {
		return errors.Join(syncDir(fsys, "/"), s.f.Truncate(0), s.f.Sync())
	})
}

// checkpointTooEager believes that a file which is synced is there. Its log may
// be empty before the checkpoint has its name.
func checkpointTooEager(fsys afero.Fs) (Store, error) {
	return openCheckpointed(fsys, true, func(s *checkpointed) error {
		return errors.Join(s.f.Truncate(0), s.f.Sync(), syncDir(fsys, "/"))
	})
}

// logUsedAgain writes over the old log instead of emptying it, which saves the
// changes of the size. Behind the newest record there is an old one, as good as
// any, and recovery makes that change again. A kill is enough.
func logUsedAgain(fsys afero.Fs) (Store, error) {
	return openCheckpointed(fsys, false, func(*checkpointed) error { return syncDir(fsys, "/") })
}

func openCheckpointed(fsys afero.Fs, numbered bool, reset func(*checkpointed) error) (Store, error) {
	s := &checkpointed{fs: fsys, numbered: numbered, reset: reset}
	all, seed, err := s.readCheckpoints()
	if err != nil {
		return nil, err
	}
	if s.logStore, err = openLogRight(fsys, all, seed); err != nil {
		return nil, err
	}
	s.put = s.appendAndSync
	return s, nil
}

// readCheckpoints returns the newest checkpoint that is whole, and makes it
// durable before the log is cut that it stands for.
func (s *checkpointed) readCheckpoints() (all contents, seed uint32, err error) {
	all = contents{}
	for {
		name := s.name(s.number + 1)
		b, err := afero.ReadFile(s.fs, name)
		if errors.Is(err, fs.ErrNotExist) {
			return all, seed, syncDir(s.fs, "/")
		}
		if err != nil {
			return nil, 0, err
		}
		s.number++
		newer := contents{}
		if len(b) > 4 && crc32.ChecksumIEEE(b[4:]) == le.Uint32(b) && json.Unmarshal(b[4:], &newer) == nil {
			if err := syncFile(s.fs, name); err != nil {
				return nil, 0, err
			}
			all, seed = newer, s.newSeed()
		}
	}
}

func (s *checkpointed) newSeed() uint32 {
	if !s.numbered {
		return 0
	}
	return uint32(s.number)
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
	s.end, s.seed = 0, s.newSeed()
	return s.reset(s)
}
