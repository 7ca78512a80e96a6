package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// site is where one mutant is built and run: a directory of its own, outside
// the tree.
type site struct {
	root    string // of the module
	dir     string
	mutant  *Mutant
	file    string // the mutated file in the tree, absolute; empty for the control
	mutated []byte // what stands there instead
	overlay string // the JSON file for -overlay; empty for the control
	built   map[string]workplace
	cpu     time.Duration // what building and checking took so far
}

// workplace is where the checks of one package run.
type workplace struct {
	binary string // the compiled tests
	dir    string // a copy of the package's directory, with the mutant in it
}

// errDoesNotBuild is returned for a mutant that the compiler refuses.
var errDoesNotBuild = errors.New("the mutant does not build")

// newSite plants the mutant in a copy of its file. The caller removes dir.
func newSite(root, pkg, dir string, m *Mutant) (*site, error) {
	s := &site{root: root, dir: dir, mutant: m, built: map[string]workplace{}}
	if m.isControl() {
		return s, nil
	}
	s.file = filepath.Join(root, pkg, m.File)
	src, err := os.ReadFile(s.file)
	if err != nil {
		return nil, fmt.Errorf("planting %s: %w", m.Name, err)
	}
	if s.mutated, err = m.Apply(src); err != nil {
		return nil, err
	}
	copied := filepath.Join(dir, m.File)
	s.overlay = filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{s.file: copied}})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(copied, s.mutated, 0o600), os.WriteFile(s.overlay, overlay, 0o600)); err != nil {
		return nil, fmt.Errorf("planting %s: %w", m.Name, err)
	}
	return s, nil
}

// workplace builds the tests of a package with the mutant in it, once.
func (s *site) workplace(ctx context.Context, pkg string) (workplace, error) {
	if w, ok := s.built[pkg]; ok {
		return w, nil
	}
	name := strings.ReplaceAll(pkg, "/", "-")
	w := workplace{binary: filepath.Join(s.dir, name+".test"), dir: filepath.Join(s.dir, name)}
	if err := s.build(ctx, pkg, w.binary); err != nil {
		return w, err
	}
	// Tests read the sources beside them, and may write there when they fail.
	if err := os.CopyFS(w.dir, os.DirFS(filepath.Join(s.root, pkg))); err != nil {
		return w, fmt.Errorf("copying %s: %w", pkg, err)
	}
	if s.file != "" && filepath.Dir(s.file) == filepath.Join(s.root, pkg) {
		if err := os.WriteFile(filepath.Join(w.dir, s.mutant.File), s.mutated, 0o600); err != nil {
			return w, fmt.Errorf("copying %s: %w", pkg, err)
		}
	}
	s.built[pkg] = w
	return w, nil
}

func (s *site) build(ctx context.Context, pkg, binary string) error {
	// Compiling takes most of the time that a mutant gets. The package is not
	// optimised, which its tests hardly notice, and linked without the tables of
	// a debugger.
	args := []string{"test", "-c", "-vet=off", "-gcflags=-N -l", "-ldflags=-s -w", "-o", binary}
	if s.overlay != "" {
		args = append(args, "-overlay", s.overlay)
	}
	var out bytes.Buffer
	code, err := execute(ctx, command{dir: s.root, name: "go", args: append(args, "./"+pkg), out: &out, cpu: &s.cpu, env: []string{"TMPDIR=" + s.dir}})
	if err != nil {
		return fmt.Errorf("building the tests of %s: %w", pkg, err)
	}
	if code != 0 {
		return fmt.Errorf("%w: %s", errDoesNotBuild, strings.TrimSpace(out.String()))
	}
	return nil
}
