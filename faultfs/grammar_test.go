package faultfs_test

import (
	"math"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"holdfast/faultfs"
)

func TestParseRuleReadsEachClause(t *testing.T) {
	for text, want := range map[string]faultfs.Rule{
		`sync *.seg #3 EIO`:            {Op: "sync", Path: "*.seg", N: 3, Err: syscall.EIO},
		`sync * #2+ EIO`:               {Op: "sync", N: 2, Sticky: true, Err: syscall.EIO},
		`sync * #2+ heal=4 EIO`:        {Op: "sync", N: 2, Sticky: true, Heal: 4, Err: syscall.EIO},
		`sync * heal=4 EIO`:            {Op: "sync", Heal: 4, Err: syscall.EIO},
		`sync * #1 EIO after`:          {Op: "sync", N: 1, Err: syscall.EIO, After: true},
		`syncdir * EIO`:                {Op: "syncdir", Err: syscall.EIO},
		`write *.seg #2 tear=17 EIO`:   {Op: "write", Path: "*.seg", N: 2, TearBytes: 17, Err: syscall.EIO},
		`write * quota=65536`:          {Op: "write", Quota: 65536},
		`write * quota=0 EDQUOT`:       {Op: "write", Quota: faultfs.Full, Err: syscall.EDQUOT},
		`create|write|rename * EROFS`:  {Op: "create|write|rename", Err: syscall.EROFS},
		`any * #17 EIO`:                {Op: faultfs.OpAny, N: 17, Err: syscall.EIO},
		`read data/*.seg #1 EIO`:       {Op: "read", Path: "data/*.seg", N: 1, Err: syscall.EIO},
		`open "/srv/my db/M" EMFILE`:   {Op: "open", Path: "/srv/my db/M", Err: syscall.EMFILE},
		`open "a\"b;c\n" EMFILE`:       {Op: "open", Path: "a\"b;c\n", Err: syscall.EMFILE},
		`open "#1" EMFILE`:             {Op: "open", Path: "#1", Err: syscall.EMFILE},
		`remove * EACCES`:              {Op: "remove", Err: syscall.EACCES},
		`rename [a-c]?.tmp #1 ENOSPC`:  {Op: "rename", Path: "[a-c]?.tmp", N: 1, Err: syscall.ENOSPC},
		`write * #1 ENOMEM`:            {Op: "write", N: 1, Err: syscall.ENOMEM},
		`truncate|attr|close * EPERM`:  {Op: "truncate|attr|close", Err: syscall.EPERM},
		`mkdir|list|stat|lock * EINTR`: {Op: "mkdir|list|stat|lock", Err: syscall.EINTR},

		`sync * p=0.25 seed=7 EIO`:                  {Op: "sync", Probability: 0.25, Seed: 7, Err: syscall.EIO},
		`sync * #9+ p=1e-07 heal=2 EIO`:             {Op: "sync", N: 9, Sticky: true, Probability: 1e-7, Heal: 2, Err: syscall.EIO},
		`any * p=1 EIO`:                             {Op: "any", Probability: 1, Err: syscall.EIO},
		`write * #2 short=5`:                        {Op: "write", N: 2, ShortBytes: 5},
		`read * flip=0`:                             {Op: "read", Damage: faultfs.DamageFlip},
		`read|write * flip=17`:                      {Op: "read|write", Damage: faultfs.DamageFlip, FlipBit: 17},
		`write * zero`:                              {Op: "write", Damage: faultfs.DamageZero},
		`write * seed=3 tear=9 garbage EIO`:         {Op: "write", Seed: 3, TearBytes: 9, Damage: faultfs.DamageGarbage, Err: syscall.EIO},
		`write * zero EIO after`:                    {Op: "write", Damage: faultfs.DamageZero, Err: syscall.EIO, After: true},
		`write * misdirect=-512`:                    {Op: "write", MisdirectBytes: -512},
		`write * zero misdirect=+1073741824`:        {Op: "write", Damage: faultfs.DamageZero, MisdirectBytes: 1 << 30},
		`write|sync|syncdir * lost`:                 {Op: "write|sync|syncdir", Lost: true},
		`any * delay=1m0.5s`:                        {Op: "any", Delay: 60500 * time.Millisecond},
		`sync * stall EIO`:                          {Op: "sync", Stall: true, Err: syscall.EIO},
		`sync|syncdir * EIO clean`:                  {Op: "sync|syncdir", Err: syscall.EIO, Personality: faultfs.PagesClean},
		`sync * EIO reverted`:                       {Op: "sync", Err: syscall.EIO, Personality: faultfs.CacheReverted},
		`sync * EDQUOT late`:                        {Op: "sync", Err: syscall.EDQUOT, Personality: faultfs.ErrorLate},
		`sync * EIO aborted`:                        {Op: "sync", Err: syscall.EIO, Personality: faultfs.JournalAborted},
		`any * #7 crash`:                            {Op: "any", N: 7, Crash: true},
		`write * seed=2 delay=1ns after crash=torn`: {Op: "write", Seed: 2, Delay: 1, After: true, Crash: true, Keep: "torn"},
		`open|list * count`:                         {Op: "open|list", Count: true},
	} {
		rule, err := faultfs.ParseRule(text)
		require.NoError(t, err)
		require.Equal(t, want, rule, text)
		require.Equal(t, text, rule.String(), "the examples are written the way they print")
	}
}

