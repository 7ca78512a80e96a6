package faultfstest_test

import (
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/faultfs/faultfstest"
)

func onDisk(t *testing.T) (afero.Fs, string) { return afero.NewOsFs(), t.TempDir() }

func inMemory(t *testing.T) (afero.Fs, string) {
	fsys := afero.NewMemMapFs()
	require.NoError(t, fsys.MkdirAll("/root", 0o755))
	return fsys, "/root"
}

type newFS func(t *testing.T) (afero.Fs, string)

// over returns what new returns, wrapped.
func (base newFS) over(wrap func(afero.Fs) afero.Fs) newFS {
	return func(t *testing.T) (afero.Fs, string) {
		fsys, root := base(t)
		return wrap(fsys), root
	}
}

func rules(base afero.Fs) afero.Fs { return faultfs.New(base) }

// crashable is a volatile layer that knows its base.
type crashable struct {
	*faultfs.Volatile
	base afero.Fs
}

func volatile(base afero.Fs) afero.Fs {
	return crashable{faultfs.NewVolatile(base, faultfs.VolatileOptions{}), base}
}

func reopen(crashed afero.Fs) afero.Fs { return volatile(crashed.(crashable).base) }

func TestRealDisk(t *testing.T)          { faultfstest.Test(t, onDisk) }
func TestRulesOverRealDisk(t *testing.T) { faultfstest.Test(t, newFS(onDisk).over(rules)) }
func TestVolatileOverRealDisk(t *testing.T) {
	faultfstest.Test(t, newFS(onDisk).over(volatile), faultfstest.Reopen(reopen))
}
func TestVolatileOverMemory(t *testing.T) {
	faultfstest.Test(t, newFS(inMemory).over(volatile), faultfstest.Reopen(reopen))
}
func TestRulesOverVolatile(t *testing.T) {
	faultfstest.Test(t, newFS(inMemory).over(volatile).over(rules))
}

func remembering(*testing.T) (afero.Fs, string) { return faultfs.NewDisk(), "/" }

func afterCrash(crashed afero.Fs) afero.Fs { return crashed.(*faultfs.Disk).After() }

func TestDisk(t *testing.T) {
	faultfstest.Test(t, remembering, faultfstest.Reopen(afterCrash))
}
func TestRulesOverDisk(t *testing.T) { faultfstest.Test(t, newFS(remembering).over(rules)) }

// What afero's own file system in memory does otherwise.
var memoryDiffers = map[string]string{
	"read past the end":             "beyond the end it says io.ErrUnexpectedEOF",
	"short read":                    "ReadAt that meets the end reports no io.EOF",
	"negative offset":               "it panics",
	"positional write":              "WriteAt moves the cursor",
	"seek":                          "the cursor may go before the beginning",
	"open modes":                    "a file opened for writing only can be read",
	"closed":                        "Stat and Sync of a closed file, and a second Close, succeed",
	"create in a missing directory": "the directory is made as well",
	"create in a file":              "a file has files under it",
	"open a directory":              "a directory can be opened for writing",
	"rename over a full directory":  "the directory is replaced",
	"rename into itself":            "the directory is moved into itself",
	"rename kinds":                  "files and directories replace each other",
	"remove a full directory":       "the directory is removed, and its files stay reachable",
}

func TestMemory(t *testing.T) {
	faultfstest.Test(t, inMemory, faultfstest.Differences(memoryDiffers))
}
