// Package wire is the codec of Holdfast's binary protocol: frames, requests and replies.
// It does no input or output beyond reading one frame, starts no goroutines and keeps no state.
// docs/PROTOCOL.md is the same contract for people who write a client in another language.
//
// # The bytes
//
// All integers are unsigned and big-endian; bytes is a u32 length followed by that many bytes.
//
//	frame    length u32 | payload                     length counts the payload alone
//	payload  version u8 = 1 | kind u8 | id u64 | body  kind: request: [Op], reply: [Status]
//
//	op       request body                              body of an OK reply
//	Set      key bytes | value bytes                   -
//	Get      key bytes                                 value bytes
//	Delete   key bytes                                 existed u8 (0 or 1)
//	BulkSet  count u32 | count × (key | value)         -
//	Exists   key bytes                                 exists u8 (0 or 1)
//	Keys     scan                                      cursor u64 | count u32 | count × key
//	Scan     scan                                      cursor u64 | count u32 | count × (key | value)
//	scan     cursor u64 | prefix bytes | start bytes | end bytes | limit u32
//
// The body of a reply with any status but OK is one message, bytes of UTF-8 of at most
// [MaxMessageBytes]. A body ends where its payload ends; trailing bytes are malformed.
//
// # Ids
//
// A client numbers its requests from 1 and the reply carries the same id. Id 0 never belongs to a
// request: a reply with id 0 is about the connection.
//
// # Ownership
//
// The Append functions copy what they are given into dst and keep nothing. The Parse functions copy
// nothing: every slice in a [Request] or [Reply] aliases the payload it was parsed from (with its
// capacity cut to its length, so that appending to one cannot overwrite its neighbour) and is valid
// until that payload is reused. Parsing allocates only the Pairs of a BulkSet, Keys or Scan, one
// element for each pair that the payload really holds; [PairBound] bounds that of a request beforehand.
//
// # Errors
//
// Input that breaks the protocol yields an [*Error], which carries the [Status] that a server
// answers with. [ReadFrame] also returns the errors of its reader: io.EOF between frames,
// io.ErrUnexpectedEOF inside one. Nothing in this package panics on any input.
//
// All functions are safe for concurrent use as long as their arguments are not shared.
package wire