func TestParseRuleTakesClausesInAnyOrder(t *testing.T) {
	rule, err := faultfs.ParseRule("\t write  *   EIO tear=3 #5+ heal=2 \r")
	require.NoError(t, err)
	require.Equal(t, "write * #5+ heal=2 tear=3 EIO", rule.String())
}

func TestStarIsEveryPathHoweverItIsWritten(t *testing.T) {
	for _, text := range []string{`sync * EIO`, `sync "*" EIO`} {
		rule, err := faultfs.ParseRule(text)
		require.NoError(t, err)
		require.Empty(t, rule.Path)
	}
	require.Equal(t, "sync * EIO", faultfs.Rule{Op: "sync", Path: "*", Err: syscall.EIO}.String())
}

func TestParseRuleRefuses(t *testing.T) {
	for text, because := range map[string]string{
		``:                              "want one rule, have 0",
		`sync * EIO; sync * EIO`:        "want one rule, have 2",
		`sync`:                          "starts with an operation and a path",
		`sync #3 EIO`:                   `"#3" stands where the path belongs`,
		`sync EIO`:                      "it does nothing",
		`sync *`:                        "it does nothing",
		`fsync * EIO`:                   `"fsync" is no operation`,
		`sync|sync * EIO`:               "named twice",
		`sync| * EIO`:                   `"" is no operation`,
		`any|sync * EIO`:                `"any" is no operation`,
		`sync * EBADF`:                  `"EBADF" is not part of the grammar`,
		`sync * eio`:                    `"eio" is not part of the grammar`,
		`sync * EIO EIO`:                "is a second errno",
		`sync * #1 #2 EIO`:              "is a second occurrence",
		`sync * #0 EIO`:                 "must be at least 1",
		`sync * #-1 EIO`:                "must be at least 1",
		`sync * #x EIO`:                 "invalid syntax",
		`sync * #99999999999999999999+`: "value out of range",
		`sync * #1 heal=2 EIO`:          "nothing to heal",
		`sync * heal=0 EIO`:             "must be at least 1",
		`sync * tear=1 EIO`:             "only a write can be torn",
		`write|sync * tear=1 EIO`:       "only a write can be torn",
		`write * tear=1`:                "name an errno",
		`write * tear=0 EIO`:            "must be at least 1",
		`write * tear=1 EIO after`:      "not both",
		`write * quota=-1`:              "must not be negative",
		`write * quota=x`:               "invalid syntax",
		`write * quota=1 EIO`:           "fails with ENOSPC or EDQUOT",
		`sync * quota=1`:                "a quota is about all allocation",
		`write *.seg quota=1`:           "a quota is about all allocation",
		`write * #2 quota=1`:            "a quota is about all allocation",
		`sync [a EIO`:                   "syntax error in pattern",
		`sync a/ EIO`:                   `can match nothing: write "a"`,
		`sync ./a EIO`:                  `can match nothing: write "a"`,
		`sync "" EIO`:                   "an empty path matches nothing",
		`sync "a EIO`:                   "are not closed",

		`sync * p=0 EIO`:                "no chance",
		`sync * p=-1 EIO`:               "above 0 and not above 1",
		`sync * p=1.5 EIO`:              "above 0 and not above 1",
		`sync * p=NaN EIO`:              "above 0 and not above 1",
		`sync * p=x EIO`:                "invalid syntax",
		`sync * #3 p=0.5 EIO`:           "leaves nothing to chance",
		`sync * p=0.5`:                  "it does nothing",
		`sync * seed=0 p=0.5 EIO`:       "must be at least 1",
		`sync * seed=-1 p=0.5 EIO`:      "invalid syntax",
		`sync * seed=2 EIO`:             "decides nothing",
		`write * seed=2 zero`:           "decides nothing",
		`sync * delay=0s EIO`:           "more than nothing",
		`sync * delay=-1s EIO`:          "more than nothing",
		`sync * delay=5`:                "missing unit",
		`sync * delay=5s stall`:         "needs no delay",
		`sync * stalled`:                "not part of the grammar",
		`sync * stall stall`:            "second stall",
		`sync * short=1`:                "only a read or a write can fall short",
		`write * short=0`:               "must be at least 1",
		`write * short=1 EIO`:           "one of them",
		`write * short=1 tear=1 EIO`:    "one of them",
		`write * short=1 after`:         "name an errno or crash",
		`write * after`:                 "name an errno or crash",
		`any * zero`:                    "only what is read or written",
		`sync * flip=1`:                 "only what is read or written",
		`write * flip=-1`:               "must not be negative",
		`write * flip=x`:                "invalid syntax",
		`write * flip=1 zero`:           "second damage",
		`write * zero lost`:             "writes nothing that could be damaged",
		`write * zero EIO`:              "leaves nothing that could be damaged",
		`read * zero EIO after`:         "leaves nothing that could be damaged",
		`write * zero crash`:            "two rules",
		`truncate * lost`:               "can be lost",
		`any * lost`:                    "can be lost",
		`sync * lost EIO`:               "one of them",
		`write * lost misdirect=1`:      "one of them",
		`read * misdirect=1`:            "only a write can be misdirected",
		`write * misdirect=0`:           "must not be zero",
		`write * misdirect=x`:           "invalid syntax",
		`write * misdirect=1073741825`:  "by no more than",
		`write * misdirect=-1073741825`: "by no more than",
		`write * EIO clean`:             "about no other call",
		`sync|write * EIO late`:         "about no other call",
		`sync * clean`:                  "name an errno",
		`sync * EIO late after`:         "about one that does",
		`sync * EIO late aborted`:       "second personality",
		`sync * crash=everything`:       "keeps one of nothing, whole",
		`sync * crash=`:                 "keeps one of nothing, whole",
		`sync * crash EIO`:              "an errno means nothing",
		`sync * lost crash`:             "one of them",
		`sync * heal=2 crash`:           "does not heal",
		`sync * #2+ crash`:              "without the plus",
		`sync * crash crash=any`:        "second crash",
		`sync * #2 count`:               "counts strikes nothing",
		`sync * p=0.5 count`:            "counts strikes nothing",
		`sync * count EIO`:              "counts strikes nothing",
		`write * quota=1 count`:         "a quota is about all allocation",
		`write * quota=1 delay=1s`:      "a quota is about all allocation",
		`write * quota=1 crash`:         "a quota is about all allocation",
	} {
		_, err := faultfs.ParseRule(text)
		require.ErrorContains(t, err, because, text)
	}
}

