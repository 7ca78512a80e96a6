package vfs

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/spf13/afero"
)

// TryLock locks f, the file called name on fsys, for one owner and returns the
// function that gives the lock back; closing f gives it back as well. It does
// not wait: when somebody else is the owner the error is ErrLocked.
//
// The fallback is a table in this process: it keeps out a second owner in the
// same process, for the same fsys value and name, and nobody else. A file
// system in memory needs no more than that.
func TryLock(fsys afero.Fs, f afero.File, name string) (unlock func(), err error) {
	if l, ok := f.(Locker); ok {
		return func() {}, l.TryLock()
	}
	if osf := osFile(f); osf != nil {
		return func() {}, lockOS(osf)
	}
	return lockInProcess(fsys, name)
}

type lockKey struct {
	fsys afero.Fs
	name string
}

var inProcess = struct {
	sync.Mutex
	held map[lockKey]bool
}{held: map[lockKey]bool{}}

func lockInProcess(fsys afero.Fs, name string) (unlock func(), err error) {
	if !reflect.TypeOf(fsys).Comparable() {
		return nil, fmt.Errorf("a %T can be told from no other, so %s on it cannot be locked", fsys, name)
	}
	key := lockKey{fsys, name}
	inProcess.Lock()
	defer inProcess.Unlock()
	if inProcess.held[key] {
		return nil, ErrLocked
	}
	inProcess.held[key] = true
	return sync.OnceFunc(func() {
		inProcess.Lock()
		defer inProcess.Unlock()
		delete(inProcess.held, key)
	}), nil
}
