package mutants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tiny is a module with a package to mutate, and one that only uses it.
var tiny = map[string]string{
	"go.mod": "module tiny\n\ngo 1.26\n",
	"p/p.go": `package p

import "time"

// Add adds.
func Add(a, b int) int { return a + b }

// Wait waits.
func Wait() { time.Sleep(0) }

// Twice doubles.
func Twice(n int) int { return n * 2 }
`,
	"p/p_test.go": `package p

import (
	"os"
	"testing"
)

func TestAdd(t *testing.T) {
	if Add(2, 3) != 5 {
		t.Fatal("\n\tError: that is not the sum")
	}
}

func TestWait(t *testing.T) { Wait() }

func TestFilesBeside(t *testing.T) {
	if err := os.WriteFile("written", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile("p.go"); err != nil || len(b) == 0 {
		t.Fatal(err)
	}
}
`,
	"q/q_test.go": `package q

import (
	"testing"
	"tiny/p"
)

func TestTwice(t *testing.T) {
	if p.Twice(2) != 4 {
		panic("Twice")
	}
}
`,
}

var (
	tinyCaught   = Mutant{Name: "caught", Group: "a", File: "p.go", Old: "a + b", New: "a - b", Rule: "a sum"}
	tinyElse     = Mutant{Name: "caught-by-another-package", Group: "a", File: "p.go", Old: "n * 2", New: "n * 3", Rule: "double"}
	tinySurvivor = Mutant{Name: "not-caught", Group: "b", File: "p.go", Old: "a + b", New: "b + a", Rule: "nothing"}
	tinyHanging  = Mutant{Name: "hanging", Group: "b", File: "p.go", Old: "Sleep(0)", New: "Sleep(time.Hour)", Rule: "no delay"}
)

// newRunner makes the tiny module and a runner for it.
func newRunner(t *testing.T) *Runner {
	root := t.TempDir()
	for name, content := range tiny {
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	}
	t.Setenv("TMPDIR", t.TempDir())
	return &Runner{Root: root, Package: "p", Parallel: 2, Checks: []Check{
		{Name: "first", Package: "p", Run: "TestAdd|TestFiles", Limit: time.Minute},
		{Name: "second", Package: "p", Run: ".", Skip: "TestAdd", Limit: 3 * time.Second},
		{Name: "third", Package: "q", Run: ".", Flags: []string{"-test.short"}, Limit: time.Minute},
	}}
}

// requireNothingLeft holds what a run leaves against what was there before.
func requireNothingLeft(t *testing.T, r *Runner) {
	t.Helper()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left, "temporary files")
	for name, content := range tiny {
		b, err := os.ReadFile(filepath.Join(r.Root, name))
		require.NoError(t, err)
		require.Equal(t, content, string(b), name)
	}
	files, err := filepath.Glob(filepath.Join(r.Root, "*", "*"))
	require.NoError(t, err)
	require.Len(t, files, 3, "the tree")
}

func TestRunnerTellsOutcomesApart(t *testing.T) {
	r := newRunner(t)
	explained, wronglyExplained := tinySurvivor, tinyCaught
	explained.Equivalent, wronglyExplained.Equivalent = "addition commutes", "addition commutes"
	list := []Mutant{
		tinyCaught, tinyElse, tinySurvivor, tinyHanging, explained, wronglyExplained,
		{Name: "does-not-build", File: "p.go", Old: "a + b", New: "a + c"},
		{Name: "does-not-fit", File: "p.go", Old: "a * b", New: "a - b"},
	}
	var seen []string
	r.Each = func(result Result) { seen = append(seen, result.Name) }
	require.NoError(t, r.RunControl(t.Context()))
	results, err := r.Run(t.Context(), list)
	require.NoError(t, err)
	var got []string
	for i, result := range results {
		got = append(got, fmt.Sprint(result.Outcome, " ", result.Check, " ", result.Test))
		require.Equal(t, list[i].Name, result.Name)
		require.Positive(t, result.Seconds)
	}
	require.Equal(t, []string{
		"caught first p.TestAdd", "caught third q.TestTwice", "not caught  ", "caught by timeout second p.TestWait",
		"equivalent  ", "error in the list first p.TestAdd", "error in the list  ", "error in the list  ",
	}, got)
	require.Contains(t, results[0].Details, "that is not the sum")
	require.Contains(t, results[1].Details, "panic: Twice")
	require.Contains(t, results[6].Details, "undefined: c")
	require.Positive(t, results[0].CPUSeconds)
	require.Len(t, seen, len(list))
	requireNothingLeft(t, r)

	report := NewReport(results)
	require.False(t, report.OK())
	require.Equal(t, []string{"not-caught"}, report.NotCaught)
	require.Equal(t, 3, report.Caught)
	require.Equal(t, 1, report.Hung)
	require.Equal(t, 1, report.Explained)
	require.Len(t, report.Broken, 3)
	require.True(t, NewReport(results[:2]).OK())
}

