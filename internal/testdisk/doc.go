// Package testdisk is the disk of a server under test: one that loses power and fails on purpose.
//
// A server that is started for it opens a [Disk] in place of the file system below. Whoever tests the
// server steers the disk by lines on the server's standard input, reads the answers from its log, and
// learns from a small file what a SIGKILL made it lose. Both sides of that conversation are here:
// [Disk] for the server, [Command], [Line] and [ReadPending] for the tester.
//
// # Commands
//
// One line each, of at most [MaxCommandBytes]:
//
//	inject RULES     the rules, in the grammar of package faultfs, start to count now
//	heal             all rules end, those that the disk was opened with too, and stalled calls go on
//	cut SEED KEEP    the power is cut: the process ends at once, and of what was not synced a subset
//	                 drawn from SEED survives, as KEEP says (see package faultfs)
//
// Each is answered by one line of JSON in the log, with msg "control". A line that is no command is
// answered with what is wrong with it, and does no harm. A cut is answered by the line "power cut",
// and then there is nobody left. The end of the input ends the conversation, not the server.
//
// # The pending file
//
// It always says what a power cut would cost now, so that it can be read after the process is gone:
//
//	offset  bytes
//	 0      8      "HFPEND\x00\x01"
//	 8      8      bytes of data and of size that are not synced, little endian
//	16      8      directory entries that are not synced, little endian
//	24      4      CRC-32C of the 24 bytes before, little endian
//
// It is rewritten by one positional write after each change, on the file system below the faults. It
// lags behind by the calls that are in flight.
package testdisk
