package litmus

import (
	"fmt"
	"strings"

	"github.com/spf13/afero"
)

// Program is a handful of calls.
type Program struct {
	Name  string // says what it does, and what it leaves out
	Setup []Step // makes what is there, and durable, before the first step
	Steps []Step
}

// Prepare does the setup in the root of fsys. Making it durable is the caller's.
func (p Program) Prepare(fsys afero.Fs) error {
	for i, s := range p.Setup {
		if err := s.Do(fsys, i); err != nil {
			return fmt.Errorf("setup of %q: %w", p.Name, err)
		}
	}
	return nil
}

// Run does the first n steps in the root of fsys, and calls after with the number
// of steps done so far: 0 before the first, and then after each.
func (p Program) Run(fsys afero.Fs, n int, after func(done int) error) error {
	for i := 0; ; i++ {
		if err := after(i); err != nil {
			return fmt.Errorf("%q after %d steps: %w", p.Name, i, err)
		}
		if i == n {
			return nil
		}
		if err := p.Steps[i].Do(fsys, len(p.Setup)+i); err != nil {
			return fmt.Errorf("%q: %w", p.Name, err)
		}
	}
}

// Programs returns all of them. Each is small enough for all its legal states to
// be listed.
func Programs() []Program {
	list := make([]Program, len(sources))
	for i, src := range sources {
		list[i] = Program{src.name, mustParse(src.setup), mustParse(src.steps)}
	}
	return list
}

// mustParse reads steps, with semicolons between them, of the list below.
func mustParse(text string) []Step {
	var steps []Step
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		s, err := ParseStep(part)
		if err != nil {
			panic(err) // a constant of this file, which a test goes through
		}
		steps = append(steps, s)
	}
	return steps
}

var sources = []struct{ name, setup, steps string }{
	// Data of one file.
	{"append", "create f; write f 0+512", "write f 512+512"},
	{"append, sync, append", "create f; write f 0+512", "write f 512+700; sync f; write f 1212+512"},
	{"append, data sync, append", "create f; write f 0+512", "write f 512+700; datasync f; write f 1212+512"},
	{"append small pieces", "create f", "write f 0+100; write f 100+100; write f 200+400"},
	{"append over pages", "create f; write f 0+1000", "write f 1000+4000; write f 5000+4000"},
	{"overwrite one sector", "create f; write f 0+8192", "write f 512+512"},
	{"overwrite two sectors", "create f; write f 0+8192", "write f 3584+1024"},
	{"overwrite pages out of order", "create f; write f 0+16384",
		"write f 0+4096; write f 8192+4096; writeback f 8192+4096; write f 4096+4096"},
	{"overwrite, sync, overwrite", "create f; write f 0+4096", "write f 0+512; datasync f; write f 0+512; write f 2048+512"},
	{"sparse write", "create f", "write f 20480+512; writeback f 20480+512; write f 8192+512"},
	{"shrink and append", "create f; write f 0+6000", "truncate f 100; write f 100+900; sync f; write f 1000+500"},
	{"rewrite in place", "create f; write f 0+1500", "truncate f 0; write f 0+1100; sync f"},
	{"lengthen and write", "create f; write f 0+600", "truncate f 8192; write f 4096+512; sync f"},
	{"preallocate and write", "create f", "preallocate f 16384; write f 0+512; sync f; write f 512+512; write f 4096+1024; datasync f"},
	{"write into reserved space", "create f; preallocate f 16384", "write f 8192+512; writeback f 8192+512; write f 0+512; datasync f"},

	// Names.
	{"create", "", "create f; write f 0+600"},
	{"create, sync the file", "", "create f; write f 0+600; sync f"},
	{"create, sync the directory", "", "create f; write f 0+600; syncdir ."},
	{"create, sync both", "", "create f; write f 0+600; sync f; syncdir ."},
	{"create in a new directory", "", "mkdir d; create d/f; write d/f 0+512; sync d/f; syncdir d; syncdir ."},
	{"chain of directories", "", "mkdir a; mkdir a/b; create a/b/f; sync a/b/f; mkdir a/b/c; syncdir a/b"},
	{"rename", "create a; write a 0+600", "rename a b; syncdir ."},
	{"rename a new file", "", "create tmp; write tmp 0+600; rename tmp f; sync f"},
	{"replace", "create f; write f 0+600", "create tmp; write tmp 0+1300; rename tmp f"},
	{"replace, sync the file", "create f; write f 0+600", "create tmp; write tmp 0+1300; sync tmp; rename tmp f"},
	{"replace, sync both", "create f; write f 0+600", "create tmp; write tmp 0+1300; sync tmp; rename tmp f; syncdir ."},
	{"replace twice", "create f; write f 0+600", "create a; write a 0+512; rename a f; create a; write a 0+700; rename a f"},
	{"rename to another directory, there first", "mkdir a; mkdir b; create a/f; write a/f 0+600", "rename a/f b/f; syncdir b; syncdir a"},
	{"rename to another directory, here first", "mkdir a; mkdir b; create a/f; write a/f 0+600", "rename a/f b/f; syncdir a; syncdir b"},
	{"rename a directory", "mkdir d; create d/f; write d/f 0+600", "rename d e; create e/g; sync e/g; syncdir e"},
	{"swap two names", "create a; write a 0+512; create b; write b 0+700", "rename a t; rename b a; rename t b; syncdir ."},
	{"rotate", "create log; write log 0+512; create log.1; write log.1 0+700",
		"rename log.1 log.2; rename log log.1; create log; write log 0+512; sync log"},
	{"write, rename, write", "", "create a; write a 0+512; rename a b; write b 512+512; sync b"},
	{"remove", "create f; write f 0+600", "remove f; syncdir ."},
	{"remove and create", "create f; write f 0+600", "remove f; create f; write f 0+700; sync f"},
	{"remove one, create another", "create a; write a 0+4096", "remove a; create b; write b 0+4096; sync b"},
	{"a file in the place of a directory", "mkdir d; create d/f; write d/f 0+600", "remove d/f; remove d; create d; write d 0+512; sync d"},

	// Order between files.
	{"the second file vouches for the first", "create a; create b", "write a 0+1024; write b 0+512; sync b; sync a"},
	{"log ahead of data", "create log; create data; write data 0+4096",
		"write log 0+512; datasync log; write data 0+512; write log 512+512; datasync log; sync data"},
	{"new segment, then remove the old", "create 1.seg; write 1.seg 0+1024",
		"create 2.seg; write 2.seg 0+1024; sync 2.seg; remove 1.seg; syncdir ."},
}
