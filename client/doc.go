// Package client speaks to a Holdfast server.
//
// A [Client] is safe for all goroutines of a program, and one is enough: the requests of many
// goroutines share a connection, each goes out without waiting for the replies of the others, and
// those that are ready at the same time leave in one system call.
//
//	c, err := client.New("127.0.0.1:65433", nil)
//	...
//	defer c.Close()
//	err = c.Set(ctx, []byte("name"), []byte("value"))
//
// # Three outcomes
//
// Every write ends in one of three ways, and [OutcomeOf] says which:
//
//   - [OK]: the error is nil. The write is durable and visible.
//   - [Failed]: certainly not applied, and it will never appear. The server refused it, or said
//     goodbye before it began with it, or the request never left this process. It may be tried again.
//   - [Unknown]: it may or may not have been applied. Some of the request may have reached a socket
//     and then the connection died, or the deadline passed, or the server itself could not tell.
//
// A write of which any byte may have reached a socket is never sent again by this package: a late
// second Set could undo another client's newer write. Only the caller can know whether that matters.
// A read changes nothing, so its outcome is OK or Failed, and it is sent again on a new connection
// when the one that carried it breaks.
//
// # Deadlines
//
// Every call ends by the deadline of its context or after [Options].Timeout, whichever is first,
// also when the server is stalled, unreachable or gone. A request still waiting to be sent at its
// deadline is never sent: a write then is Failed, not Unknown. A reply that comes later than its
// caller waited is recognised by its id and dropped; it cannot be taken for another's.
//
// # Connections
//
// Nothing is connected before the first call. Connecting is tried again, with exponential backoff
// and jitter, until the calls that wait for it run out of time; so a server may be restarted under a
// client. A connection that takes no bytes for [Options].StallTimeout, or gives none although replies
// are owed, is replaced. What waits to be sent is bounded: beyond a few MiB per connection, callers
// wait for room, within their deadlines.
//
// # Limits
//
// Keys have 1 to 65,536 bytes. A request or reply has at most [Options].MaxFrameBytes; one that
// exceeds it is refused before it is sent. A scan reads one snapshot of the store, which the server
// keeps for the connection the scan began on: if that dies in the middle, the scan ends with an
// error, and never goes on over another snapshot.
//
// # Ownership
//
// Keys and values passed in may be reused as soon as the call returns. What a call returns belongs
// to the caller.
package client
