package kv

import (
	"fmt"
	"maps"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// TestCheckErrorSweep fails every call that Check makes to its file system, one
// at a time and then with all that follow, until a run meets no fault. Check
// must say the same as without the fault, or return it; it must never take it
// for damage, call a damaged store clean, or change anything.
func TestCheckErrorSweep(t *testing.T) {
	for name, files := range checkWorlds(t) {
		t.Run(name, func(t *testing.T) {
			want, err := Check(newMatrixFs(files), dir, nil)
			require.NoError(t, err)
			for _, errno := range []syscall.Errno{syscall.EIO, syscall.EACCES, syscall.EMFILE} {
				for _, mode := range []string{"", "+"} {
					n := 1
					for checkWithFault(t, files, want, fmt.Sprintf("any * #%d%s %s", n, mode, errnoName(errno)), errno) {
						n++
					}
					require.Greater(t, n, 20, "calls")
				}
			}
		})
	}
}

func errnoName(errno syscall.Errno) string {
	return map[syscall.Errno]string{syscall.EIO: "EIO", syscall.EACCES: "EACCES", syscall.EMFILE: "EMFILE"}[errno]
}

// checkWorlds are stores that lead Check into all that it does.
func checkWorlds(t *testing.T) map[string]map[string][]byte {
	torn, killed := buildMatrixStore(t, 1, endTorn), buildMatrixStore(t, 1, endKilled)
	other := buildMatrixStore(t, 2, endClosed)
	orphans := maps.Clone(torn.files)
	orphans[segmentName(50)] = torn.files[segmentName(1)]
	orphans[segmentName(51)] = other.files[segmentName(1)]
	swapped := maps.Clone(killed.files)
	swapped[killed.newest], swapped[killed.active] = killed.files[killed.active], killed.files[killed.newest]
	foreign := maps.Clone(torn.files)
	foreign[storeFile] = other.files[storeFile]
	bare := maps.Clone(orphans)
	maps.DeleteFunc(bare, func(name string, _ []byte) bool { return filepath.Ext(name) != segmentSuffix })
	return map[string]map[string][]byte{
		"torn tail and orphans": orphans, "swapped manifest": swapped, "foreign STORE": foreign, "segments alone": bare,
	}
}

// checkWithFault reports whether the rule struck.
func checkWithFault(t *testing.T, files map[string][]byte, want *CheckReport, rule string, errno syscall.Errno) bool {
	t.Helper()
	base := newMatrixFs(files)
	fsys := faultfs.New(afero.Fs(base))
	injected := fsys.Inject(faultfs.MustParse(rule)[0])
	got, err := Check(fsys, dir, nil)
	require.Zero(t, base.changes, rule)
	if injected.Fired() == 0 {
		require.NoError(t, err)
		return false
	}
	if err != nil {
		require.ErrorIs(t, err, errno, rule)
		require.NotErrorIs(t, err, ErrNoStore, rule)
		require.NotErrorIs(t, err, ErrLocked, rule)
	}
	if got == nil {
		require.Error(t, err, rule)
		return true
	}
	switch {
	case err == nil:
		require.Equal(t, want.Verdict, got.Verdict, "%s: %s", rule, got.OpenError)
		require.Equal(t, want.DamagesTotal, got.DamagesTotal, rule)
		require.Equal(t, want.Keys, got.Keys, rule)
	case want.Verdict == VerdictDamaged:
		require.Contains(t, []Verdict{VerdictDamaged, VerdictFailed}, got.Verdict, rule)
	default:
		require.Equal(t, VerdictFailed, got.Verdict, rule)
	}
	return true
}