func TestValidateRefusesWhatTheGrammarCannotSay(t *testing.T) {
	good := faultfs.Rule{Op: faultfs.OpWrite, Err: syscall.EIO}
	require.NoError(t, good.Validate())
	for because, spoil := range map[string]func(*faultfs.Rule){
		"a count is negative":    func(r *faultfs.Rule) { r.N = -1 },
		"sticky rule needs":      func(r *faultfs.Rule) { r.Sticky = true },
		"tear is negative":       func(r *faultfs.Rule) { r.TearBytes = -1 },
		"has no name here":       func(r *faultfs.Rule) { r.Err = syscall.EXDEV },
		"quota is negative":      func(r *faultfs.Rule) { r.Quota = -2 },
		`"" is no operation`:     func(r *faultfs.Rule) { r.Op = "" },
		"it does nothing":        func(r *faultfs.Rule) { r.Err = 0 },
		"about all allocation":   func(r *faultfs.Rule) { r.Quota, r.TearBytes = 1, 1 },
		"fails with ENOSPC or E": func(r *faultfs.Rule) { r.Quota = 1 },
		"delay is negative":      func(r *faultfs.Rule) { r.Delay = -1 },
		"short is negative":      func(r *faultfs.Rule) { r.ShortBytes = -1 },
		"flip is negative":       func(r *faultfs.Rule) { r.FlipBit = -1 },
		"named and not flipped":  func(r *faultfs.Rule) { r.FlipBit = 1 },
		`"rust" is no damage`:    func(r *faultfs.Rule) { r.Damage = "rust" },
		`"odd" is no personal`:   func(r *faultfs.Rule) { r.Op, r.Personality = "sync", "odd" },
		`cannot keep "half"`:     func(r *faultfs.Rule) { r.Err, r.Crash, r.Keep = 0, true, "half" },
		"is kept at a crash":     func(r *faultfs.Rule) { r.Keep = "any" },
		"no more than":           func(r *faultfs.Rule) { r.Err, r.MisdirectBytes = 0, math.MinInt64 },
		"nothing to chance":      func(r *faultfs.Rule) { r.N, r.Probability = 1, 0.5 },
	} {
		rule := good
		spoil(&rule)
		require.ErrorContains(t, rule.Validate(), because)
		require.Panics(t, func() { faultfs.New(nil, rule) }, "an invalid rule is a mistake in the program")
	}
}

