package faultfs

import (
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// The table of inodes holds what is open or owes an error, and nothing else: a
// long campaign opens files without end.
func TestTheTableForgetsWhatIsClosedAndOwesNothing(t *testing.T) {
	base := afero.NewMemMapFs()
	require.NoError(t, base.Mkdir("/d", 0o755))
	fsys := New(base, MustParse("sync * #1 EIO late; syncdir * #1 EIO late")...)
	f, err := fsys.Create("/d/f")
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, fsys.SyncDir("/d"))
	require.NoError(t, f.Close())
	require.Len(t, fsys.inodes, 2, "both owe an error")

	require.ErrorIs(t, fsys.SyncDir("/d"), syscall.EIO)
	require.Len(t, fsys.inodes, 1)
	f, err = fsys.Open("/d/f")
	require.NoError(t, err)
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	require.NoError(t, f.Close())
	require.Empty(t, fsys.inodes)
}
