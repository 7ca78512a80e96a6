package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const repository = "../.."

var (
	testCommand  = regexp.MustCompile(`go test \./([a-z/]+) -run ('[^']+'|[A-Za-z]+)`)
	testName     = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`")
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// A command in the documentation that runs no test would say "ok" for nothing.
func TestTestsNamedInTheDocumentationExist(t *testing.T) {
	all := testsIn(t, ".")
	commands := 0
	for page, text := range pages(t) {
		for _, m := range testCommand.FindAllStringSubmatch(text, -1) {
			commands++
			tests := strings.Join(testsIn(t, m[1]), " ")
			pattern := strings.ReplaceAll(strings.Trim(m[2], "'"), `\|`, "|") // as a table has it
			for _, part := range strings.Split(pattern, "|") {
				require.Regexp(t, part, tests, "%s: %s", page, m[0])
			}
		}
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			require.Contains(t, all, m[1], page)
		}
	}
	require.Greater(t, commands, 10)
}

// pages are the README and the pages of docs, by name.
func pages(t *testing.T) map[string]string {
	names, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	texts := map[string]string{}
	for _, name := range append(names, filepath.Join(repository, "README.md")) {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		texts[filepath.Base(name)] = string(b)
	}
	return texts
}

// testsIn lists the tests in the packages at and below dir.
func testsIn(t *testing.T, dir string) (names []string) {
	err := filepath.WalkDir(filepath.Join(repository, dir), func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range testFunction.FindAllStringSubmatch(string(b), -1) {
			names = append(names, m[1])
		}
		return err
	})
	require.NoError(t, err)
	return names
}