func TestChecksThatFailOrDoNothingSayNothing(t *testing.T) {
	r := newRunner(t)
	r.Checks = []Check{{Name: "empty", Package: "p", Run: "TestNowhere", Limit: time.Minute}}
	require.ErrorContains(t, r.RunControl(t.Context()), "the check empty runs no test")
	require.NoError(t, os.WriteFile(filepath.Join(r.Root, "p", "p.go"), []byte(strings.Replace(tiny["p/p.go"], "a + b", "a - b", 1)), 0o600))
	r.Checks = []Check{{Name: "all", Package: "p", Run: ".", Limit: time.Minute}}
	require.ErrorContains(t, r.RunControl(t.Context()), "the check all fails on the unchanged source (p.TestAdd)")
}

// A run that is interrupted in the middle of a test that hangs ends at once, and
// ends the test.
func TestInterruptedRunLeavesNothing(t *testing.T) {
	r := newRunner(t)
	note := filepath.Join(t.TempDir(), "pid")
	hanging := tinyHanging
	hanging.Old, hanging.New = tiny["p/p.go"], fmt.Sprintf(`package p

import (
	"os"
	"strconv"
	"time"
)

func Add(a, b int) int { return a + b }

func Wait() {
	_ = os.WriteFile(%q+".part", []byte(strconv.Itoa(os.Getpid())), 0o600)
	_ = os.Rename(%q+".part", %q)
	time.Sleep(time.Hour)
}

func Twice(n int) int { return n * 2 }
`, note, note, note)
	r.Checks[1].Limit = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var results []Result
	ended := make(chan error, 1)
	go func() {
		var err error
		results, err = r.Run(ctx, []Mutant{tinyCaught, hanging})
		ended <- err
	}()
	var pid int
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(note)
		_, _ = fmt.Sscan(string(b), &pid)
		return err == nil
	}, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.LessOrEqual(t, len(results), 1)
	requireEnded(t, pid)
	requireNothingLeft(t, r)
}

func TestOutputOfATestBinary(t *testing.T) {
	for text, want := range map[string]finding{
		"=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\n": {ran: true, test: "TestA"},
		"=== RUN   TestA\n=== RUN   TestA/b\n    x_test.go:1: \n        \tError:      \tNot equal: \n        \t            \texpected: 1\n--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\n=== RUN   TestC\n": {ran: true, test: "TestA", details: "Error: Not equal: / expected: 1"},
		"=== RUN   TestA\n=== RUN   TestA/b\npanic: boom\n\ngoroutine 1\n":                           {ran: true, test: "TestA", details: "panic: boom / goroutine 1"},
		"=== RUN   TestA\npanic: test timed out after 1s\n":                                          {ran: true, test: "TestA", hung: true, details: "panic: test timed out after 1s"},
		"testing: warning: no tests to run\nPASS\n":                                                  {},
		"=== RUN   TestA\n" + strings.Repeat("panic: "+strings.Repeat("long ", 1000)+"\n", 3)[:8000]: {ran: true, test: "TestA"},
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			var out testOutput
			for rest := []byte(text); len(rest) > 0; {
				n, err := out.Write(rest[:min(size, len(rest))])
				require.NoError(t, err)
				rest = rest[n:]
			}
			got := out.finding()
			require.LessOrEqual(t, len(got.details), maxReasons*(maxReasonBytes+3))
			if strings.Contains(text, "long") {
				got.details = ""
			}
			require.Equal(t, want, got, text)
		}
	}
}

func TestReportNamesWhatWasNotCaught(t *testing.T) {
	results := []Result{
		{Name: "one", Group: "a", Outcome: Caught, Check: "x", Test: "p.TestOne", Seconds: 1},
		{Name: "two", Group: "b", Outcome: Survived, Rule: "the rule", Seconds: 2},
		{Name: "three", Group: "a", Outcome: Hung, Check: "y", Seconds: 9},
	}
	var out bytes.Buffer
	for i := range results {
		require.NoError(t, results[i].WriteLine(&out))
	}
	require.NoError(t, NewReport(results).Write(&out))
	for _, want := range []string{
		"caught by x, p.TestOne", "the rule", "not caught: two\n", "x 1, y 1", "3 mutants, 2 caught (1 of them by timeout)", "median 2.0 s, max 9.0 s",
	} {
		require.Contains(t, out.String(), want)
	}
	require.Error(t, NewReport(results).Write(brokenWriter{}))
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }
