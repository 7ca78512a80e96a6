package faultfs_test

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

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
	if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
		return faultfs.Rule{Op: faultfs.OpWrite,
			Quota: rapid.OneOf(rapid.Just(faultfs.Full), rapid.Int64Min(1)).Draw(t, "quota"),
			Err:   rapid.SampledFrom([]syscall.Errno{0, syscall.ENOSPC, syscall.EDQUOT}).Draw(t, "errno")}
	}
	r := faultfs.Rule{
		Op:    genOp(t),
		Path:  genPath(t),
		N:     rapid.IntRange(0, 1<<31-1).Draw(t, "n"),
		Err:   rapid.SampledFrom([]syscall.Errno{syscall.EIO, syscall.EROFS, syscall.EINTR}).Draw(t, "errno"),
		After: rapid.Bool().Draw(t, "after"),
	}
	r.Sticky = r.N > 0 && rapid.Bool().Draw(t, "sticky")
	if r.N == 0 || r.Sticky {
		r.Heal = rapid.IntRange(0, 100).Draw(t, "heal")
	}
	if r.Op == faultfs.OpWrite && !r.After {
		r.TearBytes = rapid.IntRange(0, 1<<31-1).Draw(t, "tear")
	}
	return r
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
	for _, seed := range []string{`sync *.seg #3 EIO`, `write "a b" #1+ heal=2 tear=17 EIO`, "write * quota=0\n#\n;", `any * EIO after`} {
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