func TestParseRulesReadsAScenario(t *testing.T) {
	rules, err := faultfs.ParseRules(`
		# the first checkpoint fails, then the disk fills up
		rename *.tmp #1 EIO;  write * quota=10

		sync "a;b" EIO ; # and a file with an awkward name`)
	require.NoError(t, err)
	require.Equal(t, faultfs.MustParse(`rename *.tmp #1 EIO; write * quota=10; sync "a;b" EIO`), rules)
	require.Len(t, rules, 3)

	_, err = faultfs.ParseRules("sync * EIO\nsync *")
	require.ErrorContains(t, err, "it does nothing", "one bad rule spoils the scenario")
	require.Panics(t, func() { faultfs.MustParse("sync *") })
}

// The page that explains the grammar must not drift from it.
func TestExamplesInThePackageCommentParse(t *testing.T) {
	page, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, examples, found := strings.Cut(string(page), "// For example:\n//\n")
	require.True(t, found)
	examples, _, _ = strings.Cut(examples, "//\n")
	lines := strings.Split(strings.TrimSpace(examples), "\n")
	require.Greater(t, len(lines), 10)
	gap := regexp.MustCompile(` {2,}.*`)
	for _, line := range lines {
		text := gap.ReplaceAllString(strings.TrimPrefix(line, "//\t"), "")
		rule, err := faultfs.ParseRule(text)
		require.NoError(t, err)
		require.Equal(t, text, rule.String())
	}
	for _, op := range faultfs.Ops() {
		require.Contains(t, string(page), `"`+string(op)+`"`, "the EBNF lists every operation")
	}
	for _, word := range strings.Fields("p= seed= heal= delay= stall count flip= zero garbage tear= after short= misdirect= lost" +
		" quota= crash clean reverted late aborted nothing whole torn zeros any") {
		require.Contains(t, string(page), `"`+word+`"`, "the EBNF lists every clause")
	}
}

