package zoo

import (
	"errors"
	"os"

	"github.com/spf13/afero"
)

// The logs of this file have good records and open as they should. They differ
// in when they sync, and in what they make of a sync that fails.

// logClosesInstead believes that a file which is closed is on the disk. Closing
// hands nothing to the disk.
func logClosesInstead(fsys afero.Fs) (Store, error) {
	s, err := openLogRight(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	s.put = func(b []byte) (err error) {
		if err := errors.Join(s.append(b), s.f.Close()); err != nil {
			return err
		}
		s.f, err = fsys.OpenFile(logName, os.O_RDWR, 0o644)
		return err
	}
	return s, nil
}

// logSyncsBehind says ok after the write and syncs "in the background", here with the
// next write. What was acknowledged last is not durable.
func logSyncsBehind(fsys afero.Fs) (Store, error) {
	s, err := openLogRight(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	s.put = func(b []byte) error {
		if err := s.f.Sync(); err != nil { // of the write before
			return err
		}
		return s.append(b)
	}
	return s, nil
}

// logIgnoresSyncErrors syncs, and does not look at what that returns: what should
// one do about it?
func logIgnoresSyncErrors(fsys afero.Fs) (Store, error) {
	s, err := openLogRight(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	s.put = func(b []byte) error {
		err := s.append(b)
		_ = s.f.Sync()
		return err
	}
	return s, nil
}

// logRetriesSync tries a failed sync again until it works. The second time it
// works at once: the first has told the error, and the kernel has marked the
// pages clean. Nothing is left to write, and nothing was written.
func logRetriesSync(fsys afero.Fs) (Store, error) {
	s, err := openLogRight(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	s.put = func(b []byte) error {
		if err := s.append(b); err != nil {
			return err
		}
		err := s.f.Sync()
		for try := 0; err != nil && try < 3; try++ {
			err = s.f.Sync()
		}
		return err
	}
	return s, nil
}

// logWritesOn returns the error of a failed sync, forgets it, and takes the next
// write, which goes behind the one that failed. On the disk there is a hole in
// front of it, and recovery stops there.
func logWritesOn(fsys afero.Fs) (Store, error) {
	s, err := openLogRight(fsys, contents{}, 0)
	if err != nil {
		return nil, err
	}
	s.put = s.appendAndSync
	return s, nil
}
