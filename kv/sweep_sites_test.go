package kv

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// site is a place in the engine's source that calls the file system.
type site struct {
	file     string
	line     int
	function string
	call     string
	deferred bool // the call stack then shows where the function returns
	ends     int  // last line of the function
}

func (s site) String() string {
	return fmt.Sprintf("%s:%d %s in %s", s.file, s.line, s.call, s.function)
}

// siteTable counts the faults that struck each site, by errno and mode. Its
// methods may be called from any goroutine.
type siteTable struct {
	sites []site

	mu      sync.Mutex
	counts  map[site]map[pass]int // guarded by mu
	unknown map[string]bool       // guarded by mu
}

// fileCalls are the methods of a file or file system that the engine uses, and
// the functions that call them.
var fileCalls = []string{
	"Open", "OpenFile", "MkdirAll", "Remove", "Stat", "Readdirnames", "ReadAt", "WriteAt", "Truncate", "Sync", "Close",
	"SyncData", "Preallocate", "SyncDir", "TryLock", "ReadAll",
}

// parseSites finds the sites in the source: calls of those methods on what is
// called a file, a directory or fs, and of those functions of vfs and io.
func parseSites(t testing.TB) *siteTable {
	table := &siteTable{counts: map[site]map[pass]int{}, unknown: map[string]bool{}}
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(fset, name, nil, 0)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
				table.sites = append(table.sites, sitesIn(fset, name, f)...)
			}
		}
	}
	require.Greater(t, len(table.sites), 20)
	return table
}

func sitesIn(fset *token.FileSet, file string, f *ast.FuncDecl) (found []site) {
	deferred := map[*ast.CallExpr]bool{}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if d, ok := n.(*ast.DeferStmt); ok {
			deferred[d.Call] = true
		}
		call, ok := n.(*ast.CallExpr)
		if !ok || !callsFile(call) {
			return true
		}
		found = append(found, site{
			file: file, line: fset.Position(call.Lparen).Line, function: f.Name.Name, call: types.ExprString(call.Fun),
			deferred: deferred[call], ends: fset.Position(f.End()).Line,
		})
		return true
	})
	return found
}

func callsFile(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(fileCalls, sel.Sel.Name) {
		return false
	}
	on := types.ExprString(sel.X)
	last := on[strings.LastIndexByte(on, '.')+1:]
	return slices.Contains([]string{"file", "fs", "d", "vfs", "io"}, last)
}

// engineFrames are the frames of the engine on the stack, innermost first.
func engineFrames(each func(f runtime.Frame) (more bool)) {
	var pcs [48]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		inEngine := strings.HasPrefix(f.Function, "holdfast/kv.") && !strings.HasSuffix(f.File, "_test.go")
		if inEngine && !each(f) || !more {
			return
		}
	}
}

// callPath names the places in the engine that the running call goes through.
func callPath() string {
	var b strings.Builder
	engineFrames(func(f runtime.Frame) bool {
		fmt.Fprintf(&b, "%s:%d ", filepath.Base(f.File), f.Line)
		return true
	})
	return b.String()
}

// struck counts a fault at the site that is calling now.
func (st *siteTable) struck(p pass) {
	p = pass{errno: p.errno, mode: p.mode}
	engineFrames(func(f runtime.Frame) bool {
		st.count(filepath.Base(f.File), f.Line, p)
		return false
	})
}

func (st *siteTable) count(file string, line int, p pass) {
	st.mu.Lock()
	defer st.mu.Unlock()
	found := -1
	for i, s := range st.sites {
		if s.file != file {
			continue
		}
		if s.line == line {
			found = i
			break
		}
		if s.deferred && s.line <= line && line <= s.ends {
			found = i
		}
	}
	if found < 0 {
		st.unknown[fmt.Sprintf("%s:%d", file, line)] = true
		return
	}
	s := st.sites[found]
	if st.counts[s] == nil {
		st.counts[s] = map[pass]int{}
	}
	st.counts[s][p]++
}

// requireAllStruck fails for a site that some errno did not strike in some mode:
// nobody knows then what the engine does there.
func (st *siteTable) requireAllStruck(t *testing.T, errnos, modes []string) {
	t.Helper()
	st.mu.Lock()
	defer st.mu.Unlock()
	require.Empty(t, slices.Sorted(maps.Keys(st.unknown)), "calls from places that are not known as call sites")
	for _, s := range st.sites {
		var missing []string
		for _, errno := range errnos {
			for _, mode := range modes {
				if st.counts[s][pass{errno: errno, mode: mode}] == 0 {
					missing = append(missing, errno+" "+mode)
				}
			}
		}
		if len(missing) > 0 {
			t.Errorf("the sweep did not strike %s: %d of %d: %.5q", s, len(missing), len(errnos)*len(modes), missing)
		}
	}
}

// String prints the faults at each site by mode, all errnos together.
func (st *siteTable) String() string {
	st.mu.Lock()
	defer st.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%-62s %8s %8s %8s  errnos\n", "call site", "once", "sticky", "after")
	for _, s := range st.sites {
		modes, errnos := map[string]int{}, map[string]bool{}
		for p, n := range st.counts[s] {
			modes[p.mode] += n
			errnos[p.errno] = true
		}
		fmt.Fprintf(&b, "%-62s %8d %8d %8d  %d\n", s, modes["once"], modes["sticky"], modes["after"], len(errnos))
	}
	fmt.Fprintf(&b, "%d call sites", len(st.sites))
	return b.String()
}
