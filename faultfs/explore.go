package faultfs

import (
	"iter"
	"time"
)

// Subject is the system under exploration. All of it must be deterministic: the
// same plan, or the same content of the disk, gives the same calls and events.
type Subject struct {
	// Name is the first word of every replay line.
	Name string
	// Words are what plans are made of, for checking plans that are typed; none:
	// any word will do. Names and words are letters, digits and -_+:=@%.
	Words []string
	// Load starts the system on an empty disk and does what the plan says,
	// calling r.Step before each word. It must neither close the system in an
	// orderly way nor leave goroutines behind: call r.PowerOff, then close.
	// Its error says that the plan cannot be run, not that a call failed.
	Load func(r *Run, plan []string) error
	// Recover starts the system on what a crash has left, notes everything that
	// it finds, writes something more, and ends as Load does. What fails is noted
	// as an event too.
	Recover func(r *Run)
	// Judge is the oracle: it returns an error if what the last life saw, or
	// did, breaks a promise that it or the lives before it made. The first life is
	// that of Load, and may be the only one. Reasons that differ in numbers or in
	// what stands in double quotes are one kind of violation. Judge must not keep
	// or change lives. It may be called concurrently.
	Judge func(lives []Life) error
}

// ExploreOptions bound an exploration. The zero value of each field is good.
type ExploreOptions struct {
	Profile Profile // default Weak
	Seed    uint64
	// Plans are the workloads; nil: the empty plan alone.
	Plans iter.Seq[[]string]
	// OnlyLast skips crash points in front of the last word of a plan, for
	// Plans that contain every beginning of a plan as a plan of its own.
	OnlyLast bool
	// StatesPerPoint bounds the states visited at each crash point of a plan,
	// default 4096; NestedPerPoint those at each crash point of a recovery,
	// default 4. Nesting is how many crashes there may be one after the other,
	// default 3. Recoveries are crashed at as many of their points as takes about
	// the time that the rest takes; Points counts those.
	StatesPerPoint, NestedPerPoint, Nesting int
	// MaxStates ends the exploration after about so many visits. 0: no end but
	// those of Plans and of the context.
	MaxStates uint64
	// MaxViolations ends the exploration after so many distinct violations,
	// default 1.
	MaxViolations int
	// Workers is the number of goroutines, default GOMAXPROCS.
	Workers int
	// Progress, if set, is called about once a second, one call at a time.
	Progress func(Exploration)
}

// Exploration is what an exploration has done so far. Legal counts contents by
// crash point; so does Visited, which is Legal in the sense of "k of n".
type Exploration struct {
	Profile    Profile       `json:"profile"`
	Seed       uint64        `json:"seed"`
	Plans      uint64        `json:"plans"`
	Points     uint64        `json:"points"`     // crash points, those in recoveries included
	Legal      uint64        `json:"legal"`      // states at these points
	LegalIsMin bool          `json:"legalIsMin"` // there are more: some points have too many to count
	Visited    uint64        `json:"visited"`    // of them
	Nested     uint64        `json:"nested"`     // of the visited: at a crash point of a recovery
	Killed     uint64        `json:"killed"`     // of the visited: a kill, with a power cut later or never
	Unique     uint64        `json:"unique"`     // of the visited: content not seen before in its plan
	EqualRead  uint64        `json:"equalRead"`  // of the unique: proved equal by what recovery reads
	Recoveries uint64        `json:"recoveries"` // that were run
	Elapsed    time.Duration `json:"elapsedNanos"`
	Violations []Violation   `json:"violations"`
}

// StatesPerSecond is the number of states visited by the clock.
func (e Exploration) StatesPerSecond() float64 {
	return float64(e.Visited) / max(e.Elapsed, 1).Seconds()
}

// Violation is a legal crash, or series of crashes, after which a promise was
// broken.
type Violation struct {
	// Replay is the line from which [Replay] makes it happen again, shrunk.
	Replay string `json:"replay"`
	// Found is the line as it was before shrinking.
	Found   string   `json:"found"`
	Plan    []string `json:"plan"`    // shrunk
	Crashes []Crash  `json:"crashes"` // of the load first, then of the recoveries; empty: none was needed
	Reason  string   `json:"reason"`  // what the oracle said
	// Profiles are those on which it can happen: of the one that was explored and
	// the stronger ones.
	Profiles []Profile `json:"profiles"`
}

// Crash is how one life of a violation ended.
type Crash struct {
	Point int  `json:"point"`
	Kill  bool `json:"kill"` // of the process alone; else of the machine
	// Calls are the calls of this life that had made changes which were pending
	// when it ended. Survivors is what a power cut left of these, and of what was
	// pending from a life before that was killed.
	Calls     []string `json:"calls"`
	Survivors []string `json:"survivors"`
}
