package zoo

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"

	"github.com/spf13/afero"
)

// numbered is a store in whose directory each change makes a new file, called by
// a number, of a checksum and all that the store holds.
type numbered struct {
	contents
	fs     afero.Fs
	number int // of the newest file
	sync   func() error
}

// numberedFiles never renames and never writes to a file twice. A file is synced,
// then the directory, and only then the one before goes. The newest that is whole
// counts. It is right.
func numberedFiles(fsys afero.Fs) (Store, error) { return openNumbered(fsys, true) }

// numberedTooEager does the same, and removes the old file before the new name is
// durable. A disk that is quicker with the one than with the other has neither.
func numberedTooEager(fsys afero.Fs) (Store, error) { return openNumbered(fsys, false) }

func openNumbered(fsys afero.Fs, dirSyncFirst bool) (Store, error) {
	s := &numbered{contents: contents{}, fs: fsys, sync: func() error { return nil }}
	if dirSyncFirst {
		s.sync = func() error { return syncDir(fsys, "/") }
	}
	infos, err := afero.ReadDir(fsys, "/")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(infos, func(a, b os.FileInfo) int { return cmp.Compare(b.Name(), a.Name()) })
	for _, info := range infos {
		if s.number == 0 {
			_, _ = fmt.Sscanf(info.Name(), "%d", &s.number) // no number: not one of ours
		}
		if all, ok := s.read("/" + info.Name()); ok {
			s.contents = all
			return s, s.save(all) // what a killed process left may be nowhere but in the cache
		}
	}
	return s, nil
}

func (s *numbered) read(name string) (contents, bool) {
	b, err := afero.ReadFile(s.fs, name)
	if err != nil || len(b) < 4 || crc32.ChecksumIEEE(b[4:]) != le.Uint32(b) {
		return nil, false
	}
	all := contents{}
	return all, json.Unmarshal(b[4:], &all) == nil
}

func (s *numbered) Write(c Change) error {
	next := s.with(c)
	if err := s.save(next); err != nil {
		return err
	}
	s.contents = next
	return nil
}

func (s *numbered) save(all contents) error {
	b, err := json.Marshal(all)
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
	if err := s.sync(); err != nil {
		return err
	}
	if err := s.fs.Remove(s.name(s.number - 1)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return syncDir(s.fs, "/")
}

func (s *numbered) name(number int) string { return fmt.Sprintf("/%08d", number) }

func (s *numbered) Close() error { return nil }
