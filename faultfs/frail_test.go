package faultfs_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// frail is a base that can be told of failed syncs and can lose its power. It
// only notes that it was told, with what reached it in between.
type frail struct {
	afero.Fs
	err error // what FailSync, FailSyncDir and Crash return

	mu   sync.Mutex
	told []string
}

func newFrail() *frail { return &frail{Fs: afero.NewMemMapFs()} }

func (b *frail) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, fmt.Sprintf(format, args...))
}

// heard returns what the base was told since it was asked last.
func (b *frail) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	told := b.told
	b.told = nil
	return told
}

func (b *frail) FailSyncDir(dir string, p vfs.Personality) error {
	b.note("fail syncdir %s %s", dir, p)
	return b.err
}

func (b *frail) SyncDir(dir string) error { b.note("syncdir %s", dir); return nil }

func (b *frail) Crash(seed uint64, keep string) (vfs.Lost, error) {
	b.note("crash %d %q", seed, keep)
	return vfs.Lost{Bytes: 7, Entries: 2}, b.err
}

func (b *frail) Create(name string) (afero.File, error) { return b.wrap(b.Fs.Create(name)) }
func (b *frail) Open(name string) (afero.File, error)   { return b.wrap(b.Fs.Open(name)) }
func (b *frail) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	return b.wrap(b.Fs.OpenFile(name, flag, perm))
}

func (b *frail) wrap(f afero.File, err error) (afero.File, error) {
	if err != nil {
		return nil, err
	}
	return &frailFile{f, b}, nil
}

type frailFile struct {
	afero.File
	base *frail
}

func (f *frailFile) FailSync(p vfs.Personality) error {
	f.base.note("fail sync %s %s", f.Name(), p)
	return f.base.err
}

func (f *frailFile) Sync() error  { f.base.note("sync %s", f.Name()); return nil }
func (f *frailFile) Close() error { f.base.note("close %s", f.Name()); return f.File.Close() }

func TestCheckKnowsWhatTheBaseCannotDo(t *testing.T) {
	plain := faultfs.New(afero.NewMemMapFs())
	for text, because := range map[string]string{
		"sync * crash":            "cannot lose its power",
		"sync * EIO clean":        `cannot fail in the way "clean"`,
		"syncdir * EIO reverted":  `cannot fail in the way "reverted"`,
		"sync|syncdir * EIO late": "",
		"sync * EIO aborted":      "",
		"sync * EIO":              "",
	} {
		rule := faultfs.MustParse(text)[0]
		require.NoError(t, faultfs.New(newFrail()).Check(rule), text)
		if because == "" {
			require.NoError(t, plain.Check(rule), text)
			continue
		}
		require.ErrorContains(t, plain.Check(rule), because)
		require.Panics(t, func() { plain.Inject(rule) })
		require.Panics(t, func() { faultfs.New(afero.NewMemMapFs(), rule) })
	}
	require.ErrorContains(t, plain.Check(faultfs.Rule{Op: "sync"}), "does nothing")
}

var errBelow = errors.New("the base is broken")
