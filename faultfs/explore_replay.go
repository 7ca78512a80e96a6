package faultfs

import (
	"fmt"
	"slices"
)

// Replay makes one crash, or one series of nested crashes, happen again, from
// the line that a Violation has. The violation that it returns is not shrunk any
// further; it is nil if everything went as promised. The error says what is
// wrong with the line or with s.
func Replay(s Subject, line string) (*Violation, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	r, err := parseReplay(&s, line)
	if err != nil {
		return nil, fmt.Errorf("replay line %q: %w", line, err)
	}
	h, err := r.run(&s)
	if err != nil {
		return nil, fmt.Errorf("replaying %q: %w", line, err)
	}
	if h.reason == "" {
		return nil, nil
	}
	v := h.violation(r)
	v.Found = v.Replay
	return &v, nil
}

// history is what a replay went through.
type history struct {
	lives  []*life // those that were crashed
	reason string  // of the first promise that was broken, if one was
}

// run loads, crashes and recovers as r says, up to the first broken promise.
func (r replay) run(s *Subject) (h history, err error) {
	l := &life{disk: NewDisk(), past: &past{}}
	rec, err := s.load(l.disk, r.plan)
	if err != nil {
		return h, err
	}
	for i := 0; ; i++ {
		l.out = &result{record: rec}
		h.reason = s.verdict(l.out, append(slices.Clone(l.past.lives), Life{Events: rec.events}))
		if h.reason != "" || i == len(r.crashes) {
			return h, nil
		}
		h.lives = append(h.lives, l)
		d, err := l.end(r.crashes[i], r.profile)
		if err != nil {
			return h, fmt.Errorf("crash %d: %w", i+1, err)
		}
		l = &life{up: l, depth: l.depth + 1, disk: d, past: l.past.then(l.out, l.out.before(l.point))}
		rec = s.recover(d)
	}
}

// end crashes l as c says and returns the disk that is left.
func (l *life) end(c ending, p Profile) (*Disk, error) {
	if c.point > l.out.points {
		return nil, fmt.Errorf("crash point %d: there are 0 to %d", c.point, l.out.points)
	}
	l.point = c.point
	if c.kill {
		l.kill = true
		return l.disk.Killed(c.point), nil
	}
	state, err := l.disk.Space(c.point, p).State(c.id)
	if err != nil {
		return nil, fmt.Errorf("state %q of crash point %d: %w", c.id, c.point, err)
	}
	l.state = state.Clone()
	return l.state.Disk(), nil
}

// violation describes what h came to. Only the crashes that it came to count.
func (h history) violation(r replay) Violation {
	r.crashes = r.crashes[:len(h.lives)]
	v := Violation{Replay: r.String(), Plan: append([]string{}, r.plan...), Reason: h.reason, Crashes: []Crash{}}
	for _, l := range h.lives {
		v.Crashes = append(v.Crashes, l.crash(r.profile))
	}
	for _, p := range Profiles() {
		if p == r.profile || h.legalOn(p) {
			v.Profiles = append(v.Profiles, p)
		}
	}
	return v
}

// legalOn reports whether every crash of h may happen with p.
func (h history) legalOn(p Profile) bool {
	for _, l := range h.lives {
		if !l.kill && !l.disk.Space(l.point, p).Contains(l.state) {
			return false
		}
	}
	return true
}

// crash describes how l ended.
func (l *life) crash(p Profile) Crash {
	c := Crash{Point: l.point, Kill: l.kill, Calls: []string{}, Survivors: []string{}}
	last := 0
	for _, change := range l.disk.Space(l.point, p).all() {
		if k := change.issued; k > last { // what was pending from the start has no call
			c.Calls, last = append(c.Calls, l.disk.Call(k)), k
		}
	}
	if !l.kill {
		c.Survivors = append(c.Survivors, l.state.Survivors()...)
	}
	return c
}
