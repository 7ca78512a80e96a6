package faultfs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clause is one optional part of a rule. A new effect is a field of Rule, a
// clause here and its meaning in the call that it changes.
type clause struct {
	name string
	// print returns the clause as text, or "" when r does without it.
	print func(r Rule) string
	// parse reads a word; ok is false when the word is not this clause.
	parse func(r *Rule, word string) (ok bool, err error)
}

// clauses stand in the order in which they print.
var clauses = []clause{
	{"occurrence", printOccurrence, parseOccurrence},
	{"probability", printProbability, parseProbability},
	valued("seed", func(r *Rule) *uint64 { return &r.Seed }, printUint, parseSeed),
	number("heal", func(r *Rule) *int { return &r.Heal }),
	valued("delay", func(r *Rule) *time.Duration { return &r.Delay }, time.Duration.String, parseDelay),
	flag("stall", func(r *Rule) *bool { return &r.Stall }),
	number("tear", func(r *Rule) *int { return &r.TearBytes }),
	number("short", func(r *Rule) *int { return &r.ShortBytes }),
	{"damage", printDamage, parseDamage},
	valued("misdirect", func(r *Rule) *int64 { return &r.MisdirectBytes }, printSigned, parseSigned),
	flag("lost", func(r *Rule) *bool { return &r.Lost }),
	{"quota", printQuota, parseQuota},
	{"errno", func(r Rule) string { return errnoName(r.Err) }, parseErrno},
	flag("after", func(r *Rule) *bool { return &r.After }),
	{"personality", func(r Rule) string { return string(r.Personality) }, parsePersonality},
	{"crash", printCrash, parseCrash},
	flag("count", func(r *Rule) *bool { return &r.Count }),
}

// flag is the clause that is one word, and sets a field by standing there.
func flag(name string, field func(*Rule) *bool) clause {
	return clause{
		name: name,
		print: func(r Rule) string {
			if *field(&r) {
				return name
			}
			return ""
		},
		parse: func(r *Rule, word string) (bool, error) {
			if word != name {
				return false, nil
			}
			*field(r) = true
			return true, nil
		},
	}
}

// valued is the clause name=value, for a field where zero is absence.
func valued[T comparable](name string, field func(*Rule) *T, print func(T) string, parse func(string) (T, error)) clause {
	var absent T
	return clause{
		name: name,
		print: func(r Rule) string {
			if v := *field(&r); v != absent {
				return name + "=" + print(v)
			}
			return ""
		},
		parse: func(r *Rule, word string) (bool, error) {
			text, ok := strings.CutPrefix(word, name+"=")
			if !ok {
				return false, nil
			}
			v, err := parse(text)
			*field(r) = v
			return true, err
		},
	}
}

// number is the clause name=n, n at least 1.
func number(name string, field func(*Rule) *int) clause {
	return valued(name, field, strconv.Itoa, parseCount)
}

func parseCount(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, err
	}
	if n < 1 {
		return 0, errors.New("the number must be at least 1")
	}
	return n, nil
}

func printOccurrence(r Rule) string {
	switch {
	case r.N == 0:
		return ""
	case r.Sticky:
		return "#" + strconv.Itoa(r.N) + "+"
	}
	return "#" + strconv.Itoa(r.N)
}

func parseOccurrence(r *Rule, word string) (bool, error) {
	text, ok := strings.CutPrefix(word, "#")
	if !ok {
		return false, nil
	}
	text, r.Sticky = strings.CutSuffix(text, "+")
	var err error
	r.N, err = parseCount(text)
	return true, err
}

func printQuota(r Rule) string {
	switch r.Quota {
	case 0:
		return ""
	case Full:
		return "quota=0"
	}
	return "quota=" + strconv.FormatInt(r.Quota, 10)
}

func parseQuota(r *Rule, word string) (bool, error) {
	text, ok := strings.CutPrefix(word, "quota=")
	if !ok {
		return false, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return true, err
	case n < 0:
		return true, errors.New("the number must not be negative")
	case n == 0:
		n = Full
	}
	r.Quota = n
	return true, nil
}

func parseErrno(r *Rule, word string) (bool, error) {
	errno, ok := errnoNamed(word)
	if ok {
		r.Err = errno
	}
	return ok, nil
}

func printProbability(r Rule) string {
	if r.Probability == 0 {
		return ""
	}
	return "p=" + strconv.FormatFloat(r.Probability, 'g', -1, 64)
}

func parseProbability(r *Rule, word string) (bool, error) {
	text, ok := strings.CutPrefix(word, "p=")
	if !ok {
		return false, nil
	}
	p, err := strconv.ParseFloat(text, 64)
	if err == nil && p == 0 {
		err = errors.New("what has no chance never fires")
	}
	r.Probability = p
	return true, err
}

func printUint(n uint64) string { return strconv.FormatUint(n, 10) }

func parseSeed(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err == nil && n == 0 {
		err = errors.New("the number must be at least 1")
	}
	return n, err
}

func parseDelay(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("the time must be more than nothing")
	}
	return d, err
}

func printSigned(n int64) string { return fmt.Sprintf("%+d", n) }

func parseSigned(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n == 0 {
		err = errors.New("the number must not be zero")
	}
	return n, err
}

func printDamage(r Rule) string {
	if r.Damage == DamageFlip {
		return "flip=" + strconv.FormatInt(r.FlipBit, 10)
	}
	return string(r.Damage)
}

func parseDamage(r *Rule, word string) (bool, error) {
	if text, ok := strings.CutPrefix(word, "flip="); ok {
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil && n < 0 {
			err = errors.New("the number must not be negative")
		}
		r.Damage, r.FlipBit = DamageFlip, n
		return true, err
	}
	kind := Damage(word)
	if kind != DamageZero && kind != DamageGarbage {
		return false, nil
	}
	r.Damage, r.FlipBit = kind, 0
	return true, nil
}

func parsePersonality(r *Rule, word string) (bool, error) {
	p := Personality(word)
	if !slices.Contains(personalities, p) {
		return false, nil
	}
	r.Personality = p
	return true, nil
}

func printCrash(r Rule) string {
	switch {
	case !r.Crash:
		return ""
	case r.Keep == "":
		return "crash"
	}
	return "crash=" + r.Keep
}

func parseCrash(r *Rule, word string) (bool, error) {
	keep, named := strings.CutPrefix(word, "crash=")
	if !named && word != "crash" {
		return false, nil
	}
	if named && !slices.Contains(crashKeeps, keep) {
		return true, fmt.Errorf("a crash keeps one of %s", strings.Join(crashKeeps, ", "))
	}
	r.Crash = true
	if named {
		r.Keep = keep
	}
	return true, nil
}
