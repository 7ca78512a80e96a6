package server

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/internal/wire"
	"holdfast/kv"
)

// onlyOpen are the errors that no operation of an open store returns.
var onlyOpen = map[string]bool{"ErrLocked": true, "ErrFormatTooNew": true, "ErrInvalidOptions": true, "ErrNoStore": true}

// TestEveryErrorOfTheStoreHasAStatus reads the names of kv's errors from its source, so that a new one
// cannot be forgotten here.
func TestEveryErrorOfTheStoreHasAStatus(t *testing.T) {
	mapped := map[string]bool{}
	for _, name := range selectors(t, "status.go", "kv") {
		mapped[name] = true
	}
	declared := sentinels(t, "../kv")
	require.NotEmpty(t, declared)
	for _, name := range declared {
		require.NotEqual(t, onlyOpen[name], mapped[name], "kv.%s must either have a status or be known not to need one", name)
	}
}

// sentinels returns the names of the exported error variables of the package in dir.
func sentinels(t *testing.T, dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Err") {
				names = append(names, v.Names[0].Name)
			}
			return true
		})
	}
	return names
}

// selectors returns the names that file uses of the package pkg.
func selectors(t *testing.T, file, pkg string) []string {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	var names []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg {
				names = append(names, sel.Sel.Name)
			}
		}
		return true
	})
	return names
}

func TestRefusal(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("setting %q: %w", "k", err) }
	tests := map[string]struct {
		op   wire.Op
		err  error
		want wire.Status
	}{
		"unknown outweighs the fence":     {wire.OpSet, errors.Join(kv.ErrFenced, kv.ErrOutcomeUnknown), wire.StatusOutcomeUnknown},
		"unknown outweighs a full disk":   {wire.OpSet, errors.Join(kv.ErrDiskFull, kv.ErrOutcomeUnknown), wire.StatusOutcomeUnknown},
		"fenced":                          {wire.OpDelete, wrapped(kv.ErrFenced), wire.StatusFenced},
		"full disk":                       {wire.OpSet, wrapped(kv.ErrDiskFull), wire.StatusDiskFull},
		"damage":                          {wire.OpGet, wrapped(&kv.DamageError{File: "1.seg"}), wire.StatusDamaged},
		"closed":                          {wire.OpSet, wrapped(kv.ErrClosed), wire.StatusShuttingDown},
		"an error of the disk on a read":  {wire.OpGet, wrapped(fs.ErrPermission), wire.StatusReadFailed},
		"an error of the disk on a scan":  {wire.OpScan, wrapped(fs.ErrPermission), wire.StatusReadFailed},
		"an unheard-of error of a write":  {wire.OpSet, errors.New("what?"), wire.StatusInternal},
		"an error that is a status":       {wire.OpSet, wrapped(&wire.Error{Status: wire.StatusBusy}), wire.StatusBusy},
		"a batch that is too large":       {wire.OpBulkSet, wrapped(kv.ErrBatchTooLarge), wire.StatusBatchTooLarge},
		"a value too large for the store": {wire.OpSet, wrapped(kv.ErrValueTooLarge), wire.StatusValueTooLarge},
	}
	for name, tt := range tests {
		require.Equal(t, tt.want, refusal(tt.op, tt.err).Status, name)
	}
}
