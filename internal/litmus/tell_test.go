package litmus

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
)

// tell describes the files of a disk: sizes, and runs of equal bytes.
func tell(t *testing.T, d *faultfs.Disk) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, afero.Walk(d, "/", func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			fmt.Fprintf(&b, "  %s/\n", strings.TrimSuffix(name, "/"))
			return err
		}
		content, err := afero.ReadFile(d, name)
		fmt.Fprintf(&b, "  %s: %d bytes:%s\n", name, info.Size(), runs(content))
		return err
	}))
	return b.String()
}

// runs writes bytes as "value×count".
func runs(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		n := 1
		for n < len(b) && b[n] == b[0] {
			n++
		}
		fmt.Fprintf(&out, " %02x×%d", b[0], n)
		b = b[n:]
	}
	return out.String()
}
