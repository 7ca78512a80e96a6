package faultfs

import (
	"fmt"
	"io"
	"math"
	"os"

	"github.com/spf13/afero"
)

// quota is the state of an injection whose rule has a Quota; guarded by fs.mu.
type quota struct {
	limit int64 // bytes that may be allocated, counted from the injection
	used  int64 // bytes allocated since; negative once more was given back
}

func newQuota(r Rule) quota {
	if r.Quota == Full {
		return quota{}
	}
	return quota{limit: r.Quota}
}

func (q quota) room() int64 {
	if q.used < 0 && q.limit > math.MaxInt64+q.used {
		return math.MaxInt64 // an endless quota to which something was given back
	}
	return max(0, q.limit-q.used)
}

// SetQuota changes how many bytes may be allocated, counted from the injection
// of the rule as before. Raising it is how a full disk gets space again. It
// panics when the rule is no quota.
func (i *Injection) SetQuota(limitBytes int64) {
	if i.rule.Quota == 0 {
		panic(fmt.Sprintf("faultfs: rule %q is no quota", i.rule))
	}
	i.fs.mu.Lock()
	defer i.fs.mu.Unlock()
	i.quota.limit = limitBytes
}

// enterSpace begins a call that may change how much is allocated, and leave
// ends it. Only while a quota is in force do such calls wait for each other.
func (fs *FS) enterSpace() (limited bool, leave func()) {
	fs.mu.Lock()
	for _, inj := range fs.active {
		limited = limited || inj.rule.Quota != 0
	}
	fs.mu.Unlock()
	if !limited {
		return false, func() {}
	}
	fs.space.Lock()
	return true, fs.space.Unlock
}

// admit counts a call that wants to allocate need bytes with every quota, and
// returns how many of them there is room for. When that is fewer, the tightest
// quota has fired and err is what the call fails with.
func (fs *FS) admit(op Op, name string, need int64) (granted int64, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var tightest *Injection
	for _, inj := range fs.active {
		if inj.rule.Quota == 0 {
			continue
		}
		inj.calls++
		if tightest == nil || inj.quota.room() < tightest.quota.room() {
			tightest = inj
		}
	}
	if tightest == nil || need <= tightest.quota.room() {
		return need, nil
	}
	tightest.fire(op, name)
	return tightest.quota.room(), injectedError(op, name, tightest.rule.errno())
}

// charge books n allocated bytes, or gives back -n.
func (fs *FS) charge(n int64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, inj := range fs.active {
		inj.quota.used += n
	}
}

// writeCharged writes what there is room for. The offset is asked for with the
// size of the file. What is charged is what the file was seen to grow by, so
// that the books stay right when the write below fails or falls short.
func (f *file) writeCharged(p []byte, offset func(size int64) (int64, error), below func([]byte) (int, error)) (int, error) {
	limited, leave := f.fs.enterSpace()
	defer leave()
	size, off, err := f.extent(limited, offset)
	if !limited || err != nil {
		return below(p) // with an error it is the file below that reports it
	}
	need := int64(0)
	if len(p) > 0 {
		need = max(0, off+int64(len(p))-size)
	}
	granted, full := f.fs.admit(OpWrite, f.name, need)
	fit := p[:max(0, int64(len(p))-(need-granted))]
	if full != nil && len(fit) == 0 {
		return 0, full
	}
	n, err := below(fit)
	f.fs.charge(f.size() - size)
	if err == nil {
		err = full
	}
	return n, err
}

// extent returns the size of the file and where the next write starts.
func (f *file) extent(limited bool, offset func(size int64) (int64, error)) (size, off int64, err error) {
	if !limited {
		return 0, 0, nil
	}
	info, err := f.File.Stat()
	if err != nil {
		return 0, 0, err
	}
	off, err = offset(info.Size())
	return info.Size(), off, err
}

// position is the offset of a Write to a file of the given size.
func (f *file) position(size int64) (int64, error) {
	if f.appends() {
		return size, nil
	}
	return f.cursor(size)
}

// cursor is the offset of a Read.
func (f *file) cursor(int64) (int64, error) { return f.File.Seek(0, io.SeekCurrent) }

// size returns the size of the file below, or 0 when it cannot be told.
func (f *file) size() int64 {
	info, err := f.File.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// resize makes one call that sets the size of the file, all or nothing.
func (f *file) resize(op Op, size int64, below func() error) error {
	limited, leave := f.fs.enterSpace()
	defer leave()
	if !limited {
		return below()
	}
	before := f.size()
	if _, full := f.fs.admit(op, f.name, max(0, size-before)); full != nil {
		return full
	}
	err := below()
	f.fs.charge(f.size() - before)
	return err
}

// makeEntry makes one call that puts a name into a directory. A name costs
// nothing, but there must be something left.
func (fs *FS) makeEntry(op Op, name string, below func() error) error {
	limited, leave := fs.enterSpace()
	defer leave()
	if limited && !fs.exists(name) {
		if _, full := fs.admit(op, name, 1); full != nil {
			return full
		}
	}
	return below()
}

func (fs *FS) exists(name string) bool {
	_, err := fs.base.Stat(name)
	return err == nil
}

// openCharged opens a file below; it may create it, and it may cut it.
func (fs *FS) openCharged(op Op, name string, flag int, below func() (afero.File, error)) (*file, error) {
	limited, leave := fs.enterSpace()
	defer leave()
	changes := limited && flag&(os.O_CREATE|os.O_TRUNC) != 0
	var before int64
	if changes {
		info, err := fs.base.Stat(name)
		if err == nil {
			before = info.Size()
		} else if _, full := fs.admit(op, name, 1); full != nil {
			return nil, full
		}
	}
	opened, err := below()
	if err != nil {
		return nil, err
	}
	f := newFile(fs, opened, name, flag, fs.retain(name))
	if changes {
		fs.charge(f.size() - before)
	}
	return f, nil
}
