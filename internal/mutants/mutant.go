package mutants

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
)

// Mutant is one bug that can be planted: an edit of one file.
type Mutant struct {
	Name  string // in lower case, with hyphens; unique
	Group string // the kind of mistake, for the report
	File  string // in the directory of the package
	Old   string // occurs exactly once in File
	New   string // stands there instead
	Rule  string // what the mutant breaks, in one line

	// Equivalent says why nobody could notice; empty for every mutant that a
	// check has to catch.
	Equivalent string
}

// errStale is returned for a mutant that does not fit the source any more.
var errStale = errors.New("the mutant does not fit the source")

// Apply returns src, the content of m.File, with the bug planted. The result
// parses, if src does; whether it compiles is not known.
func (m *Mutant) Apply(src []byte) ([]byte, error) {
	if n := bytes.Count(src, []byte(m.Old)); n != 1 {
		return nil, fmt.Errorf("%w: %s: the text to replace occurs %d times in %s, want once", errStale, m.Name, n, m.File)
	}
	mutated := bytes.Replace(src, []byte(m.Old), []byte(m.New), 1)
	if bytes.Equal(mutated, src) {
		return nil, fmt.Errorf("%w: %s changes nothing", errStale, m.Name)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), m.File, mutated, parser.SkipObjectResolution); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errStale, m.Name, err)
	}
	return mutated, nil
}

// Control is the source as it is. Every check has to pass on it.
var Control = Mutant{Name: "control", Rule: "nothing is changed"}

// isControl reports whether m is the unchanged source.
func (m *Mutant) isControl() bool { return m.File == "" }
