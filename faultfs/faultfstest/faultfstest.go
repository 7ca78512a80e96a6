// Package faultfstest checks that an afero file system does what POSIX and a
// store that promises durability need of it, in the manner of testing/fstest.
//
// Each case states its rule in one sentence and prints it when the rule is
// broken. What a file system is known to do otherwise is listed with
// [Differences]: the list stands in the test where it can be read, and a
// difference that no longer shows fails the test.
package faultfstest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// Case is one rule and how it is checked.
type Case struct {
	Name string
	Rule string // one sentence
	run  func(c *checker)
}

// Option is an option of Test.
type Option func(*options)

type options struct {
	differences map[string]string
	reopen      func(crashed afero.Fs) afero.Fs
}

// Differences lists the cases that the file system is known to fail: the name
// of the case, as in Cases or as go test prints it (with underscores), and what
// the file system does instead. Given more than once, the lists add up.
func Differences(list map[string]string) Option {
	return func(o *options) {
		for name, instead := range list {
			if o.differences == nil {
				o.differences = map[string]string{}
			}
			o.differences[spaced(name)] = instead
		}
	}
}

// spaced is the name of a case, from the form in which go test prints it.
func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

// Reopen adds the cases about a power cut, for a file system that is a
// [faultfs.Crasher]. reopen returns a new file system over what survived.
func Reopen(reopen func(crashed afero.Fs) afero.Fs) Option {
	return func(o *options) { o.reopen = reopen }
}

// Cases returns all cases, those about a power cut included.
func Cases() []Case { return slices.Concat(fileCases, nameCases, crashCases) }

// Test runs every case as a subtest. newFS is called once for each; it returns
// a file system and an empty directory on it that is durable.
func Test(t *testing.T, newFS func(t *testing.T) (fsys afero.Fs, root string), opts ...Option) {
	var o options
	for _, set := range opts {
		set(&o)
	}
	cases := slices.Concat(fileCases, nameCases)
	if o.reopen != nil {
		cases = append(cases, crashCases...)
	}
	for name := range o.differences {
		require.True(t, slices.ContainsFunc(cases, func(c Case) bool { return c.Name == name }),
			"%s", noSuchCase(name, cases))
	}
	if o.reopen != nil {
		fsys, _ := newFS(t)
		require.Empty(t, cannotCrash(fsys))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			fsys, root := newFS(t)
			instead, listed := o.differences[c.Name]
			if complaint := verdict(c, c.check(fsys, root, o.reopen), listed, instead); complaint != "" {
				t.Error(complaint)
			}
		})
	}
}

// cannotCrash says why the cases about a power cut cannot be run on fsys; "" when they can.
func cannotCrash(fsys afero.Fs) string {
	if _, ok := fsys.(faultfs.Crasher); ok {
		return ""
	}
	return fmt.Sprintf("Reopen is for a file system whose power can be cut: %T has no method Crash (see faultfs.Crasher)", fsys)
}

// noSuchCase says which names there are.
func noSuchCase(name string, cases []Case) string {
	var names []string
	for _, c := range cases {
		names = append(names, strconv.Quote(c.Name))
	}
	why := "is no case"
	if slices.ContainsFunc(crashCases, func(c Case) bool { return c.Name == name }) {
		why = "is a case about a power cut, which needs Reopen"
	}
	return fmt.Sprintf("a difference is listed for %q, which %s; the cases are %s", name, why, strings.Join(names, ", "))
}

// verdict says what is wrong with the outcome of a case; "" is nothing.
func verdict(c Case, failure string, listed bool, instead string) string {
	switch {
	case failure == "" && listed:
		return fmt.Sprintf("This file system is listed to differ (%s), but it keeps the rule: %s", instead, c.Rule)
	case failure != "" && !listed:
		return fmt.Sprintf("The rule is broken: %s\n%s", c.Rule, failure)
	}
	return ""
}

// checker is what a case gets. Its methods end the case when a call fails that
// must not.
type checker struct {
	fsys    afero.Fs
	root    string
	reopen  func(afero.Fs) afero.Fs
	files   []afero.File
	failure []string
}

// check runs one case and returns how it failed, or "".
func (c Case) check(fsys afero.Fs, root string, reopen func(afero.Fs) afero.Fs) string {
	k := &checker{fsys: fsys, root: root, reopen: reopen}
	done := make(chan struct{})
	go func() { // FailNow ends the goroutine
		defer close(done)
		defer k.end()
		c.run(k)
	}()
	<-done
	return strings.Join(k.failure, "\n")
}

// end closes what the case has left open, and turns a panic into a failure.
func (c *checker) end() {
	if p := recover(); p != nil {
		c.Errorf("the file system panicked: %v", p)
	}
	for _, f := range c.files {
		_ = f.Close() // some were closed by the case
	}
}

// Errorf makes the checker a require.TestingT.
func (c *checker) Errorf(format string, args ...any) {
	c.failure = append(c.failure, fmt.Sprintf(format, args...))
}

// FailNow makes the checker a require.TestingT.
func (c *checker) FailNow() { runtime.Goexit() }

// Helper makes testify print fewer of our own lines.
func (c *checker) Helper() {}

func (c *checker) path(names ...string) string {
	return filepath.Join(append([]string{c.root}, names...)...)
}

func (c *checker) open(name string, flag int) afero.File {
	f, err := c.fsys.OpenFile(c.path(name), flag, 0o644)
	require.NoError(c, err)
	c.files = append(c.files, f)
	return f
}

// file creates a file with this content and leaves it open, the cursor at its
// beginning.
func (c *checker) file(name, text string) afero.File {
	f := c.open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	_, err := f.WriteString(text)
	require.NoError(c, err)
	_, err = f.Seek(0, io.SeekStart)
	require.NoError(c, err)
	return f
}

func (c *checker) writeAt(f afero.File, text string, off int64) {
	n, err := f.WriteAt([]byte(text), off)
	require.NoError(c, err)
	require.Equal(c, len(text), n)
}

func (c *checker) mkdir(name string) { require.NoError(c, c.fsys.Mkdir(c.path(name), 0o755)) }

// read returns the content of a file by name.
func (c *checker) read(name string) string {
	b, err := afero.ReadFile(c.fsys, c.path(name))
	require.NoError(c, err)
	return string(b)
}

// has requires a file with this content.
func (c *checker) has(name, text string) { require.Equal(c, text, c.read(name)) }

// holds requires an open file to have this content.
func (c *checker) holds(f afero.File, text string) {
	require.EqualValues(c, len(text), c.size(f))
	b := make([]byte, len(text))
	n, err := f.ReadAt(b, 0)
	if n < len(text) { // some say io.EOF with the last byte
		require.NoError(c, err)
	}
	require.Equal(c, text, string(b[:n]))
}

// lacks requires that a name is not there.
func (c *checker) lacks(name string) {
	_, err := c.fsys.Stat(c.path(name))
	require.ErrorIs(c, err, os.ErrNotExist)
}

func (c *checker) size(f afero.File) int64 {
	info, err := f.Stat()
	require.NoError(c, err)
	return info.Size()
}

func (c *checker) syncDir(names ...string) {
	require.NoError(c, vfs.SyncDir(c.fsys, c.path(names...)))
}

// cut cuts the power, and goes on with what survived.
func (c *checker) cut() {
	_, err := c.fsys.(faultfs.Crasher).Crash(1, "")
	require.NoError(c, err)
	c.fsys = c.reopen(c.fsys)
}
