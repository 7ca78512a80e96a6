// Package chaos runs durability campaigns: it starts a real server process, writes to it over TCP,
// kills it with SIGKILL while writes are in flight, starts it again, reads everything back and says
// what became of every acknowledged write.
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
// SIGKILL takes the process and leaves the kernel's cache: a server that writes and never syncs
// passes. What survives a power cut is another fault's business.
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
// puts stories together, campaign.go goes round the cycles, start.go and process.go deal with the
// server, verdict.go concludes.
package chaos