// To replay a failure: go test ./faultfs -run RoundTrip -rapid.seed=N
func TestRulesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := genRule(t)
		require.NoError(t, rule.Validate())
		parsed, err := faultfs.ParseRule(rule.String())
		require.NoError(t, err)
		require.Equal(t, rule, parsed)
	})
}

// genRule draws from all valid rules with awkward names.
func genRule(t *rapid.T) faultfs.Rule {
	switch rapid.IntRange(0, 8).Draw(t, "kind") {
	case 0:
		return faultfs.Rule{Op: faultfs.OpWrite,
			Quota: rapid.OneOf(rapid.Just(faultfs.Full), rapid.Int64Min(1)).Draw(t, "quota"),
			Err:   rapid.SampledFrom([]syscall.Errno{0, syscall.ENOSPC, syscall.EDQUOT}).Draw(t, "errno")}
	case 1:
		return faultfs.Rule{Op: genOp(t), Path: genPath(t), Count: true}
	}
	r := faultfs.Rule{Path: genPath(t)}
	genEffect(t, &r)
	genOccurrence(t, &r)
	genSeed(t, &r)
	return r
}

// genEffect draws what happens, and to which calls that can happen.
func genEffect(t *rapid.T, r *faultfs.Rule) {
	errnos := rapid.SampledFrom([]syscall.Errno{syscall.EIO, syscall.EROFS, syscall.EINTR})
	r.Op = rapid.SampledFrom([]faultfs.Op{"read", "write", "read|write"}).Draw(t, "transfer")
	switch effect := rapid.SampledFrom(effects).Draw(t, "effect"); effect {
	case "errno":
		r.Op, r.Err, r.After = genOp(t), errnos.Draw(t, "errno"), rapid.Bool().Draw(t, "after")
	case "tear":
		r.Op, r.Err, r.TearBytes = "write", errnos.Draw(t, "errno"), rapid.IntRange(1, 1<<31-1).Draw(t, "tear")
		genDamage(t, r)
	case "short":
		r.ShortBytes = rapid.IntRange(1, 1<<31-1).Draw(t, "short")
		genDamage(t, r)
	case "damage":
		r.Damage = faultfs.DamageZero
	case "misdirect":
		r.Op, r.MisdirectBytes = "write", rapid.Int64Range(-1<<30, 1<<30).Filter(func(n int64) bool { return n != 0 }).Draw(t, "by")
		genDamage(t, r)
	case "lost":
		r.Op, r.Lost = rapid.SampledFrom([]faultfs.Op{"write", "sync", "syncdir|sync"}).Draw(t, "op"), true
	case "crash":
		r.Op, r.Crash, r.After = genOp(t), true, rapid.Bool().Draw(t, "after")
		r.Keep = rapid.SampledFrom([]string{"", "nothing", "whole", "torn", "zeros", "garbage", "any"}).Draw(t, "keep")
	case "personality":
		r.Op, r.Err = rapid.SampledFrom([]faultfs.Op{"sync", "syncdir", "sync|syncdir"}).Draw(t, "op"), errnos.Draw(t, "errno")
		r.Personality = rapid.SampledFrom([]faultfs.Personality{"clean", "reverted", "late", "aborted"}).Draw(t, "personality")
	case "wait":
		r.Op, r.Stall = genOp(t), true
	}
	if !r.Stall && rapid.Bool().Draw(t, "slow") {
		r.Delay = time.Duration(rapid.Int64Min(1).Draw(t, "delay"))
	}
}

