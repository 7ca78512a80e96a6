package mutants

// intervals are bugs of writes that are acknowledged before they are durable.
var intervals = []Mutant{
	{
		Name: "sync-returns-before-the-flush", File: "committer.go",
		Old:  `		mustFlush = mustFlush || w.flush`,
		New:  `		_ = w.flush`,
		Rule: "Sync makes durable what was acknowledged before it",
	},
	{
		Name: "sync-hides-the-flush-that-failed", File: "committer.go",
		Old:  `		if w.flush || errors.Is(err, ErrOutcomeUnknown) {`,
		New:  `		if errors.Is(err, ErrOutcomeUnknown) {`,
		Rule: "Sync says when it could not",
	},
	{
		Name: "write-hides-the-flush-that-failed", File: "committer.go",
		Old:  `		if w.flush || errors.Is(err, ErrOutcomeUnknown) {`,
		New:  `		if w.flush || errors.Is(err, ErrInvalidOptions) {`,
		Rule: "a write whose own flush fenced the store is not acknowledged",
	},
	{
		Name: "interval-ends-without-a-flush", File: "committer.go",
		Old:  `	_ = c.flush() // logged; a fence or a full disk is remembered`,
		New:  `	_ = c.buf`,
		Rule: "what an interval gathered is synced when it ends",
	},
	{
		Name: "interval-is-not-begun-again", File: "committer.go",
		Old: `	_ = c.flush() // logged; a fence or a full disk is remembered
	c.schedule()`,
		New:  `	_ = c.flush()`,
		Rule: "a flush that failed is tried again",
	},
	{
		Name: "interval-never-ends", File: "committer.go",
		Old:  `	c.timer.Reset(wait)`,
		New:  `	_ = wait`,
		Rule: "an interval ends by the clock",
	},
	{
		Name: "interval-waits-for-an-idle-moment", File: "committer.go",
		Old: `		c.commit(g)
		c.keepTime()`,
		New:  `		c.commit(g)`,
		Rule: "callers who never pause do not put off the end of an interval",
	},
	{
		Name: "interval-gathers-without-bound", File: "committer.go",
		Old:  `	mustFlush := len(c.buf) >= maxGatheredBytes`,
		New:  `	mustFlush := len(c.buf) < 0`,
		Rule: "an interval gathers no more than its bound",
	},
	{
		Name: "close-does-not-flush", File: "rotate.go",
		Old: `	if err := c.flush(); err != nil {
		return fmt.Errorf("%d acknowledged`,
		New: `	if err := error(nil); err != nil {
		return fmt.Errorf("%d acknowledged`,
		Rule: "Close makes durable what was acknowledged",
	},
	{
		Name: "close-hides-what-it-lost", File: "rotate.go",
		Old: `	if err := c.flush(); err != nil {
		return fmt.Errorf("%d acknowledged`,
		New: `	if err := c.flush(); err != nil && false {
		return fmt.Errorf("%d acknowledged`,
		Rule: "Close says that acknowledged writes were lost",
	},
	{
		Name: "close-of-a-fenced-store-gives-up", File: "rotate.go",
		Old:  `		c.retryAt = time.Now() // what has gathered gets one more attempt, due or not`,
		New:  `		c.retryAt = time.Time{}`,
		Rule: "Close tries once more to make durable what has gathered",
	},
	{
		Name: "readers-lose-gathered-records", File: "resume.go",
		Old:  `		c.db.moveGathered(c.placedIn, place{c.active, c.durable.offset}, c.buf)`,
		New:  `		_ = c.placedIn`,
		Rule: "gathered records are found in the segment that they moved to",
	},
	{
		Name: "first-moved-record-is-missed", File: "location.go",
		Old:  `m != nil && l.offset() >= m.from;`,
		New:  `m != nil && l.offset() > m.from;`,
		Rule: "the first record that moved is found as well",
	},
	{
		Name: "first-gathered-record-is-missed", File: "db.go",
		Old:  `l.offset() < g.base {`,
		New:  `l.offset() <= g.base {`,
		Rule: "the first gathered record is found as well",
	},
	{
		Name: "gathered-records-outlive-the-flush", File: "committer.go",
		Old: `		c.db.setGathered(gathered{})
`,
		New: `		_ = c.db
`,
		Rule: "readers do not look into a buffer that is used again",
	},
	{
		Name: "gathered-records-are-not-visible", File: "committer.go",
		Old:  `	c.db.publish(g, c.gathered())`,
		New:  `	c.db.publish(g, gathered{})`,
		Rule: "a caller of an interval policy sees its own write",
	},
	{
		Name: "full-disk-does-not-refuse", File: "committer.go",
		Old:  ` && len(c.buf) < maxGatheredBytes && !c.full {`,
		New:  ` && len(c.buf) < maxGatheredBytes {`,
		Rule: "an interval does not acknowledge what a full disk would lose",
	},
	{
		Name: "gathered-write-fails-alone", File: "resume.go",
		Old: `	case !always:
		return c.lost(cause)`,
		New: `	case !always:
		return cause`,
		Rule: "a flush that failed in every file fences an interval policy too",
	},
}
