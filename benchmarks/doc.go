// Package benchmarks measures Holdfast and says what each figure is made of.
//
// [RunEngine] holds the engine against what the disk itself can do, in one run:
// durable writes against [BareLoop], and reads from the operating system's
// cache against a bare ReadAt. The two sides of each comparison take turns,
// round by round, and which goes first alternates, so that a machine that
// becomes slower or faster meanwhile does so for both; a ratio is of medians.
// Machines differ and drift; ratios of one run are what may be compared.
//
// [RunServer] measures a server through the client: writes, reads and bulk
// writes, by the number of goroutines that share one client.
//
// # What a figure means
//
// All load is closed: each goroutine begins its next operation when the one
// before has ended. A window counts the operations that have succeeded, up to
// and with those that were under way when its time was up, and divides by the
// time until the last of them had ended. Latency is measured around each
// operation, from the goroutine that waits for it.
//
// One operation that fails ends the run with its error, and there is no report:
// a figure over failing operations would be about something else. The same goes
// for a run that is cancelled.
//
// The same measurements under go test:
//
//	go test -run '^$' -bench . ./benchmarks
package benchmarks
