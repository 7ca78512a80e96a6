package chaos

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progressEvery is how often the progress line is redrawn.
const progressEvery = 200 * time.Millisecond

// showProgress draws the progress line from now on; the function it returns removes it. Without a
// writer for it there is none.
func (c *campaign) showProgress() (quiet func()) {
	if c.cfg.Progress == nil {
		return func() {}
	}
	bar := progressbar.NewOptions64(c.cfg.Duration.Milliseconds(),
		progressbar.OptionSetWriter(c.cfg.Progress),
		progressbar.OptionSetWidth(10),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
	)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			// A line that cannot be drawn is no reason to end a campaign: errors are dropped.
			bar.Describe(c.progressText())
			_ = bar.Set64(min(time.Since(c.began).Milliseconds(), c.cfg.Duration.Milliseconds()-1))
			select {
			case <-tick.C:
			case <-stop:
				_ = bar.Finish()
				return
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// progressText is what the progress line says.
func (c *campaign) progressText() string {
	left := max(c.cfg.Duration-time.Since(c.began), 0)
	return fmt.Sprintf("cycle %d, %d kills, %s acked, %d broken, %.0f s left",
		c.cycle.Load(), c.kills.Load(), grouped(c.counts.ok.Load()), c.tally.broken(), left.Seconds())
}
