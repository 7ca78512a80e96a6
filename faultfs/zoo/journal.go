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
}

// journalByTheBook makes the journal durable, then the file, then the removal of
// the journal, each with the name that it has. It is right, and costs six syncs.
func journalByTheBook(fsys afero.Fs) (Store, error) { return openJournaled(fsys, true, true) }

// journalWithoutSync believes that what is written first is there first. The
// half-written file may be on the disk, and the journal that undoes it not.
func journalWithoutSync(fsys afero.Fs) (Store, error) { return openJournaled(fsys, false, true) }

// journalLeftBehind says ok once the file is durable: the journal is only
// rubbish now. But the name of rubbish may come back, and undoes what was
// acknowledged.
func journalLeftBehind(fsys afero.Fs) (Store, error) { return openJournaled(fsys, true, false) }

func openJournaled(fsys afero.Fs, syncJournal, syncRemoval bool) (Store, error) {
	s := &journaled{fs: fsys, syncJournal: syncJournal, syncRemoval: syncRemoval}
	if err := syncDir(fsys, "/"); err != nil { // of a journal that a killed process removed
		return nil, err
	}
	old, err := readJSON(fsys, journalName)
	switch {
	case err == nil && old["undo"] != "":
		delete(old, "undo")
		// The journal of a killed process may be in the cache only.
		err = errors.Join(syncFile(fsys, journalName), writeJSON(fsys, dbFile, old, true), syncDir(fsys, "/"))
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
