package faultfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ending is how one life ended.
type ending struct {
	point int
	kill  bool
	id    string // if not kill: the state that was left, of the space of the point
}

// noWords is the empty plan in a replay line.
const noWords = "-"

// replay is what a replay line says.
type replay struct {
	subject string
	profile Profile
	plan    []string
	crashes []ending
}

// String returns the line: subject, profile, words of the plan and crashes, as
// in "kv/weak/set,del,roll/23.k9f2/4-kill/2.0". No shell takes offence at it.
func (r replay) String() string {
	parts := []string{r.subject, string(r.profile), noWords}
	if len(r.plan) > 0 {
		parts[2] = strings.Join(r.plan, ",")
	}
	for _, c := range r.crashes {
		parts = append(parts, c.String())
	}
	return strings.Join(parts, "/")
}

// parseReplay takes a line apart for s.
func parseReplay(s *Subject, line string) (replay, error) {
	parts := strings.Split(strings.TrimSpace(line), "/")
	if len(parts) < 3 {
		return replay{}, fmt.Errorf("want subject/profile/words, and /point.state for each crash")
	}
	if parts[0] != s.Name {
		return replay{}, fmt.Errorf("subject %q: this is %q", parts[0], s.Name)
	}
	p, err := ParseProfile(parts[1])
	if err != nil {
		return replay{}, err
	}
	r := replay{subject: parts[0], profile: p}
	if parts[2] != noWords {
		r.plan = strings.Split(parts[2], ",")
	}
	if err := s.checkPlan(r.plan); err != nil {
		return replay{}, err
	}
	for _, part := range parts[3:] {
		c, err := parseEnding(part)
		if err != nil {
			return replay{}, err
		}
		r.crashes = append(r.crashes, c)
	}
	return r, nil
}

// String returns "23.k9f2", or "23-kill".
func (e ending) String() string {
	if e.kill {
		return fmt.Sprintf("%d-kill", e.point)
	}
	return fmt.Sprintf("%d.%s", e.point, e.id)
}

func parseEnding(s string) (e ending, err error) {
	point, ok := strings.CutSuffix(s, "-kill")
	e.kill = ok
	if !ok {
		point, e.id, _ = strings.Cut(s, ".")
		ok = e.id != ""
	}
	e.point, err = strconv.Atoi(point)
	if !ok || err != nil || e.point < 0 {
		return e, fmt.Errorf("crash %q: want POINT.STATE or POINT-kill", s)
	}
	return e, nil
}

// checkPlan refuses words that the subject does not know, or that could not
// stand in a replay line.
func (s *Subject) checkPlan(plan []string) error {
	for _, w := range plan {
		if len(s.Words) > 0 && !slices.Contains(s.Words, w) {
			return fmt.Errorf("word %q: %s knows %s", w, s.Name, strings.Join(s.Words, ", "))
		}
		if err := checkWord(w); err != nil {
			return err
		}
	}
	return nil
}

// checkWord accepts what needs no quotes in a shell and no escape in a line.
func checkWord(w string) error {
	ok := w != "" && w != noWords
	for _, c := range w {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune("-_+:=@%", c):
		default:
			ok = false
		}
	}
	if !ok {
		return fmt.Errorf("word %q: want letters, digits and -_+:=@%% only, and not %q", w, noWords)
	}
	return nil
}
