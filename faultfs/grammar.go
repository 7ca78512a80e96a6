package faultfs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// String prints the rule so that ParseRule reads it back.
func (r Rule) String() string {
	words := []string{string(r.Op), printPath(r.Path)}
	for _, c := range clauses {
		if word := c.print(r); word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// ParseRule reads one rule and validates it. A path of "*" becomes the empty
// Path; otherwise parsing a printed rule gives the rule that was printed.
func ParseRule(s string) (Rule, error) {
	rules, err := ParseRules(s)
	if err != nil {
		return Rule{}, err
	}
	if len(rules) != 1 {
		return Rule{}, fmt.Errorf("faultfs: want one rule, have %d in %q", len(rules), s)
	}
	return rules[0], nil
}

// ParseRules reads any number of rules, separated by newlines or semicolons.
// A line that starts with "#" is a comment.
func ParseRules(s string) ([]Rule, error) {
	lines, err := splitWords(s)
	if err != nil {
		return nil, fmt.Errorf("faultfs: %w", err)
	}
	var rules []Rule
	for _, words := range lines {
		rule, err := parseWords(words)
		if err != nil {
			return nil, fmt.Errorf("faultfs: rule %q: %w", strings.Join(words, " "), err)
		}
		if err := rule.Validate(); err != nil {
			return nil, fmt.Errorf("%w%s", err, pathHint(words))
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// MustParse is ParseRules for rules that stand in a program: it panics when
// they do not parse.
func MustParse(s string) []Rule {
	rules, err := ParseRules(s)
	if err != nil {
		panic(err)
	}
	return rules
}

// pathHint says what is likely to be wrong with a rule that is not valid; "" when nothing comes to mind.
func pathHint(words []string) string {
	if _, ok := errnoNamed(words[1]); !ok {
		return ""
	}
	return fmt.Sprintf(` (%s was taken as the path; write "%s * %s")`, words[1], words[0], strings.Join(words[1:], " "))
}

func parseWords(words []string) (Rule, error) {
	if len(words) < 2 {
		return Rule{}, errors.New("a rule starts with an operation and a path")
	}
	r := Rule{Op: Op(words[0])}
	var err error
	if r.Path, err = parsePath(words[1]); err != nil {
		return Rule{}, err
	}
	seen := map[string]bool{}
	for _, word := range words[2:] {
		name, err := parseClause(&r, word)
		if err != nil {
			return Rule{}, err
		}
		if seen[name] {
			return Rule{}, fmt.Errorf("%q is a second %s", word, name)
		}
		seen[name] = true
	}
	return r, nil
}

func parseClause(r *Rule, word string) (name string, err error) {
	for _, c := range clauses {
		ok, err := c.parse(r, word)
		if err != nil {
			return "", fmt.Errorf("%q: %w", word, err)
		}
		if ok {
			return c.name, nil
		}
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(word, "+")); err == nil && n > 0 {
		return "", fmt.Errorf("%q is not part of the grammar: did you mean \"#%s\"?", word, word)
	}
	return "", fmt.Errorf("%q is not part of the grammar", word)
}

func printPath(glob string) string {
	switch {
	case glob == "":
		return "*"
	case bare(glob):
		return glob
	}
	return strconv.Quote(glob)
}

// bare reports whether a glob can stand without quotes.
func bare(glob string) bool {
	if !utf8.ValidString(glob) || strings.ContainsAny(glob, " ;\"") || glob[0] == '#' {
		return false
	}
	for _, r := range glob {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

func parsePath(word string) (string, error) {
	// Without this a forgotten path would take the occurrence for a file name.
	if word[0] == '#' {
		return "", fmt.Errorf(`%q stands where the path belongs: write "*" for every path`, word)
	}
	glob := word
	if word[0] == '"' {
		var err error
		if glob, err = strconv.Unquote(word); err != nil {
			return "", fmt.Errorf("path %s: %w", word, err)
		}
	}
	switch glob {
	case "*":
		return "", nil
	case "":
		return "", errors.New(`an empty path matches nothing: write "*" for every path`)
	}
	return glob, nil
}

// splitWords cuts text into rules and rules into words. A word in double
// quotes keeps its quotes, and may contain anything that a Go string may.
func splitWords(s string) ([][]string, error) {
	var lines [][]string
	var words []string
	endLine := func() {
		if len(words) > 0 {
			lines, words = append(lines, words), nil
		}
	}
	for s != "" {
		switch {
		case s[0] == '\n' || s[0] == ';':
			endLine()
			s = s[1:]
		case s[0] == ' ' || s[0] == '\t' || s[0] == '\r':
			s = s[1:]
		case s[0] == '#' && len(words) == 0:
			_, s, _ = strings.Cut(s, "\n")
		default:
			word, err := nextWord(s)
			if err != nil {
				return nil, err
			}
			words, s = append(words, word), s[len(word):]
		}
	}
	endLine()
	return lines, nil
}

// nextWord returns the word that s starts with.
func nextWord(s string) (string, error) {
	if s[0] == '"' {
		word, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", fmt.Errorf("the quotes in %s are not closed", s)
		}
		return word, nil
	}
	if end := strings.IndexAny(s, " \t\r\n;\""); end >= 0 {
		return s[:end], nil
	}
	return s, nil
}
