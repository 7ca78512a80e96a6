package zoo

import (
	"fmt"
	"strings"

	"holdfast/faultfs"
)

// Table is all species as a table in Markdown, a line for each.
func Table() string {
	var b strings.Builder
	b.WriteString("| species | is written in the belief that | but | verdict | crashes | words | shows on |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, s := range All() {
		if s.Verdict == Holds {
			fmt.Fprintf(&b, "| `%s` | %s | | **holds** | | | |\n", s.Name, s.Belief)
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %d | %d | %s |\n",
			s.Name, s.Belief, s.Truth, s.Verdict, s.Crashes, s.Words, profileNames(s.Shows))
	}
	return b.String()
}

func profileNames(all []faultfs.Profile) string {
	if len(all) == len(faultfs.Profiles()) {
		return "all"
	}
	var names []string
	for _, p := range all {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
