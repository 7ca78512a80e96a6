package kv

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// scenario is a store that meets faults: what an earlier process left, options,
// and the faults that are there before the one that the sweep adds.
type scenario struct {
	name   string
	opts   Options
	world  world
	before string // rules under which an earlier process ran, and was killed
	doubt  bool   // that process was told "unknown"
	rules  string // in force before the fault of the sweep, from the first call on
	every  bool   // the short form fails every call, too
}

// world is a directory as an earlier process left it.
type world struct {
	files map[string][]byte
	holds contents
}

func (w world) fs(t testing.TB) afero.Fs {
	fsys := afero.NewMemMapFs()
	for name, content := range w.files {
		require.NoError(t, afero.WriteFile(fsys, name, content, 0o644))
	}
	return fsys
}

// sweepOptions rotate often, and try to end a fence at every write.
var sweepOptions = Options{SegmentBytes: 4 << 10, BoundEvery: time.Hour, resumeEvery: time.Nanosecond}

// scenarios lists what the sweep goes through. The ones with rules lead into
// the code that runs only once something has failed.
func scenarios(t testing.TB) []scenario {
	fenced := sweepOptions
	fenced.resumeEvery = time.Hour
	gathering := sweepOptions
	gathering.Sync = SyncEvery(time.Hour)
	all := []scenario{
		{name: "new", opts: sweepOptions, every: true},
		{name: "gathering", opts: gathering},
		{name: "closed", opts: sweepOptions, world: leave(t, 40, true)},
		{name: "killed", opts: sweepOptions, world: leave(t, 40, false)},
		{name: "torn", opts: sweepOptions, world: tornWorld(t)},
		{name: "interrupted creation", opts: sweepOptions, world: interruptedWorld(t)},
		{name: "torn at the start", opts: sweepOptions, world: tornStartWorld(t)},
		{name: "orphans", opts: sweepOptions, world: orphanWorld(t)},
	}
	for _, rules := range []string{
		"lock * #1 EIO", // before Open gets far
		"read *.seg #1+ heal=4 EIO",
		"write *.seg #6 tear=60 ENOSPC",
		"write *.seg #1 ENOSPC",
		"preallocate *.seg #2 ENOSPC",
		"sync *.seg #2 EIO",
		"sync *.seg #4 EIO reverted",
		"sync *.seg #4+ heal=2 EIO",
		"syncdir * #6 EIO",
		"write MANIFEST-* #3 tear=50 ENOSPC",
		"write MANIFEST-* #4 EIO",
		"sync MANIFEST-* #4 EIO",
		"sync * #9+ heal=5 EIO",
		"create MANIFEST-* #3+ heal=20 ENOSPC",
	} {
		for _, opts := range []Options{sweepOptions, fenced} {
			name := rules
			if opts.resumeEvery == fenced.resumeEvery {
				name += ", fenced for good"
			}
			all = append(all, scenario{name: name, opts: opts, rules: rules})
		}
	}
	all = append(all,
		scenario{name: "killed, and unreadable", opts: sweepOptions, world: leave(t, 40, false), rules: "read *.seg #4+ heal=3 EIO"},
		scenario{name: "closed, and unreadable", opts: sweepOptions, world: leave(t, 40, true), rules: "stat *.seg #1 EIO"},
		scenario{name: "killed, and full", opts: sweepOptions, world: leave(t, 40, false), rules: "create|preallocate * #2 ENOSPC"},
		// An earlier process was told of failed syncs; the system shows what they
		// did not write until the power goes.
		scenario{name: "after failed syncs", opts: sweepOptions, before: "sync *.seg #13 EIO; create * #9+ EIO", doubt: true},
		scenario{name: "after failed directory syncs", opts: sweepOptions, before: "syncdir * #8+ EIO"},
		scenario{name: "gathering, failing", opts: gathering, rules: "sync *.seg #2+ heal=3 EIO"},
	)
	return all
}

// leave returns what a process leaves that wrote n records, and closed the
// store or was killed.
func leave(t testing.TB, n int, closed bool) world {
	fsys := afero.NewMemMapFs()
	db := mustOpen(t, fsys, small)
	holds := load(t, db, n)
	if closed {
		require.NoError(t, db.Close())
	} else {
		abandon(db)
	}
	return worldOf(t, fsys, holds)
}

