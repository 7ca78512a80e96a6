package mutants

// checksums are bugs in recognising what was written, and where.
var checksums = []Mutant{
	{
		Name: "record-header-is-not-checked", File: "record.go",
		Old:  `	return h, plausible && headerChecksum(identity, offset, b) == h.crc`,
		New:  `	return h, plausible`,
		Rule: "a header that is not what was written does not count",
	},
	{
		Name: "record-header-may-have-no-checksum", File: "record.go",
		Old:  `headerChecksum(identity, offset, b) == h.crc`,
		New:  `(h.crc == 0 || headerChecksum(identity, offset, b) == h.crc)`,
		Rule: "a checksum of zero is a checksum",
	},
	{
		Name: "payload-may-have-no-checksum", File: "record.go",
		Old:  `	return checksum(payload) == h.payloadCRC`,
		New:  `	return h.payloadCRC == 0 || checksum(payload) == h.payloadCRC`,
		Rule: "a checksum of zero is a checksum",
	},
	{
		Name: "payload-is-never-wrong", File: "record.go",
		Old:  `	return checksum(payload) == h.payloadCRC`,
		New:  `	return len(payload) > 0 || checksum(payload) == h.payloadCRC`,
		Rule: "a value that is not what was written is not returned",
	},
	{
		Name: "checksum-leaves-the-place-out", File: "record.go",
		Old:  `byte(uint64(offset)>>shift)`,
		New:  `byte(uint64(offset)>>64>>shift)`,
		Rule: "a record at another place does not pass",
	},
	{
		Name: "checksum-leaves-the-file-out", File: "record.go",
		Old:  `	crc := ^identity`,
		New:  `	crc := ^(identity & 0)`,
		Rule: "a record of another file does not pass",
	},
	{
		Name: "checksum-leaves-the-lengths-out", File: "record.go",
		Old:  `rec[4:recordHeaderBytes])`,
		New:  `rec[16:recordHeaderBytes])`,
		Rule: "the checksum covers the whole header",
	},
	{
		Name: "identity-leaves-the-store-out", File: "segment.go",
		Old: `	copy(b[:], h.store[:])
`,
		New:  ``,
		Rule: "a record of another store does not pass",
	},
	{
		Name: "identity-leaves-the-number-out", File: "segment.go",
		Old: `	le.PutUint64(b[16:], h.number)
	le.PutUint64(b[24:], h.id)`,
		New:  `	le.PutUint64(b[24:], h.id)`,
		Rule: "a record of another segment does not pass",
	},
	{
		Name: "identity-leaves-the-id-out", File: "segment.go",
		Old: `	le.PutUint64(b[24:], h.id)
`,
		New:  ``,
		Rule: "a record of an older file of the same name does not pass",
	},
	{
		Name: "segment-ids-are-all-alike", File: "storage.go",
		Old:  `return le.Uint64(b[:]), nil`,
		New:  `return le.Uint64(b[:]) & 0, nil`,
		Rule: "two files that ever had one number have different ids",
	},
	{
		Name: "store-ids-are-all-alike", File: "storage.go",
		Old:  `io.ReadFull(st.rand, id[:])`,
		New:  `io.ReadFull(st.rand, id[:0])`,
		Rule: "two stores have different ids",
	},
	{
		Name: "durable-may-be-in-the-future", File: "record.go",
		Old: ` &&
		h.durable <= uint64(offset)`,
		New:  ``,
		Rule: "a record cannot say that what comes after it is durable",
	},
	{
		Name: "key-length-is-not-bounded", File: "record.go",
		Old:  `h.keyLen >= 1 && h.keyLen <= MaxKeyBytes && `,
		New:  `h.keyLen >= 1 && `,
		Rule: "lengths are bounded before they are believed",
	},
	{
		Name: "segment-header-is-not-checked", File: "segment.go",
		Old: ` ||
		le.Uint32(b[64:]) != checksum(b[:64]) {`,
		New:  ` {`,
		Rule: "a segment's header that is not what was written does not count",
	},
	{
		Name: "segment-of-another-store-is-accepted", File: "segment.go",
		Old:  `	case h.store != store:`,
		New:  `	case h.store != store && name == "":`,
		Rule: "a segment of another store is refused",
	},
	{
		Name: "segment-under-another-name-is-accepted", File: "segment.go",
		Old:  `	case h.number != e.number:`,
		New:  `	case h.number != e.number && name == "":`,
		Rule: "a segment under another's name is refused",
	},
	{
		Name: "older-segment-is-accepted", File: "segment.go",
		Old:  `	case h.id != e.id || h.firstSeq`,
		New:  `	case h.firstSeq`,
		Rule: "an older file with the number of a listed segment is refused",
	},
	{
		Name: "segment-is-not-held-against-the-manifest", File: "segment.go",
		Old: `		err = e.matches(name, st.id, &h)
	}
	if err == nil {
		err = e.longEnough`,
		New: `		err = nil
	}
	if err == nil {
		err = e.longEnough`,
		Rule: "a file that the manifest does not list is not read in place of one that it does",
	},
	{
		Name: "later-segment-format-is-accepted", File: "segment.go",
		Old:  `	if v := le.Uint32(b[8:]); v > FormatVersion {`,
		New:  `	if v := le.Uint32(b[8:]); v > FormatVersion+1 {`,
		Rule: "a later format is refused",
	},
	{
		Name: "manifest-is-not-checked", File: "manifest.go",
		Old:  `	if end+4 > int64(len(b)) || le.Uint32(b[end:]) != checksum(b[:end]) {`,
		New:  `	if end+4 > int64(len(b)) {`,
		Rule: "a copy of the manifest that is not what was written does not count",
	},
	{
		Name: "second-manifest-copy-is-not-used", File: "manifest.go",
		Old: `	case err2 == nil:
		return second, true, nil
	}`,
		New: `	case err2 == nil && len(second.entries) > 1<<20:
		return second, true, nil
	}`,
		Rule: "one bad place in a manifest costs nothing",
	},
	{
		Name: "manifest-copies-share-a-sector", File: "manifest.go",
		Old:  `	half := alignUp(int64(len(b)), manifestAlign)`,
		New:  `	half := int64(len(b))`,
		Rule: "the two copies of a manifest share no sector",
	},
	{
		Name: "manifest-lengths-are-not-checked", File: "manifest.go",
		Old:  `	if e.length < segmentHeaderBytes || e.capacity < e.length || e.capacity > math.MaxInt64/2 {`,
		New:  `	if e.capacity > math.MaxInt64/2 {`,
		Rule: "what a manifest claims is held against what is possible",
	},
	{
		Name: "manifest-of-another-store-is-accepted", File: "manifest_files.go",
		Old:  `		if m.store != st.id || m.generation != g {`,
		New:  `		if m.generation != g {`,
		Rule: "a manifest of another store does not count",
	},
	{
		Name: "manifest-under-another-name-is-accepted", File: "manifest_files.go",
		Old:  `		if m.store != st.id || m.generation != g {`,
		New:  `		if m.store != st.id {`,
		Rule: "an older manifest under a newer name does not count",
	},
	{
		Name: "store-file-is-not-checked", File: "manifest_files.go",
		Old: ` ||
		le.Uint32(b[28:]) != checksum(b[:28]) {`,
		New:  ` {`,
		Rule: "a STORE file that is not what was written does not count",
	},
	{
		Name: "later-store-format-is-accepted", File: "manifest_files.go",
		Old:  `	if v := le.Uint32(b[8:]); v > FormatVersion {`,
		New:  `	if v := le.Uint32(b[8:]); v > FormatVersion+1 {`,
		Rule: "a later format is refused",
	},
	{
		Name: "records-follow-without-padding", File: "record.go",
		Old:  `	return alignUp(recordHeaderBytes+int64(keyLen)+int64(valueLen), recordAlign)`,
		New:  `	return alignUp(recordHeaderBytes+int64(keyLen)+int64(valueLen), 4)`,
		Rule: "a record begins at a multiple of eight bytes",
	},
}
