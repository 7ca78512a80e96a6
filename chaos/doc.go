// Package chaos runs durability campaigns: it starts a real server process, writes to it over TCP,
// kills it or cuts its power while writes are in flight, starts it again, reads everything back and
// says what became of every acknowledged write.
//
//	report, err := chaos.Run(ctx, chaos.Config{Server: []string{"holdfast", "serve"}})
//
// # One campaign
//
// A campaign goes round in cycles: load, kill, restart, read-back. Writers mix Set, Delete and BulkSet
// over keys of their own; readers read random keys beside them. A kill under load comes at a random
// moment. One restart of every four is killed too, after the server says that it recovers and before
// it says that it serves, and started once more. As soon as the server serves, and before anything new
// is written, every key is read and put into a [Class]. When the time is over there is one last kill
// and read-back.
//
// # Faults
//
// Each cycle has one fault, see [Fault]; a campaign with several takes turns.
//
// kill is SIGKILL, which takes the process and leaves the kernel's cache: a server that writes and
// never syncs passes.
//
// power is a power cut. The server runs on a layer that holds in its memory what is not synced, so
// that SIGKILL takes it too. One cut of three is made that way; a file says what it took. The others
// are made by the layer itself, which lets a drawn subset of what was not synced survive: nothing,
// whole, torn, as zeros or as garbage. One of those two comes at a sync of a directory, the other at
// any moment. [Power] counts what was dropped, and a campaign with power cuts none of which dropped
// anything is inconclusive.
//
// rules make the disk fail while the load goes on, and heal after a while. The campaign wants every
// failure to say how the call ended, reads to go on (if the rules are not about reads), and service to
// resume: by itself within some seconds, or, when the server still says then that it is fenced, after
// a restart; the report counts both.
// A rule that never fired makes the run inconclusive. Under rules the server runs on the layer, too,
// and the kill at the end of the cycle is a power cut: a failed sync that the server did not believe
// shows as loss. A rule under which the disk lies (lost, late, misdirect, flip, zero, garbage) takes
// away what the promise rests on; such a campaign is expected to fail, by loss or damage that is named.
//
// A [Control] makes the disk ignore syncs. The campaign must find that out, and ends when it has; one
// that finds nothing says that it cannot see.
//
// # What is believed
//
// The ledger holds, for every key, what was issued since the last read-back and how it ended: ok,
// failed or unknown, as the client reports it. A key has one writer, and a writer has one request in
// flight, so that no clock is needed to order the writes to a key. A key with a write of unknown
// outcome is not written again before the next read-back: a late write could land on top of a newer
// one, and nobody could tell. The read-back settles it: whatever it shows must then stay.
//
// Every value carries the identity of its write, a checksum, and bytes that follow from the two, so
// that a value is either intact and known, or recognisably not.
//
// What a reader has seen counts like an acknowledgement, even if the write then ends unknown: a value
// once read never vanishes. The rules are in [Class], what is counted in [Durability].
//
// # Limits
//
// What a cycle of kill left in the kernel's cache counts as durable for the power cut of the next.
//
// The verdict rests on what the client says. A client that called an unknown write ok, or sent it
// twice, would make a good server look bad, and one that called a lost acknowledgement failed would
// be found out as a phantom.
//
// A campaign draws everything from its seed, but the machine decides how the processes interleave:
// the seed repeats the load and the plan of the kills, not the run.
//
// On Linux the server dies with the campaign, whatever becomes of the campaign. Elsewhere a campaign
// that is itself killed leaves its server running.
//
// # Where to start reading
//
// story.go and check.go are the pure heart: the story of one key, and how it is judged. ledger.go
// puts stories together, campaign.go goes round the cycles, cut.go cuts the power, inject.go makes the
// disk fail, start.go and process.go deal with the server, verdict.go concludes.
package chaos