func worldOf(t testing.TB, fsys afero.Fs, holds contents) world {
	w := world{files: map[string][]byte{}, holds: holds}
	for _, name := range files(t, fsys, "*") {
		content, err := afero.ReadFile(fsys, name)
		require.NoError(t, err)
		w.files[name] = content
	}
	return w
}

// tornWorld has garbage behind the last record.
func tornWorld(t testing.TB) world {
	w := leave(t, 40, false)
	last := ""
	for name := range w.files {
		if strings.HasSuffix(name, segmentSuffix) {
			last = max(last, name)
		}
	}
	content := w.files[last]
	copy(content[len(strings.TrimRight(string(content), "\x00"))+100:], "garbage")
	return w
}

// tornStartWorld has a segment in which no record counts.
func tornStartWorld(t testing.TB) world {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("write *.seg #2 tear=60 EIO; create *.seg #2+ EIO; create MANIFEST-* #4+ EIO")...)
	db := mustOpen(t, fsys, small)
	require.ErrorIs(t, db.Set([]byte("torn"), bytes.Repeat([]byte("v"), 100)), ErrOutcomeUnknown)
	abandon(db)
	fsys.CheckFired(t)
	return worldOf(t, fsys, nil)
}

// interruptedWorld is what is left of a creation that did not get far.
func interruptedWorld(t testing.TB) world {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("create STORE EIO")...)
	_, err := Open(fsys, dir, small)
	require.Error(t, err)
	return worldOf(t, fsys, nil)
}

// orphanWorld has files that nothing needs: older manifests, an empty segment
// that no manifest lists, and a segment of another store.
func orphanWorld(t testing.TB) world {
	fsys := faultfs.New(afero.NewMemMapFs())
	db := mustOpen(t, fsys, small)
	holds := load(t, db, 30)
	for step, rule := range []string{"remove * EIO", "create MANIFEST-* #1 EMFILE"} {
		fsys.Inject(faultfs.MustParse(rule)[0])
		for i := range 60 {
			if key := fmt.Sprintf("more-%d-%d", step, i); db.Set([]byte(key), []byte(key)) == nil {
				holds[key] = key
			}
		}
	}
	abandon(db)
	fsys.CheckFired(t)
	w := worldOf(t, fsys, holds)
	other := leave(t, 40, true)
	w.files[filepath.Join(dir, segmentName(99))] = other.files[filepath.Join(dir, segmentName(1))]
	return w
}

// runStory does everything to a store that a caller can do, keeps what it was
// told, and holds every answer against that.
func runStory(db *DB, h *history) error {
	value := strings.Repeat("v", 300)
	for i := range 22 {
		key := fmt.Sprintf("key-%d", i%9)
		next := fmt.Sprintf("%d%s", i, value)
		switch {
		case i == 14:
			next += strings.Repeat(value, 20) // a record that no segment of the usual size holds
			h.told(db.Set([]byte(key), []byte(next)), map[string]string{key: next})
		case i%7 == 5:
			_, err := db.Delete([]byte(key))
			h.told(err, map[string]string{key: ""})
		case i%7 == 3:
			other := fmt.Sprintf("other-%d", i)
			h.told(db.Apply(batchOf(key, next, other, next)), map[string]string{key: next, other: next})
		default:
			h.told(db.Set([]byte(key), []byte(next)), map[string]string{key: next})
		}
		if i%6 == 4 {
			if err := db.Sync(); err == nil {
				h.synced()
			}
			if err := h.look(db); err != nil {
				return fmt.Errorf("after write %d: %w", i, err)
			}
		}
	}
	return h.scan(db)
}

// writeSome writes to a store that nothing is wrong with any more.
func writeSome(db *DB, h *history, tag string) {
	for i := range 3 {
		key, value := fmt.Sprintf("key-%d", i), fmt.Sprintf("%s-%d", tag, i)
		h.told(db.Set([]byte(key), []byte(value)), map[string]string{key: value})
	}
	if err := db.Sync(); err == nil {
		h.synced()
	}
}
