package zoo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table in docs/TESTING.md is what the verdicts say.
func TestTableInTheDocsIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/TESTING.md")
	require.NoError(t, err)
	if !strings.Contains(string(page), Table()) {
		t.Fatalf("docs/TESTING.md lacks this table:\n\n%s", Table())
	}
}

// Every species has a name of its own, and the function that opens it has a
// comment that tells its story.
func TestEverySpeciesHasItsStory(t *testing.T) {
	comments := functionComments(t)
	names := map[string]bool{}
	for _, s := range All() {
		assert.False(t, names[s.Name], "%s is there twice", s.Name)
		names[s.Name] = true
		assert.NotEmpty(t, s.Belief, s.Name)
		function := runtime.FuncForPC(reflect.ValueOf(s.Open).Pointer()).Name()
		function = function[strings.LastIndex(function, ".")+1:]
		assert.True(t, strings.HasPrefix(comments[function], function+" "), "%s has no comment", function)
	}
	assert.GreaterOrEqual(t, len(names), 14)
}

// functionComments returns the comments of the functions of this package.
func functionComments(t *testing.T) map[string]string {
	t.Helper()
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	comments := map[string]string{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				comments[fn.Name.Name] = fn.Doc.Text()
			}
		}
	}
	return comments
}
