package chaos

import (
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// conclude fills in the report. It returns err if that is neither the server's fault nor an
// interruption.
func (c *campaign) conclude(err error) error {
	r := &c.report
	r.Seed, r.Fault, r.Sync = c.cfg.Seed, faultNames(c.cfg.Faults), c.cfg.Sync
	r.Control = c.cfg.Control
	for turn, use := range c.rules {
		of := use.tally.report()
		r.Faults[turn].Rules = &of
	}
	r.Config, r.Versions = c.cfg.info(), versions()
	r.Started, r.ElapsedMillis = c.began, time.Since(c.began).Milliseconds()
	r.LoadMillis = c.loadTime.Milliseconds()
	c.countCalls()
	c.tally.into(r)
	r.RecoveryMillis = recoveryOf(c.recoveries)
	var broken *serverError
	switch {
	case errors.As(err, &broken):
		r.ServerFailure = &ServerFailure{
			What: broken.what, LogFile: broken.log.path, LogTail: broken.log.lastLines(),
			RefusedStart: broken.refused,
		}
		err = nil
	case errors.Is(err, errInterrupted):
		r.decide("interrupted")
		return nil
	}
	if err != nil {
		r.decide(err.Error())
		return err
	}
	r.decide("")
	return nil
}

func (c *campaign) countCalls() {
	r, n := &c.report, &c.counts
	r.Writes = Writes{
		Issued: n.issued.Load(), OK: n.ok.Load(), Failed: n.failed.Load(),
		Unknown: n.unknown.Load(), Requests: n.requests.Load(),
	}
	r.Reads = Reads{OK: n.readsOK.Load(), Failed: n.readsFailed.Load()}
	r.Writes.UnderRules, r.Reads.UnderRules = n.troubled.Load(), n.troubledReads.Load()
	write, read := newHistogram(), newHistogram()
	for _, w := range c.writers {
		write.merge(w.latency)
	}
	for _, rd := range c.readers {
		read.merge(rd.latency)
	}
	r.LatencyMicros = LatencyByKind{Write: write.latency(), Read: read.latency()}
	if s := c.loadTime.Seconds(); s > 0 {
		r.Throughput = Throughput{
			WritesPerSecond:        float64(r.Writes.OK) / s,
			WriteRequestsPerSecond: float64(write.h.TotalCount()) / s,
			ReadsPerSecond:         float64(r.Reads.OK) / s,
		}
	}
}

func faultNames(faults []Fault) string {
	var names []string
	for _, f := range faults {
		names = append(names, f.String())
	}
	return strings.Join(names, ",")
}

func recoveryOf(times []time.Duration) Recovery {
	if len(times) == 0 {
		return Recovery{}
	}
	times = slices.Sorted(slices.Values(times))
	millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Recovery{P50: millis(times[(len(times)-1)/2]), Max: millis(times[len(times)-1])}
}

func versions() VersionInfo {
	v := VersionInfo{
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
	}
	info, found := debug.ReadBuildInfo()
	if !found {
		return v
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Revision = s.Value + v.Revision
		case s.Key == "vcs.modified" && s.Value == "true":
			v.Revision += "+changes"
		}
	}
	return v
}
