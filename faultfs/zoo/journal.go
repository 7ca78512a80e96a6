package zoo

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/afero"
)

const journalName = "/journal"

// journaled writes its file in place. Before that it puts the old content into a
// journal, from which a crash is undone; a journal that does not read is one
// that was not needed yet.
type journaled struct {
	contents
	fs          afero.Fs
	syncJournal bool // before the file is touched
	syncRemoval bool // of the journal, before ok
	syncFound   bool // the journal that recovery undoes with
}

// journalByTheBook makes the journal durable, then the file, then the removal of
// the journal, each with the name that it has. Recovery makes the journal that it
// finds durable before it touches the file. It costs six syncs, and is right where
// the space that a file gets shows no old bytes: else an old journal, whole, may
// stand where the new one was not written yet.
func journalByTheBook(fsys afero.Fs) (Store, error) {
	return openJournaled(&journaled{fs: fsys, syncJournal: true, syncRemoval: true, syncFound: true})
}

// journalWithoutSync believes that what is written first is there first. The
// half-written file may be on the disk, and the journal that undoes it not.
func journalWithoutSync(fsys afero.Fs) (Store, error) {
	return openJournaled(&journaled{fs: fsys, syncRemoval: true, syncFound: true})
}

// journalLeftBehind says ok once the file is durable: the journal is only
// rubbish now. But the name of rubbish may come back, and undoes what was
// acknowledged.
func journalLeftBehind(fsys afero.Fs) (Store, error) {
	return openJournaled(&journaled{fs: fsys, syncJournal: true, syncFound: true})
}

// journalFound undoes with a journal that it can read, and believes that what can
// be read is there. A process that was killed has left it in the cache; recovery
// writes the file, and the power cut finds half a file and no journal.
func journalFound(fsys afero.Fs) (Store, error) {
	return openJournaled(&journaled{fs: fsys, syncJournal: true, syncRemoval: true})
}

func openJournaled(s *journaled) (Store, error) {
	fsys := s.fs
	if err := syncDir(fsys, "/"); err != nil { // of a journal that a killed process removed
		return nil, err
	}
	old, err := readJSON(fsys, journalName)
	switch {
	case err == nil && old["undo"] != "":
		delete(old, "undo")
		if s.syncFound {
			err = syncFile(fsys, journalName)
		}
		err = errors.Join(err, writeJSON(fsys, dbFile, old, true), syncDir(fsys, "/"))
		if err != nil {
			return nil, err
		}
		fallthrough
	case err != nil:
		if err := errors.Join(fsys.Remove(journalName), syncDir(fsys, "/")); err != nil {
			return nil, err
		}
	}
	s.contents, err = readJSON(fsys, dbFile)
	return s, err
}

func (s *journaled) Write(c Change) error {
	undo := s.with(Change{Key: "undo", Value: "yes"})
	if err := writeJSON(s.fs, journalName, undo, s.syncJournal); err != nil {
		return err
	}
	if s.syncJournal {
		if err := syncDir(s.fs, "/"); err != nil {
			return err
		}
	}
	next := s.with(c)
	if err := errors.Join(writeJSON(s.fs, dbFile, next, true), syncDir(s.fs, "/")); err != nil {
		return err
	}
	if err := s.fs.Remove(journalName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.syncRemoval {
		if err := syncDir(s.fs, "/"); err != nil {
			return err
		}
	}
	s.contents = next
	return nil
}

func (s *journaled) Close() error { return nil }

func syncFile(fsys afero.Fs, name string) error {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
