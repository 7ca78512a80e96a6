package mutants

// checker are bugs in what Check says of a store.
var checker = []Mutant{
	{
		Name: "check-opens-files-to-write", File: "check_fs.go",
		Old: `	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		return nil, refused("create", name)
	}
	return f.base.Open(name)`,
		New:  `	return f.base.OpenFile(name, flag, 0o644)`,
		Rule: "Check changes nothing and needs no more than permission to read",
	},
	{
		Name: "check-calls-damage-torn", File: "check.go",
		Old: `	case errors.Is(openErr, ErrDamaged):
		return VerdictDamaged`,
		New: `	case errors.Is(openErr, ErrDamaged):
		return VerdictTorn`,
		Rule: "Check says damaged exactly if Open refuses",
	},
	{
		Name: "check-calls-a-failed-read-damage", File: "check.go",
		Old: `	case openErr != nil:
		return VerdictFailed`,
		New: `	case openErr != nil:
		return VerdictDamaged`,
		Rule: "a read that failed is no damage",
	},
	{
		Name: "check-does-not-look-for-orphans", File: "check.go",
		Old:  `{r.load, r.replayAll, r.findOrphans} {`,
		New:  `{r.load, r.replayAll} {`,
		Rule: "Check takes all the steps of Open that change nothing",
	},
	{
		Name: "check-hides-what-it-could-not-read", File: "check.go",
		Old:  `	if openErr == nil && c.readErr != nil {`,
		New:  `	if openErr == nil && c.readErr != nil && c.opts == nil {`,
		Rule: "Check returns the read that failed",
	},
	{
		Name: "check-does-not-lock", File: "check.go",
		Old: `	case errors.Is(err, ErrLocked):
		return nil, ErrLocked`,
		New: `	case errors.Is(err, ErrLocked):
		return func() {}, nil`,
		Rule: "a store that is open elsewhere is not checked",
	},
	{
		Name: "check-does-not-verify-values", File: "check_salvage.go",
		Old:  `	intact := h.payloadIntact(payload)`,
		New:  `	intact := len(payload) > 0`,
		Rule: "Check finds a value that is not what was written",
	},
	{
		Name: "check-stops-at-the-first-hole", File: "check_salvage.go",
		Old: `	if s.judging && at >= s.proved {
		return false, nil
	}
	found`,
		New: `	if s.judging {
		return false, nil
	}
	found`,
		Rule: "Check goes on behind a hole",
	},
	{
		Name: "check-names-no-key", File: "check_salvage.go",
		Old:  `		s.c.keys.lose(h.seq, key, s.seg.name, at)`,
		New:  `		_ = key`,
		Rule: "Check names the keys that damage touches",
	},
	{
		Name: "check-counts-half-a-batch", File: "check_salvage.go",
		Old:  `	if !h.more() {`,
		New:  `	if len(s.batch) > 0 {`,
		Rule: "the part of a batch in a torn tail does not count",
	},
	{
		Name: "check-ignores-the-sealed-end", File: "check_salvage.go",
		Old:  `	case s.t.sealed && !s.endsAsSealed():`,
		New:  `	case s.t.sealed && !s.endsAsSealed() && s.size < 0:`,
		Rule: "Check finds a sealed segment that lost its end",
	},
}
