// Package server puts a kv.DB on the network with the protocol of docs/PROTOCOL.md.
//
// [Run] does everything that the serve command does; [New] and [Server.Serve] are for callers who
// own the store and the listener themselves. Everything exported is safe for concurrent use.
//
// # One connection
//
//	reader ──► one goroutine per request ──► outbox ──► writer
//	(frames)      (kv; waits for the disk)   (replies)  (one write call for many)
//
// The reader takes frames off the socket, reserves the memory that request and reply will need,
// and starts a goroutine for the request, so that many writes of one connection join one group
// commit and a slow read holds nobody up. Replies queue in the outbox as they complete; the writer
// sends all that are there with one system call.
//
// The reader owns the end as well. Whatever made it stop, it first lets the requests in flight
// finish, then has their replies written, then, where the peer deserves a reason, one last frame
// with id 0, the goodbye. A client may therefore take a request without a reply at the goodbye as
// never begun.
//
// # Bounds
//
// Nothing that a peer claims costs memory before it has been sent. A connection costs at most its
// fixed part: a read buffer, one frame of up to 64 KiB under assembly, a write buffer. All else, that
// is requests and replies between their arrival and their last byte on the wire, and larger frames
// under assembly, is charged against Config.MaxInFlightBytes. A part of that is set aside for
// each connection, so that small requests of one client are served whatever the others hold; the
// rest is shared, with a bound on what one connection may hold of it. A request is charged once, with
// all it will need, before it starts; nobody waits for memory while holding some, so nobody
// waits in a circle.
//
// What a bound does: too many requests or bytes of one connection, and the reader reads no further
// until some are answered. Too many bytes of all connections, and a large request waits, and then is
// refused as Busy. A peer that leaves a frame unfinished or does not read is disconnected after
// a timeout.
//
// # Locks
//
// flight, account, outbox and scanTable have a mutex each; none is ever taken while another is held.
package server
