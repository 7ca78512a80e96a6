package kv

import (
	"os"
	"time"

	"github.com/spf13/afero"
)

// readOnlyFs lets nothing through that could change a file. What asks for a
// file to read and write gets it to read; what asks for it to be created is
// refused.
type readOnlyFs struct{ base afero.Fs }

func (f readOnlyFs) Open(name string) (afero.File, error)      { return f.base.Open(name) }
func (f readOnlyFs) Stat(name string) (os.FileInfo, error)     { return f.base.Stat(name) }
func (f readOnlyFs) Name() string                              { return "read only " + f.base.Name() }
func (f readOnlyFs) Create(name string) (afero.File, error)    { return nil, refused("create", name) }
func (f readOnlyFs) Mkdir(name string, _ os.FileMode) error    { return refused("mkdir", name) }
func (f readOnlyFs) MkdirAll(name string, _ os.FileMode) error { return refused("mkdir", name) }
func (f readOnlyFs) Remove(name string) error                  { return refused("remove", name) }
func (f readOnlyFs) RemoveAll(name string) error               { return refused("remove", name) }
func (f readOnlyFs) Rename(name, _ string) error               { return refused("rename", name) }
func (f readOnlyFs) Chmod(name string, _ os.FileMode) error    { return refused("chmod", name) }
func (f readOnlyFs) Chown(name string, _, _ int) error         { return refused("chown", name) }
func (f readOnlyFs) Chtimes(name string, _, _ time.Time) error { return refused("chtimes", name) }

func (f readOnlyFs) OpenFile(name string, flag int, _ os.FileMode) (afero.File, error) {
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		return nil, refused("create", name)
	}
	return f.base.Open(name)
}

func refused(op, name string) error {
	return &os.PathError{Op: op, Path: name, Err: os.ErrPermission}
}
