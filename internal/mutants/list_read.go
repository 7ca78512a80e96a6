package mutants

// reads are bugs in what a reader is told.
var reads = []Mutant{
	{
		Name: "read-error-is-not-found", File: "location.go",
		Old:  `	return nil, fmt.Errorf("reading key %q from %s at offset %d: %w", key, l.seg.name, l.offset(), err)`,
		New:  `	return nil, ErrNotFound`,
		Rule: "a key that cannot be read is not missing",
	},
	{
		Name: "read-error-is-damage", File: "storage.go",
		Old: `		case err != nil && !in.goesOn(m, err):
			return n, err`,
		New: `		case err != nil && !in.goesOn(m, err):
			return n, io.EOF`,
		Rule: "a read that failed is not the end of the file",
	},
	{
		Name: "read-error-is-believed-at-once", File: "storage.go",
		Old:  `const readAttempts = 3`,
		New:  `const readAttempts = 1`,
		Rule: "a read error that heals at once is not reported",
	},
	{
		Name: "stale-read-is-believed", File: "location.go",
		Old:  `	if err == nil && !l.holds(b, key) {`,
		New:  `	if err == nil && !l.holds(b, key) && n < 0 {`,
		Rule: "a record that is not the expected one is read once more",
	},
	{
		Name: "value-is-not-verified", File: "location.go",
		Old:  `	case err == nil && l.holds(b, key):`,
		New:  `	case err == nil:`,
		Rule: "a wrong value is never returned",
	},
	{
		Name: "value-is-verified-without-payload", File: "location.go",
		Old: ` &&
		h.payloadIntact(b[recordHeaderBytes:])`,
		New:  ``,
		Rule: "a value is held against its checksum",
	},
	{
		Name: "value-is-verified-without-number", File: "location.go",
		Old:  ` && h.seq == l.seq && `,
		New:  ` && `,
		Rule: "an older record at the same place is not returned",
	},
	{
		Name: "value-is-verified-without-key", File: "location.go",
		Old:  `bytes.Equal(b[recordHeaderBytes:recordHeaderBytes+len(key)], key) &&`,
		New:  `bytes.Equal(nil, nil) &&`,
		Rule: "the record of another key is not returned",
	},
	{
		Name: "value-is-verified-without-header", File: "location.go",
		Old:  `	return ok && h.kind`,
		New:  `	return (ok || true) && h.kind`,
		Rule: "the header of a record is verified when it is read",
	},
	{
		Name: "short-file-is-a-short-value", File: "storage.go",
		Old: `		case m == 0:
			return n, io.ErrNoProgress`,
		New: `		case m == 0:
			return len(b), nil`,
		Rule: "a read without progress is an error",
	},
	{
		Name: "scan-skips-what-it-cannot-read", File: "scan.go",
		Old: `			if err != nil {
				yield(Pair{}, err)
				return false
			}`,
		New: `			if err != nil {
				return true
			}`,
		Rule: "a scan does not leave out what it cannot read",
	},
	{
		Name: "page-skips-what-it-cannot-read", File: "scan.go",
		Old: `		if p, failed = s.pair(key, l, o.KeysOnly); failed != nil {
			return false
		}`,
		New: `		if p, failed = s.pair(key, l, o.KeysOnly); failed != nil {
			failed = nil
			return true
		}`,
		Rule: "a page does not leave out what it cannot read",
	},
	{
		Name: "snapshot-moves", File: "index.go",
		Old:  `	return index{tree: x.tree.Copy(), common: x.common}`,
		New:  `	return index{tree: x.tree, common: x.common}`,
		Rule: "a snapshot stands still",
	},
}
