package mutants

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const moduleRoot = "../.."

// A mutant that fits nothing any more, or does not compile, catches nothing.
func TestEveryMutantFitsTheEngineAndCompiles(t *testing.T) {
	c := newCompiler(t, filepath.Join(moduleRoot, EnginePackage))
	require.NoError(t, c.compile(c.importer(), "", nil), "the engine as it is")
	list := make(chan Mutant)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			imports := c.importer() // one for each worker: it is not safe for more
			for m := range list {
				mutated, err := m.Apply(c.sources[m.File])
				if err == nil {
					err = c.compile(imports, m.File, mutated)
				}
				if err != nil {
					t.Errorf("%s: %v", m.Name, err)
				}
			}
		})
	}
	for _, m := range Engine() {
		list <- m
	}
	close(list)
	workers.Wait()
}

func TestMutantsAreDescribed(t *testing.T) {
	names := map[string]bool{}
	for _, m := range Engine() {
		require.Regexp(t, regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`), m.Name)
		require.False(t, names[m.Name], "two mutants are called %s", m.Name)
		names[m.Name] = true
		require.NotEmpty(t, m.Rule, m.Name)
		require.NotContains(t, m.Rule, "\n", m.Name)
		require.NotEmpty(t, m.Group, m.Name)
	}
	require.Greater(t, len(names), 110)
}

// Every file that holds more than documentation, options and reports is mutated.
func TestEveryFileOfTheEngineIsMutated(t *testing.T) {
	spared := map[string]string{
		"doc.go": "documentation", "errors.go": "error values", "options.go": "settings", "stats.go": "figures",
		"batch.go": "the arguments of a call", "check_report.go": "the form of a report", "check_keys.go": "what Check counts",
		"check_survey.go": "the form of a report",
	}
	mutated := map[string]bool{}
	for _, m := range Engine() {
		mutated[m.File] = true
		require.NotContains(t, spared, m.File)
	}
	for file := range newCompiler(t, filepath.Join(moduleRoot, EnginePackage)).sources {
		if spared[file] == "" {
			require.True(t, mutated[file], "no mutant of %s", file)
		}
	}
}

// compiler type-checks a package with one file replaced. What it imports is
// compiled once, by the go command.
type compiler struct {
	fset    *token.FileSet
	path    string // of the package
	sources map[string][]byte
	parsed  map[string]*ast.File
	exports map[string]string // files with the export data of what is imported
}

func newCompiler(t *testing.T, dir string) *compiler {
	c := &compiler{fset: token.NewFileSet(), sources: map[string][]byte{}, parsed: map[string]*ast.File{}, exports: map[string]string{}}
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export,GoFiles", ".")
	list.Dir = dir
	out, err := list.Output()
	require.NoError(t, err)
	var last struct {
		ImportPath, Export string
		GoFiles            []string
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		if err := d.Decode(&last); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		c.exports[last.ImportPath] = last.Export
	}
	c.path = last.ImportPath // packages come after what they import
	for _, name := range last.GoFiles {
		c.sources[name], err = os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		c.parsed[name], err = parser.ParseFile(c.fset, name, c.sources[name], parser.SkipObjectResolution)
		require.NoError(t, err)
	}
	return c
}

// importer reads what the package imports, once.
func (c *compiler) importer() types.Importer {
	return importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(c.exports[path]) })
}

// compile type-checks the package with src in place of a file.
func (c *compiler) compile(imports types.Importer, file string, src []byte) error {
	var files []*ast.File
	for name, parsed := range c.parsed {
		if name != file {
			files = append(files, parsed)
			continue
		}
		parsed, err := parser.ParseFile(c.fset, name, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, parsed)
	}
	config := types.Config{Importer: imports}
	_, err := config.Check(c.path, c.fset, files, nil)
	return err
}

func TestMutantThatDoesNotFitIsRefused(t *testing.T) {
	src := []byte("package p\n\nfunc f() { g(); g() }\nfunc g() {}\n")
	for name, m := range map[string]Mutant{
		"0 times":         {Old: "h()", New: ""},
		"3 times":         {Old: "g()", New: ""},
		"changes nothing": {Old: "func f", New: "func f"},
		"expected":        {Old: "func f() {", New: "func f() {{"},
	} {
		_, err := m.Apply(src)
		require.ErrorIs(t, err, errStale)
		require.ErrorContains(t, err, name)
	}
}
