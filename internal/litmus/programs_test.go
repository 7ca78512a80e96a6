package litmus

import (
	"os"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

func program(t *testing.T, name string) Program {
	t.Helper()
	for _, p := range Programs() {
		if p.Name == name {
			return p
		}
	}
	require.Fail(t, "there is no such program", name)
	return Program{}
}

func TestStepsPrintAndParseBack(t *testing.T) {
	names := map[string]bool{}
	for _, p := range Programs() {
		assert.False(t, names[p.Name], "two programs are called %q", p.Name)
		names[p.Name] = true
		assert.NotEmpty(t, p.Steps, p.Name)
		for _, s := range append(p.Setup, p.Steps...) {
			again, err := ParseStep(s.String())
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
	}
	require.GreaterOrEqual(t, len(names), 20)
}

func TestBadStepsAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "sync", "sync f g", "rename f", "link a b", "write f 10", "write f x+1", "write f 1+-1",
		"truncate f", "truncate f 1048577", "preallocate f x", "write f 0+10 11",
	} {
		_, err := ParseStep(text)
		assert.ErrorContains(t, err, "step \""+text+"\": ")
	}
}

// TestProgramsMeanTheSameEverywhere runs each program to its end on a real
// directory and on a Disk: callers must see the same.
func TestProgramsMeanTheSameEverywhere(t *testing.T) {
	for _, p := range Programs() {
		t.Run(p.Name, func(t *testing.T) {
			dir := t.TempDir()
			disk := faultfs.NewDisk()
			for _, fsys := range []afero.Fs{afero.NewBasePathFs(afero.NewOsFs(), dir), disk} {
				require.NoError(t, p.Prepare(fsys))
				require.NoError(t, p.Run(fsys, len(p.Steps), func(int) error { return nil }))
			}
			real, err := faultfs.ReadDisk(afero.NewOsFs(), dir)
			require.NoError(t, err)
			require.Equal(t, tell(t, real), tell(t, disk))
		})
	}
}

// TestAllLegalStatesAreListed requires programs that are small enough: a state
// that is beyond the bounds of a Space would look as if it were illegal.
func TestAllLegalStatesAreListed(t *testing.T) {
	for _, p := range Programs() {
		d := faultfs.NewDisk()
		require.NoError(t, p.Prepare(d))
		d = d.Space(d.Points(), faultfs.Weak).Everything().Disk()
		require.NoError(t, p.Run(d, len(p.Steps), func(done int) error {
			n, capped := d.Space(d.Points(), faultfs.Weak).Count()
			assert.False(t, capped, "%q after %d steps has more than %d states", p.Name, done, n)
			return nil
		}))
	}
}

func TestFailingStepSaysWhatItWas(t *testing.T) {
	p := Program{Name: "p", Steps: []Step{{Op: Sync, Name: "f"}}}
	err := p.Run(faultfs.NewDisk(), 1, func(int) error { return nil })
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, `"p": sync f: `)
}
