package faultfstest_test

import (
	"strings"
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

func TestMemory(t *testing.T) {
	faultfstest.Test(t, inMemory, faultfstest.Differences(faultfstest.MemMapFsDifferences()))
}

// The names of cases may be copied from the output of go test.
func TestDifferencesTakeNamesAsPrinted(t *testing.T) {
	list := map[string]string{}
	for name, instead := range faultfstest.MemMapFsDifferences() {
		list[strings.ReplaceAll(name, " ", "_")] = instead
	}
	faultfstest.Test(t, inMemory, faultfstest.Differences(list))
}
