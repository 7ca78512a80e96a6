package zoo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/afero"
)

// The stores of this file write all they hold into one file with every change.

const (
	dbFile   = "/db.json"
	tempFile = "/db.json.tmp"
)

// readJSON returns what the file called name holds, nothing if it is not there.
func readJSON(fsys afero.Fs, name string) (contents, error) {
	b, err := afero.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return contents{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := contents{}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s, %d bytes: %w", name, len(b), err)
	}
	return all, nil
}

// writeJSON makes a file, or empties the one that is there, and writes it.
func writeJSON(fsys afero.Fs, name string, all contents, sync bool) error {
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// wholeFile is a store that rewrites its file by save.
type wholeFile struct {
	contents
	save func(all contents) error
}

func (s *wholeFile) Write(c Change) error {
	next := s.with(c)
	if err := s.save(next); err != nil {
		return err
	}
	s.contents = next
	return nil
}

func (s *wholeFile) Close() error { return nil }

// rewrittenInPlace believes that a file which is synced after every change holds
// the old content or the new. But it is emptied first: a crash before the sync
// finds it empty, or in part.
func rewrittenInPlace(fsys afero.Fs) (Store, error) {
	all, err := readJSON(fsys, dbFile)
	if err != nil {
		return nil, err
	}
	return &wholeFile{all, func(all contents) error {
		return errors.Join(writeJSON(fsys, dbFile, all, true), syncDir(fsys, "/"))
	}}, nil
}

// emptyWhenDamaged is the same, and believes that it is better to begin anew
// than not to begin. So the crash that left half a file takes everything, and
// nobody hears of it.
func emptyWhenDamaged(fsys afero.Fs) (Store, error) {
	all, err := readJSON(fsys, dbFile)
	if err != nil {
		all = contents{}
	}
	return &wholeFile{all, func(all contents) error {
		return errors.Join(writeJSON(fsys, dbFile, all, true), syncDir(fsys, "/"))
	}}, nil
}

// renameOnly believes that rename is atomic, and so needs nothing else. Atomic it
// is, for programs that run. It is durable some seconds later, and so is the content.
func renameOnly(fsys afero.Fs) (Store, error) {
	all, err := readJSON(fsys, dbFile)
	if err != nil {
		return nil, err
	}
	return &wholeFile{all, func(all contents) error {
		if err := writeJSON(fsys, tempFile, all, false); err != nil {
			return err
		}
		return fsys.Rename(tempFile, dbFile)
	}}, nil
}

// renameWithoutDirSync syncs the content before the rename, as most advice has
// it. Whoever opens it finds the old content or the new one, whole; but "ok" was
// said before the rename was durable.
func renameWithoutDirSync(fsys afero.Fs) (Store, error) {
	all, err := readJSON(fsys, dbFile)
	if err != nil {
		return nil, err
	}
	return &wholeFile{all, func(all contents) error {
		if err := writeJSON(fsys, tempFile, all, true); err != nil {
			return err
		}
		return fsys.Rename(tempFile, dbFile)
	}}, nil
}

// renameWithoutFileSync syncs the directory, and believes that this covers what
// is in it. The name is durable then, and the content is not.
func renameWithoutFileSync(fsys afero.Fs) (Store, error) {
	all, err := readJSON(fsys, dbFile)
	if err != nil {
		return nil, err
	}
	return &wholeFile{all, func(all contents) error {
		if err := writeJSON(fsys, tempFile, all, false); err != nil {
			return err
		}
		return errors.Join(fsys.Rename(tempFile, dbFile), syncDir(fsys, "/"))
	}}, nil
}

// renameByTheBook does all that the book says: temporary file, sync, rename, sync
// of the directory, and the last once more when it opens, for what a killed
// process left. It is right wherever a rename is one step of a journal. POSIX
// does not say so: where the old name may go before the new one is there, a
// crash finds neither.
func renameByTheBook(fsys afero.Fs) (Store, error) {
	if err := syncDir(fsys, "/"); err != nil {
		return nil, err
	}
	all, err := readJSON(fsys, dbFile)
	if err != nil {
		return nil, err
	}
	return &wholeFile{all, func(all contents) error {
		if err := writeJSON(fsys, tempFile, all, true); err != nil {
			return err
		}
		return errors.Join(fsys.Rename(tempFile, dbFile), syncDir(fsys, "/"))
	}}, nil
}

// keepsABackup renames the file to a backup, writes a new one, and believes that
// one of the two is always good. But it looks at the backup only when the file
// is not there, and not when it is there and damaged.
func keepsABackup(fsys afero.Fs) (Store, error) {
	const backup = "/db.json.bak"
	from := dbFile
	if ok, err := afero.Exists(fsys, dbFile); err != nil {
		return nil, err
	} else if !ok {
		from = backup
	}
	all, err := readJSON(fsys, from)
	if err != nil {
		return nil, err
	}
	return &wholeFile{all, func(all contents) error {
		err := fsys.Rename(dbFile, backup)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return errors.Join(writeJSON(fsys, dbFile, all, true), syncDir(fsys, "/"))
	}}, nil
}
