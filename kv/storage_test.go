package kv

import (
	"io"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
)

// slowFile reads and writes at most three bytes at a time, and then says err.
type slowFile struct {
	afero.File
	content []byte
	err     error
	calls   int
}

func (f *slowFile) WriteAt(b []byte, offset int64) (int, error) {
	f.calls++
	return copy(f.content[offset:], b[:min(3, len(b))]), f.err
}

func (f *slowFile) ReadAt(b []byte, offset int64) (int, error) {
	f.calls++
	return copy(b[:min(3, len(b))], f.content[offset:]), f.err
}

// What was done in part is gone on with, whether the file says that it was
// interrupted or nothing at all.
func TestPartialCallsAreGoneOnWith(t *testing.T) {
	for _, said := range []error{nil, syscall.EINTR} {
		f := &slowFile{content: make([]byte, 12), err: said}
		require.NoError(t, writeAt(f, []byte("0123456789"), 2))
		require.Equal(t, "\x00\x000123456789", string(f.content))
		require.Equal(t, 4, f.calls)
		b := make([]byte, 10)
		n, err := readAt(f, b, 2)
		require.NoError(t, err)
		require.Equal(t, "0123456789", string(b[:n]))
		require.Equal(t, 8, f.calls)
	}
}

// Any other error ends a write; a read is begun anew.
func TestPartialCallsThatFailAreErrors(t *testing.T) {
	f := &slowFile{content: make([]byte, 12), err: syscall.EIO}
	require.ErrorIs(t, writeAt(f, make([]byte, 10), 0), syscall.EIO)
	require.Equal(t, 1, f.calls)
	n, err := readAt(f, make([]byte, 10), 0)
	require.ErrorIs(t, err, syscall.EIO)
	require.Equal(t, 3, n)
	require.Equal(t, 1+readAttempts, f.calls)
}

// stuckFile does nothing, and says nothing.
type stuckFile struct{ afero.File }

func (stuckFile) ReadAt([]byte, int64) (int, error)  { return 0, nil }
func (stuckFile) WriteAt([]byte, int64) (int, error) { return 0, nil }

func TestCallsWithoutProgressAreErrors(t *testing.T) {
	_, err := readAt(stuckFile{}, make([]byte, 5), 0)
	require.ErrorIs(t, err, io.ErrNoProgress)
	require.ErrorIs(t, writeAt(stuckFile{}, make([]byte, 5), 0), io.ErrShortWrite)
}
