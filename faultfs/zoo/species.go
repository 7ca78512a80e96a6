package zoo

import (
	"fmt"
	"strings"

	"holdfast/faultfs"
)

// All returns every species, the right ones behind those that nearly are.
func All() []Species {
	var (
		everywhere = faultfs.Profiles()
		weakOnly   = []faultfs.Profile{faultfs.Weak}
		inPlace    = []faultfs.Profile{faultfs.Weak, faultfs.Ext4, faultfs.XFS}
	)
	return []Species{
		{
			Name: "rewritten-in-place", Open: rewrittenInPlace,
			Belief:  "a file that is synced after every change holds the old content or the new",
			Truth:   "it is emptied first, and a crash finds it empty",
			Verdict: Refuses, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "empty-when-damaged", Open: emptyWhenDamaged,
			Belief:  "better to begin anew than not to begin",
			Truth:   "the crash that left half a file takes everything, and nobody hears of it",
			Verdict: Lost, Crashes: 1, Words: 2, Shows: everywhere,
		},
		{
			Name: "keeps-a-backup", Open: keepsABackup,
			Belief:  "of the file and its backup one is always good",
			Truth:   "the backup is only looked at when the file is not there, and it is there, empty",
			Verdict: Refuses, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "rename-only", Open: renameOnly,
			Belief:  "rename is atomic",
			Truth:   "it is durable some seconds later",
			Verdict: Lost, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "rename-without-dir-sync", Open: renameWithoutDirSync,
			Belief:  "sync the file, then rename it",
			Truth:   "the content is durable, the rename is not",
			Verdict: Lost, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "rename-without-file-sync", Open: renameWithoutFileSync,
			Belief:  "syncing the directory covers what is in it",
			Truth:   "the name is durable, the content is not",
			Verdict: Refuses, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "rename-by-the-book", Open: renameByTheBook,
			Belief:  "temporary file, sync, rename, sync the directory",
			Truth:   "right where a rename is one step of a journal; POSIX lets the old name go before the new one comes",
			Verdict: Lost, Crashes: 1, Words: 2, Shows: weakOnly,
		},
		{
			Name: "numbered-too-eager", Open: numberedTooEager,
			Belief:  "the old file may go once the new one is synced",
			Truth:   "the new name was not, and neither is there",
			Verdict: Lost, Crashes: 1, Words: 2, Shows: weakOnly,
		},
		{
			Name: "numbered-anonymous", Open: numberedAnonymous,
			Belief:  "a checksum of the content tells a torn file",
			Truth:   "the space that an older file gave back holds the older content, whole",
			Verdict: RolledBack, Crashes: 1, Words: 3, Shows: weakOnly,
		},
		{
			Name: "numbered-files", Open: numberedFiles,
			Belief:  "a new file for each change; its number is in the checksum",
			Verdict: Holds,
		},
		{
			Name: "numbered-files-on-a-bad-disk", Open: numberedFiles, Rules: "sync 0* #2 EIO",
			Belief:  "the same; a sync fails",
			Verdict: Holds,
		},
		{
			Name: "one-slot", Open: oneSlot,
			Belief:  "a checksum protects the one slot",
			Truth:   "it tells that the slot is torn, and there is no other",
			Verdict: Lost, Crashes: 1, Words: 2, Shows: everywhere,
		},
		{
			Name: "slots-unsynced", Open: slotsUnsynced,
			Belief:  "what is read was synced by whoever wrote it",
			Truth:   "he was killed before that",
			Verdict: Vanished, Crashes: 2, Words: 1, Shows: everywhere,
		},
		{
			Name: "two-slots-unwiped", Open: twoSlotsUnwiped,
			Belief:  "a torn slot may stay until it is its turn",
			Truth:   "the next change brings the sectors that it lacks, and the torn change is whole",
			Verdict: Vanished, Crashes: 2, Words: 3, Shows: inPlace,
			Line: "two-slots-unwiped/ext4/set,big,delete/9.0X5/3.0X2",
		},
		{
			Name: "two-slots", Open: twoSlots,
			Belief:  "two slots by turns, and what is torn is wiped",
			Verdict: Holds,
		},
		{
			Name: "journal-without-sync", Open: journalWithoutSync,
			Belief:  "what is written first is there first",
			Truth:   "the file is torn, and so is the journal that undoes it",
			Verdict: Refuses, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "journal-left-behind", Open: journalLeftBehind,
			Belief:  "a journal that is done with is only rubbish",
			Truth:   "it comes back, and undoes what was acknowledged",
			Verdict: Lost, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "journal-found", Open: journalFound,
			Belief:  "a journal that can be read is there",
			Truth:   "it is in the cache; the power goes when recovery has half the file written",
			Verdict: Refuses, Crashes: 2, Words: 1, Shows: everywhere,
			Line: "journal-found/btrfs/set/3-kill/2.1",
		},
		{
			Name: "journal-by-the-book", Open: journalByTheBook,
			Belief:  "journal, file, removal, each made durable",
			Truth:   "right where new space shows no old bytes; else an old journal may stand in the new one",
			Verdict: RolledBack, Crashes: 1, Words: 3, Shows: weakOnly,
		},
		{
			Name: "lines-of-text", Open: linesOfText,
			Belief:  "a torn line has no end",
			Truth:   "its end is there, and its beginning is not",
			Verdict: Phantom, Crashes: 1, Words: 1, Shows: weakOnly,
		},
		{
			Name: "trusts-the-size", Open: trustsTheSize,
			Belief:  "what the file is long enough for was written",
			Truth:   "the size is there before the content",
			Verdict: Phantom, Crashes: 1, Words: 1, Shows: weakOnly,
		},
		{
			Name: "checks-only-the-value", Open: checksOnlyTheValue,
			Belief:  "it is the value that needs a checksum",
			Truth:   "zeros are a good record, of no key",
			Verdict: Phantom, Crashes: 1, Words: 1, Shows: weakOnly,
		},
		{
			Name: "ends-with-a-mark", Open: endsWithAMark,
			Belief:  "a record whose mark is there is there",
			Truth:   "sectors come in any order",
			Verdict: Phantom, Crashes: 1, Words: 1, Shows: weakOnly,
		},
		{
			Name: "length-in-header", Open: lengthInHeader,
			Belief:  "the header is written last, so it counts what is there",
			Truth:   "one sync has no inside",
			Verdict: Refuses, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "length-in-header-two-syncs", Open: lengthInHeaderTwoSyncs,
			Belief:  "sync the record, then write the header and sync it",
			Verdict: Holds,
		},
		{
			Name: "log-without-dir-sync", Open: logWithoutDirSync,
			Belief:  "a synced file can be found again",
			Truth:   "its name was not synced",
			Verdict: Lost, Crashes: 1, Words: 1, Shows: weakOnly,
		},
		{
			Name: "log-tail-not-cut", Open: logTailNotCut,
			Belief:  "nobody reads what is behind a torn record",
			Truth:   "nobody reads what is appended behind it, either",
			Verdict: Lost, Crashes: 2, Words: 1, Shows: weakOnly,
		},
		{
			Name: "log-serves-the-cache", Open: logServesTheCache,
			Belief:  "what is in the log was acknowledged, and so synced",
			Truth:   "what was read after a kill goes with the power",
			Verdict: Vanished, Crashes: 2, Words: 1, Shows: everywhere,
		},
		{
			Name: "log-closes-instead", Open: logClosesInstead,
			Belief:  "a closed file is on the disk",
			Truth:   "closing hands nothing to the disk",
			Verdict: Lost, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "log-syncs-behind", Open: logSyncsBehind,
			Belief:  "the sync can come a little later",
			Truth:   "so can the power cut, a little sooner",
			Verdict: Lost, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "log-ignores-sync-errors", Open: logIgnoresSyncErrors, Rules: "sync log #2 EIO",
			Belief:  "what should one do about a failed sync?",
			Truth:   "not say ok",
			Verdict: Lost, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "log-retries-sync", Open: logRetriesSync, Rules: "sync log #2 EIO",
			Belief:  "a failed sync is tried again until it works",
			Truth:   "it works at once, because the pages are marked clean",
			Verdict: Lost, Crashes: 1, Words: 1, Shows: everywhere,
		},
		{
			Name: "log-writes-on", Open: logWritesOn, Rules: "sync log #2 EIO",
			Belief:  "after a failed sync the next write may go on",
			Truth:   "it goes behind a hole, where recovery stops",
			Verdict: Lost, Crashes: 1, Words: 2, Shows: everywhere,
		},
		{
			Name: "right-log-on-a-bad-disk", Open: rightLog, Rules: "sync log #2 EIO",
			Belief:  "after a failed sync the log takes no more writes",
			Truth:   "recovery reads what failed from the cache, syncs it in vain, and shows it",
			Verdict: Vanished, Crashes: 2, Words: 1, Shows: everywhere,
		},
		{
			Name: "right-log", Open: rightLog,
			Belief:  "append, sync, ok; cut the tail and sync before reading",
			Verdict: Holds,
		},
		{
			Name: "checkpoint-too-eager", Open: checkpointTooEager,
			Belief:  "the log may go once the checkpoint is synced",
			Truth:   "its name was not",
			Verdict: Lost, Crashes: 1, Words: 2, Shows: weakOnly,
		},
		{
			Name: "log-used-again", Open: logUsedAgain,
			Belief:  "writing over the old log is cheaper than emptying it",
			Truth:   "behind the newest record stands an old one",
			Verdict: RolledBack, Crashes: 1, Words: 3, Shows: everywhere,
		},
		{
			Name: "checkpoint-anonymous", Open: checkpointAnonymous,
			Belief:  "an emptied log is empty",
			Truth:   "it gets its space again, with the old records",
			Verdict: RolledBack, Crashes: 1, Words: 3, Shows: weakOnly,
		},
		{
			Name: "checkpoint-right", Open: checkpointRight,
			Belief:  "the checkpoint's number is in the checksums of the log",
			Verdict: Holds,
		},
	}
}

// Table is all species as a table in Markdown, a line for each.
func Table() string {
	var b strings.Builder
	b.WriteString("| species | is written in the belief that | but | verdict | crashes | words | shows on |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, s := range All() {
		if s.Verdict == Holds {
			fmt.Fprintf(&b, "| `%s` | %s | | **holds** | | | |\n", s.Name, s.Belief)
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %d | %d | %s |\n",
			s.Name, s.Belief, s.Truth, s.Verdict, s.Crashes, s.Words, profileNames(s.Shows))
	}
	return b.String()
}

func profileNames(all []faultfs.Profile) string {
	if len(all) == len(faultfs.Profiles()) {
		return "all"
	}
	var names []string
	for _, p := range all {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
