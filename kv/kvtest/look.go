package kvtest

import (
	"errors"
	"fmt"
	"strings"

	"holdfast/internal/vfs"
	"holdfast/kv"
)

// open opens the store and notes all that is there, or why it was refused.
func (l *life) open() {
	db, err := kv.Open(l.fsys, dir, &l.opts)
	if err != nil {
		l.db = nil
		l.end(Refused{err.Error()})
		return
	}
	l.db = db
	seen, wrong := l.look()
	if wrong != "" {
		l.end(Broken{wrong})
		return
	}
	l.note(seen)
	if err := vfs.SyncDir(l.fsys, outside); err != nil {
		l.end(Broken{fmt.Sprintf("syncing the root failed: %q", err.Error())})
	}
}

// outside is a directory of which nothing is pending. Syncing it makes a crash
// point between what an Open has shown and the first call of the next write.
const outside = "/"

// look returns everything that an open store and its directory show, or what
// contradicts itself in it.
func (l *life) look() (seen Opened, wrong string) {
	report := l.db.Stats().Recovery
	seen = Opened{Created: report.Created, Records: report.Records, Keys: report.Keys, Segments: report.Segments}
	for _, note := range report.Notes {
		if strings.HasSuffix(note, "it was left alone") {
			seen.LeftAlone++
		}
	}
	if seen.Pairs, wrong = l.scan(); wrong != "" {
		return seen, wrong
	}
	if wrong = l.holdAgainstGet(seen.Pairs); wrong != "" {
		return seen, wrong
	}
	wrong = l.sizes(&seen)
	return seen, wrong
}

// scan returns all pairs in the order in which a scan has them.
func (l *life) scan() (pairs []Pair, wrong string) {
	last := ""
	for p, err := range l.db.Scan(kv.ScanOptions{}) {
		if err != nil {
			return nil, fmt.Sprintf("scanning failed: %q", err.Error())
		}
		key := string(p.Key)
		if key <= last {
			return nil, fmt.Sprintf("a scan returns key %q after key %q", key, last)
		}
		last = key
		pairs = append(pairs, Pair{key, ValueOf(p.Value)})
	}
	return pairs, ""
}

// holdAgainstGet reads every key that there may be, and says what a scan has
// seen otherwise.
func (l *life) holdAgainstGet(pairs []Pair) (wrong string) {
	for _, key := range keys {
		var scanned *Value
		for i := range pairs {
			if pairs[i].Key == key {
				scanned = &pairs[i].Value
			}
		}
		value, err := l.db.Get([]byte(key))
		switch {
		case errors.Is(err, kv.ErrNotFound) && scanned == nil:
		case errors.Is(err, kv.ErrNotFound):
			return fmt.Sprintf("a scan returns key %q, and Get does not find it", key)
		case err != nil:
			return fmt.Sprintf("reading key %q failed: %q", key, err.Error())
		case scanned == nil:
			return fmt.Sprintf("Get finds key %q, and a scan does not return it", key)
		case *scanned != ValueOf(value):
			return fmt.Sprintf("Get and a scan return different values of key %q", key)
		}
	}
	return ""
}

// sizes counts the files of the store.
func (l *life) sizes(seen *Opened) (wrong string) {
	d, err := l.fsys.Open(dir)
	if err != nil {
		return fmt.Sprintf("opening the directory failed: %q", err.Error())
	}
	defer d.Close()
	infos, err := d.Readdir(-1)
	if err != nil {
		return fmt.Sprintf("listing the directory failed: %q", err.Error())
	}
	for _, info := range infos {
		seen.Files++
		seen.FilesBytes += info.Size()
	}
	return ""
}
