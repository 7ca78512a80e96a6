package main

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/internal/mutants"
)

func TestList(t *testing.T) {
	var out bytes.Buffer
	ok, err := run(t.Context(), []string{"-list", "-run", "^flush-never-syncs$"}, &out, io.Discard)
	require.NoError(t, err)
	require.True(t, ok)
	require.Contains(t, out.String(), "a write is acknowledged once it was synced")
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	for _, args := range [][]string{
		{"-run", "("}, {"-run", "no mutant has this name"}, {"-parallel", "0"}, {"-nothing"}, {"kv"},
	} {
		_, err := run(t.Context(), args, io.Discard, io.Discard)
		require.ErrorIs(t, err, errUsage, "%q", args)
	}
}

func TestReportInJSON(t *testing.T) {
	var out bytes.Buffer
	report := mutants.NewReport([]mutants.Result{{Name: "one", Outcome: mutants.Survived}})
	require.NoError(t, write(report, true, &out))
	var back mutants.Report
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	require.Equal(t, *report, back)
}

func TestModuleRoot(t *testing.T) {
	root, err := moduleRoot(t.Context())
	require.NoError(t, err)
	require.FileExists(t, root+"/go.mod")
	t.Chdir(t.TempDir())
	_, err = moduleRoot(t.Context())
	require.ErrorContains(t, err, "no Go module here")
}
