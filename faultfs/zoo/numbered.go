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
// a number, of a checksum and all that the store holds. It never renames, and
// never writes to a file twice; the newest file that is whole counts.
type numbered struct {
	contents
	fs             afero.Fs
	number         int          // of the newest file
	identity       bool         // the checksum covers the number, too
	beforeRemoving func() error // called when the new file is synced
}

// numberedFiles syncs the file, then the directory, and only then removes the
// file before. The checksum covers the number. It is right.
func numberedFiles(fsys afero.Fs) (Store, error) {
	return openNumbered(&numbered{fs: fsys, identity: true, beforeRemoving: func() error { return syncDir(fsys, "/") }})
}

// numberedTooEager removes the old file before the new name is durable. A disk
// that is quicker with the one than with the other has neither.
func numberedTooEager(fsys afero.Fs) (Store, error) {
	return openNumbered(&numbered{fs: fsys, identity: true, beforeRemoving: func() error { return nil }})
}

// numberedAnonymous has a checksum of the content alone. A new file whose bytes
// were not written yet may show those of the file that had the space before: of
// an older number, and whole.
func numberedAnonymous(fsys afero.Fs) (Store, error) {
	return openNumbered(&numbered{fs: fsys, beforeRemoving: func() error { return syncDir(fsys, "/") }})
}

func openNumbered(s *numbered) (Store, error) {
	s.contents = contents{}
	infos, err := afero.ReadDir(s.fs, "/")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(infos, func(a, b os.FileInfo) int { return cmp.Compare(b.Name(), a.Name()) })
	for _, info := range infos {
		number := 0
		if _, err := fmt.Sscanf(info.Name(), "%d", &number); err != nil {
			continue // not one of ours
		}
		s.number = max(s.number, number)
		if all, ok := s.read(number); ok {
			s.contents = all
			return s, s.save(all) // what a killed process left may be nowhere but in the cache
		}
	}
	return s, nil
}

func (s *numbered) read(number int) (contents, bool) {
	b, err := afero.ReadFile(s.fs, s.name(number))
	if err != nil || len(b) < 4 || s.checksum(number, b[4:]) != le.Uint32(b) {
		return nil, false
	}
	all := contents{}
	return all, json.Unmarshal(b[4:], &all) == nil
}

func (s *numbered) checksum(number int, content []byte) uint32 {
	if !s.identity {
		number = 0
	}
	return crc32.Update(uint32(number), crc32.IEEETable, content)
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
	_, err = f.Write(append(le.AppendUint32(nil, s.checksum(s.number, b)), b...))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := s.beforeRemoving(); err != nil {
		return err
	}
	if err := s.fs.Remove(s.name(s.number - 1)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return syncDir(s.fs, "/")
}

func (s *numbered) name(number int) string { return fmt.Sprintf("/%08d", number) }

func (s *numbered) Close() error { return nil }
