package chaos

import "math/rand/v2"

// Everything that a campaign draws comes from its one seed. Each goroutine has a stream of its own,
// so that what one of them draws does not depend on when another one ran.
type streamRole uint64

const (
	writerStream streamRole = iota + 1
	readerStream
	killStream
	cutStream
	ruleStream
)

// stream is the n-th source of numbers in its role. It is not safe for concurrent use.
func stream(seed uint64, role streamRole, n int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(role)<<32|uint64(uint32(n))))
}
