package chaos

import (
	"bytes"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestProgressLineFitsATerminal(t *testing.T) {
	cfg := smallConfig(t)
	var out bytes.Buffer
	cfg.Progress = &out
	c := newCampaign(cfg, nil)
	c.cycle.Store(99)
	c.kills.Store(123)
	c.counts.ok.Store(12_345_678)
	c.tally.add(1, finding{class: Lost})
	c.showProgress()()
	require.Contains(t, out.String(), "cycle 99, 123 kills, 12,345,678 acked, 1 broken, 30 s left")
	for _, line := range bytes.Split(out.Bytes(), []byte("\r")) {
		require.Less(t, utf8.RuneCount(line), 80, "%q", line)
	}
}

func TestWithoutAWriterThereIsNoProgress(t *testing.T) {
	newCampaign(smallConfig(t), nil).showProgress()()
}

func TestProgressSurvivesAWriterThatFails(t *testing.T) {
	cfg := smallConfig(t)
	cfg.Progress, cfg.Duration = brokenWriter{errTimeout}, time.Second
	newCampaign(cfg, nil).showProgress()()
}