var effects = []string{"errno", "tear", "short", "damage", "misdirect", "lost", "crash", "personality", "wait"}

func genDamage(t *rapid.T, r *faultfs.Rule) {
	r.Damage = rapid.SampledFrom([]faultfs.Damage{"", "flip", "zero", "garbage"}).Draw(t, "damage")
	if r.Damage == faultfs.DamageFlip {
		r.FlipBit = rapid.Int64Min(0).Draw(t, "bit")
	}
}

func genOccurrence(t *rapid.T, r *faultfs.Rule) {
	r.N = rapid.IntRange(0, 1<<31-1).Draw(t, "n")
	r.Sticky = r.N > 0 && !r.Crash && rapid.Bool().Draw(t, "sticky")
	if r.N > 0 && !r.Sticky {
		return
	}
	if !r.Crash {
		r.Heal = rapid.IntRange(0, 100).Draw(t, "heal")
	}
	if rapid.Bool().Draw(t, "chance") {
		r.Probability = rapid.Float64Range(math.SmallestNonzeroFloat64, 1).Draw(t, "p")
	}
}

func genSeed(t *rapid.T, r *faultfs.Rule) {
	if r.Probability > 0 || r.Crash || r.Damage == faultfs.DamageGarbage {
		r.Seed = rapid.Uint64().Draw(t, "seed")
	}
}

func genOp(t *rapid.T) faultfs.Op {
	single := rapid.SampledFrom(append(faultfs.Ops(), faultfs.OpAny, faultfs.OpWrite))
	joined := rapid.Custom(func(t *rapid.T) faultfs.Op {
		kinds := rapid.SliceOfNDistinct(rapid.SampledFrom(faultfs.Ops()), 1, 4, rapid.ID).Draw(t, "ops")
		var texts []string
		for _, kind := range kinds {
			texts = append(texts, string(kind))
		}
		return faultfs.Op(strings.Join(texts, "|"))
	})
	return rapid.OneOf(single, joined).Draw(t, "op")
}

func genPath(t *rapid.T) string {
	clean := func(glob string) bool {
		return glob != "*" && (faultfs.Rule{Op: "sync", Path: glob, Err: syscall.EIO}).Validate() == nil
	}
	letters := rapid.SampledFrom([]rune("ab*?/ #;\"\t\n\u00a0é\u2028\x00-]"))
	return rapid.OneOf(
		rapid.StringOf(letters),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 5), func(b []byte) string { return string(b) }),
	).Filter(clean).Draw(t, "path")
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{`sync *.seg #3 EIO`, `write "a b" #1+ heal=2 tear=17 EIO`, "write * quota=0\n#\n;", `any * EIO after`,
		`read * #4+ p=0.5 seed=7 short=3 delay=1s garbage`, `sync * EIO late; write * misdirect=-9; any * after crash=any`, `open * count`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := faultfs.ParseRules(text)
		if err != nil {
			return
		}
		var printed strings.Builder
		for _, rule := range rules {
			require.NoError(t, rule.Validate(), "what parses can be injected")
			printed.WriteString(rule.String() + ";")
		}
		again, err := faultfs.ParseRules(printed.String())
		require.NoError(t, err)
		require.Equal(t, rules, again)
	})
}

// What is easily written wrong gets an answer that says how to write it.
func TestParserKnowsWhatWasMeant(t *testing.T) {
	for text, want := range map[string]string{
		"sync EIO":          `EIO was taken as the path; write "sync * EIO"`,
		"write EIO after":   `write "write * EIO after"`,
		"sync *.seg 3 EIO":  `did you mean "#3"?`,
		"sync *.seg 3+ EIO": `did you mean "#3+"?`,
	} {
		_, err := faultfs.ParseRules(text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := faultfs.ParseRules("sync EIO EROFS")
	require.NoError(t, err, "a file may have such a name")
}
