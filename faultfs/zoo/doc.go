// Package zoo is a collection of tiny key-value stores, written the way people
// write them, each with what the explorer of faultfs must find out about it.
//
// Every species says in its comment what people believe when they write it, and
// what happens to them. All keep their keys in a map, read everything when they
// are opened, and answer "ok" when [Store.Write] returns nil. Each differs from
// one that is right in a line or two: read it beside [rightLog], [twoSlots] or
// [numberedFiles].
//
// One oracle ([Judge]) judges them all. What was acknowledged is there, what was
// read once stays, what was never written never appears, and the store opens.
// The verdicts stand in [All]; a test explores every species on every profile
// and holds it to them, and to the table in docs/TESTING.md. The explorer finds
// nothing in those that are right, which is worth as much as what it finds in
// the others.
//
// To explore a store of your own, write a [Species] for it:
//
//	mine := zoo.Species{Name: "mine", Open: openMine}
//	found, err := faultfs.Explore(ctx, mine.Subject(), faultfs.ExploreOptions{Plans: zoo.Plans(3)})
package zoo
