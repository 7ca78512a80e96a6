package faultfstest

import (
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// A file system that cannot crash is told so once, before any case.
func TestReopenNeedsAFileSystemThatCanCrash(t *testing.T) {
	require.Contains(t, cannotCrash(afero.NewMemMapFs()), "MemMapFs has no method Crash")
	require.Empty(t, cannotCrash(faultfs.NewVolatile(afero.NewMemMapFs(), faultfs.VolatileOptions{})))
}

func TestDifferencesThatAreNoCaseSayWhichThereAre(t *testing.T) {
	complaint := noSuchCase("shrot read", fileCases)
	require.Contains(t, complaint, `"shrot read", which is no case`)
	require.Contains(t, complaint, `"short read"`)
	require.Contains(t, noSuchCase("un-synced rename", fileCases), "needs Reopen")
}
