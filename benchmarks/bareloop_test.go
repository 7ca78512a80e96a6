package benchmarks

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// gateFs holds every data sync of its files until it is let through.
type gateFs struct {
	afero.Fs
	entered chan struct{} // receives when a sync has begun
	let     chan struct{} // lets one sync through
}

func newGateFs() *gateFs {
	return &gateFs{Fs: afero.NewMemMapFs(), entered: make(chan struct{}), let: make(chan struct{})}
}

func (g *gateFs) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := g.Fs.OpenFile(name, flag, perm)
	return &gateFile{f, g}, err
}

type gateFile struct {
	afero.File
	gate *gateFs
}

func (f *gateFile) SyncData() error {
	f.gate.entered <- struct{}{}
	<-f.gate.let
	return nil
}

func newBare(t *testing.T, fsys afero.Fs, size int64) *BareLoop {
	t.Helper()
	l, err := NewBareLoop(fsys, "/bare", size)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func TestBareLoopReturnsOnlyOnceTheSyncHas(t *testing.T) {
	fsys := newGateFs()
	l := newBare(t, fsys, 100)
	returned := make(chan error, 1)
	go func() { returned <- l.Set([]byte("key"), []byte("value")) }()
	<-fsys.entered
	require.Empty(t, returned)
	content, err := afero.ReadFile(fsys.Fs, "/bare")
	require.NoError(t, err)
	require.Equal(t, "keyvalue", string(content[:8]), "it is written before it is synced")
	require.Len(t, content, 100, "the file is preallocated")
	fsys.let <- struct{}{}
	require.NoError(t, <-returned)
}

func TestBareLoopGathersThoseWhoWaitIntoOneWriteAndOneSync(t *testing.T) {
	const waiting = 20
	gate := newGateFs()
	counted := faultfs.New(gate)
	writes := counted.Inject(faultfs.MustParse("write * count")[0])
	l := newBare(t, counted, 1000)

	var wg sync.WaitGroup
	set := func(value string) { wg.Go(func() { assert.NoError(t, l.Set([]byte("k"), []byte(value))) }) }
	set("first")
	<-gate.entered
	for i := range waiting {
		set(fmt.Sprintf("%02d", i))
	}
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.gathering.callers == waiting
	}, 10*time.Second, time.Millisecond)
	gate.let <- struct{}{}
	<-gate.entered
	gate.let <- struct{}{} // a third sync would hang here, and the test with it
	wg.Wait()
	require.Equal(t, 2, writes.Calls())
}

func TestBareLoopWritesEveryRecordOnce(t *testing.T) {
	const callers, each = 16, 100
	fsys := afero.NewOsFs()
	name := t.TempDir() + "/bare"
	l, err := NewBareLoop(fsys, name, callers*each*4)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				assert.NoError(t, l.Set([]byte{byte('a' + c)}, []byte(fmt.Sprintf("%03d", i))))
			}
		})
	}
	wg.Wait()
	require.NoError(t, l.Close())

	content, err := os.ReadFile(name)
	require.NoError(t, err)
	var found []string
	for record := range slices.Chunk(content, 4) {
		found = append(found, string(record))
	}
	for c := range callers {
		mine := slices.DeleteFunc(slices.Clone(found), func(r string) bool { return r[0] != byte('a'+c) })
		require.Len(t, mine, each)
		require.True(t, slices.IsSorted(mine), "a caller's records are in its order")
	}
}

func TestBareLoopStartsAgainAtTheEndOfItsFile(t *testing.T) {
	fsys := afero.NewMemMapFs()
	l := newBare(t, fsys, 8)
	for _, record := range []string{"abc", "def", "ghi"} {
		require.NoError(t, l.Set([]byte(record[:1]), []byte(record[1:])))
	}
	content, err := afero.ReadFile(fsys, "/bare")
	require.NoError(t, err)
	require.Equal(t, "ghidef\x00\x00", string(content))
	require.ErrorIs(t, l.Set(make([]byte, 4), make([]byte, 5)), errFull)
}

func TestBareLoopGoesNoFurtherAfterAnError(t *testing.T) {
	for _, rule := range []string{"sync * #2 EIO", "write * #1 EIO"} { // the first sync is of the new file
		fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(rule)...)
		l := newBare(t, fsys, 100)
		require.ErrorIs(t, l.Set([]byte("k"), []byte("v")), syscall.EIO)
		after := fsys.Inject(faultfs.MustParse("write|sync * #100 EIO")[0])
		require.ErrorIs(t, l.Set([]byte("k"), []byte("v")), syscall.EIO, "of the same error as the first")
		require.Zero(t, after.Calls())
		require.Len(t, fsys.Fired().Firings, 1)
	}
}

func TestNewBareLoopFails(t *testing.T) {
	for rule, message := range map[string]string{
		"create * EIO":      "creating the file",
		"preallocate * EIO": "preallocating 100 bytes",
		"sync * EIO":        "preallocating 100 bytes",
	} {
		fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse(rule)...)
		_, err := NewBareLoop(fsys, "/bare", 100)
		require.ErrorContains(t, err, message)
		require.ErrorIs(t, err, syscall.EIO)
	}
	fsys := afero.NewMemMapFs()
	require.NoError(t, afero.WriteFile(fsys, "/bare", nil, 0o644))
	_, err := NewBareLoop(fsys, "/bare", 100)
	require.ErrorIs(t, err, os.ErrExist)

	l, err := NewBareLoop(faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("close * EIO")...), "/bare", 100)
	require.NoError(t, err)
	err = l.Close()
	require.ErrorIs(t, err, syscall.EIO)
	require.True(t, strings.HasPrefix(err.Error(), "closing"))
}
