package chaos

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// The test binary plays other parts when roleVar names one: it is the server of the campaigns in
// these tests, or a campaign that gets killed.
const roleVar = "HOLDFAST_CHAOS_TEST_ROLE"

var roles = map[string]func(args []string) error{
	"fake":   fakeServerMain,
	"real":   realServerMain,
	"runner": runnerMain,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVar)
	if role == "" {
		goleak.VerifyTestMain(m)
		return
	}
	play, found := roles[role]
	if !found {
		fmt.Fprintf(os.Stderr, "no such role: %q\n", role)
		os.Exit(2)
	}
	if err := play(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
