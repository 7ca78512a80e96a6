package wire

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type exampleFrame struct {
	name  string
	frame []byte
}

// protocolExample is the conversation that docs/PROTOCOL.md spells out byte by byte.
func protocolExample() []exampleFrame {
	ask := func(name string, r Request) exampleFrame { return exampleFrame{name, AppendRequest(nil, &r)} }
	answer := func(name string, r Reply) exampleFrame { return exampleFrame{name, AppendReply(nil, &r)} }
	pairs := []Pair{
		{Key: []byte("user:1"), Value: []byte("Ada")}, {Key: []byte("user:2"), Value: []byte("Grace")}}
	return []exampleFrame{
		ask("Set", Request{ID: 1, Op: OpSet, Key: pairs[0].Key, Value: pairs[0].Value}),
		ask("Get", Request{ID: 2, Op: OpGet, Key: []byte("user:9")}),
		answer("Get NotFound", Reply{ID: 2, Status: StatusNotFound, Message: "no such key"}),
		answer("Set OK", Reply{ID: 1, Op: OpSet}),
		ask("BulkSet", Request{ID: 3, Op: OpBulkSet, Pairs: pairs}),
		answer("BulkSet OK", Reply{ID: 3, Op: OpBulkSet}),
		ask("Scan", Request{ID: 4, Op: OpScan, Scan: Scan{Prefix: []byte("user:"), Limit: 1}}),
		answer("Scan OK", Reply{ID: 4, Op: OpScan, Cursor: 7, Pairs: pairs[:1]}),
		ask("Scan next", Request{ID: 5, Op: OpScan, Scan: Scan{Cursor: 7}}),
		answer("Scan next OK", Reply{ID: 5, Op: OpScan, Pairs: pairs[1:]}),
		ask("Delete", Request{ID: 6, Op: OpDelete, Key: pairs[0].Key}),
		answer("Delete OK", Reply{ID: 6, Op: OpDelete, Exists: true}),
		answer("Goodbye", Reply{ID: 0, Status: StatusShuttingDown}),
	}
}

func TestProtocolPageExampleIsWhatTheCodecEmits(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```hex (.+?)\n(.*?)^```").FindAllStringSubmatch(protocolPage(t), -1)
	require.NotEmpty(t, blocks, "no hex example in docs/PROTOCOL.md")
	example := protocolExample()
	require.Len(t, blocks, len(example))
	for i, want := range example {
		require.Equal(t, want.name, blocks[i][1])
		require.Equal(t, hex.EncodeToString(want.frame), hex.EncodeToString(unhex(t, blocks[i][2])), want.name)
	}
}

// The tables of the page are what people in other languages type from, so every row is held against
// the code: number, name, outcome and whether to try again.
func TestProtocolPageListsEveryStatusAndOperation(t *testing.T) {
	page := protocolPage(t)
	for n := range 256 {
		if s := Status(n); statusNames[s] != "" {
			row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \| %v \| %v \| (\w+)`, n, s, s.Outcome()))
			m := row.FindStringSubmatch(page)
			require.NotNil(t, m, "no row like %v", row)
			require.Equal(t, s.Retryable(), m[1] == "yes", "retry of %v", s)
		}
		if op := Op(n); op.Valid() {
			require.Contains(t, page, fmt.Sprintf("\n| %d | %v | ", n, op))
		}
	}
	rows := regexp.MustCompile(`(?m)^\| \d+ \| `).FindAllString(page, -1)
	require.Len(t, rows, len(statusNames)+len(opNames)-1, "rows for numbers that the code does not know")
}

func TestProtocolPageStatesTheLimits(t *testing.T) {
	page := strings.ReplaceAll(protocolPage(t), ",", "")
	for what, n := range map[string]int{
		"key": MaxKeyBytes, "message": MaxMessageBytes, "frame": DefaultMaxFrameBytes, "header": HeaderBytes} {
		require.Regexp(t, fmt.Sprintf(`\b%d\b`, n), page, what)
	}
}

func protocolPage(t *testing.T) string {
	text, err := os.ReadFile("../../docs/PROTOCOL.md")
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
