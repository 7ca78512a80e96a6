package faultfstest

// MemMapFsDifferences is what afero's own file system in memory does otherwise, as a list for
// [Differences]. The caller owns it. It is kept true by a test: a release of afero that mends one of
// them fails it.
//
// Sync does nothing there, and there is no power to cut: such a file system never shows a lost write.
func MemMapFsDifferences() map[string]string {
	return map[string]string{
		"read past the end":             "beyond the end it says io.ErrUnexpectedEOF",
		"short read":                    "ReadAt that meets the end reports no io.EOF",
		"negative offset":               "it panics",
		"positional write":              "WriteAt moves the cursor",
		"seek":                          "the cursor may go before the beginning",
		"open modes":                    "a file opened for writing only can be read",
		"closed":                        "Stat and Sync of a closed file, and a second Close, succeed",
		"create in a missing directory": "the directory is made as well",
		"create in a file":              "a file has files under it",
		"open a directory":              "a directory can be opened for writing",
		"rename over a full directory":  "the directory is replaced",
		"rename into itself":            "the directory is moved into itself",
		"rename kinds":                  "files and directories replace each other",
		"remove a full directory":       "the directory is removed, and its files stay reachable",
	}
}
