package chaos

// Histories that break no promise.
var goodHistories = map[string]string{
	"a key never written is absent": `
		back a=absent -> a:stable
		counts`,
	"acknowledged and there": `
		set a ok
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"acknowledged delete": `
		set a ok
		delete a ok
		back a=absent -> a:stable
		counts checked=1 stable=1`,
	"a write is checked once, however often it is read back": `
		set a ok
		back a=1 -> a:stable
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"a write that was overwritten before the read-back is not checked": `
		set a ok
		set a ok
		back a=2 -> a:stable
		counts checked=1 stable=1`,
	"the next write is checked anew": `
		set a ok
		back a=1 -> a:stable
		set a ok
		back a=2 -> a:stable
		counts checked=2 stable=2`,
	"unknown and there": `
		set a unknown
		back a=1 -> a:recovered
		counts recovered=1`,
	"unknown and not there": `
		set a unknown
		back a=absent -> a:stable
		counts`,
	"unknown over acknowledged, there: what it replaced was not checked": `
		set a ok
		set a unknown
		back a=2 -> a:recovered
		counts recovered=1`,
	"unknown over acknowledged, not there": `
		set a ok
		set a unknown
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"unknown delete that happened": `
		set a ok
		delete a unknown
		back a=absent -> a:recovered
		counts recovered=1`,
	"unknown delete that did not happen": `
		set a ok
		delete a unknown
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"a recovered write stays, and is not counted again": `
		set a unknown
		back a=1 -> a:recovered
		back a=1 -> a:stable
		counts recovered=1`,
	"failed and not there": `
		set a ok
		set a failed
		back a=1 -> a:stable
		counts checked=1 stable=1`,
	"a batch of unknown outcome that is whole": `
		batch a,b,c unknown
		back a=1 b=1 c=1 -> a:recovered b:recovered c:recovered
		counts recovered=3`,
	"a batch of unknown outcome that is not there": `
		set b ok
		batch a,b,c unknown
		back a=absent b=1 c=absent -> a:stable b:stable c:stable
		counts checked=1 stable=1`,
	"an acknowledged batch": `
		batch a,b ok
		back a=1 b=1 -> a:stable b:stable
		counts checked=2 stable=2`,
	"a reader sees the promise, or what was issued after it": `
		set a ok
		read a=1 -> stable
		begin set a
		open a
		read a=2 -> recovered
		finish ok
		back a=2 -> a:stable
		online
		counts checked=1 stable=1`,
	"a read that began before a write was acknowledged may still see the older value": `
		set a ok
		open a
		set a ok
		read a=1 -> stable
		online`,
	"a read that began before a delete and a new write may see the absence between them": `
		set a ok
		open a
		delete a ok
		set a ok
		read a=absent -> recovered
		online`,
	"what a reader saw of a write that ended unknown is there": `
		set a ok
		begin set a
		read a=2 -> recovered
		finish unknown
		back a=2 -> a:recovered
		counts recovered=1`,
}

// Histories that break a promise: at least one for each class, and combinations.
var badHistories = map[string]string{
	"lost": `
		set a ok
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"lost at the second look moves from stable to lost": `
		set a ok
		back a=1 -> a:stable
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"a loss is reported once": `
		set a ok
		back a=absent -> a:lost
		back a=absent -> a:stable
		counts checked=1 lost=1`,
	"lost under a write of unknown outcome": `
		set a ok
		set a unknown
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"what a reader saw of an unknown write has vanished": `
		begin set a
		read a=1 -> recovered
		finish unknown
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"a recovered write vanishes at the next restart": `
		set a unknown
		back a=1 -> a:recovered
		back a=absent -> a:lost
		counts checked=1 recovered=1 lost=1`,
	"rolled back": `
		set a ok
		set a ok
		back a=1 -> a:rolledBack
		counts checked=1 rolledBack=1`,
	"rolled back to before the last read-back": `
		set a ok
		back a=1 -> a:stable
		set a ok
		set a ok
		back a=1 -> a:rolledBack
		counts checked=2 stable=1 rolledBack=1`,
	"rolled back below what a reader saw": `
		set a ok
		begin set a
		read a=2 -> recovered
		finish unknown
		back a=1 -> a:rolledBack
		counts checked=1 rolledBack=1`,
	"a rollback is reported once, and judged from there": `
		set a ok
		set a ok
		back a=1 -> a:rolledBack
		back a=1 -> a:stable
		back a=absent -> a:lost
		counts checked=2 lost=1 rolledBack=1`,
	"resurrected": `
		set a ok
		delete a ok
		back a=1 -> a:resurrected
		counts checked=1 resurrected=1`,
	"resurrected after it was seen to be gone": `
		set a ok
		delete a ok
		back a=absent -> a:stable
		back a=1 -> a:resurrected
		counts checked=1 resurrected=1`,
	"an unknown write that was settled as gone comes back": `
		set a unknown
		back a=absent -> a:stable
		back a=1 -> a:resurrected
		counts checked=1 resurrected=1`,
	"an unknown write that was settled as gone comes back over an older value": `
		set a ok
		set a unknown
		back a=1 -> a:stable
		back a=2 -> a:resurrected
		counts checked=1 resurrected=1`,
	"a lost write comes back": `
		set a ok
		back a=absent -> a:lost
		back a=1 -> a:resurrected
		counts checked=2 lost=1 resurrected=1`,
	"torn: a damaged value": `
		set a ok
		back a=damaged -> a:torn
		counts checked=1 torn=1`,
	"damage is reported once, and the key judged anew after it": `
		set a ok
		back a=damaged -> a:torn
		back a=damaged -> a:stable
		set a ok
		back a=2 -> a:stable
		back a=absent -> a:lost
		counts checked=2 lost=1 torn=1`,
	"after damage any state is a new start, but what was never written is not": `
		set a ok
		set b ok
		set c ok
		back a=damaged b=damaged c=damaged -> a:torn b:torn c:torn
		back a=1 b=absent c=7 -> a:stable b:stable c:phantom
		back a=absent b=1 c=1 -> a:lost b:resurrected c:stable
		counts checked=6 lost=1 resurrected=1 torn=3 phantom=1`,
	"torn: part of a batch of unknown outcome": `
		set b ok
		batch a,b,c unknown
		back a=1 b=1 c=absent -> a:torn b:stable c:stable
		counts checked=2 stable=1 torn=1`,
	"torn: all but one part": `
		batch a,b,c unknown
		back a=1 b=1 c=absent -> a:torn b:torn c:stable
		counts checked=2 torn=2`,
	"torn: one part of a batch is damaged, so the rest is not whole": `
		batch a,b unknown
		back a=1 b=damaged -> a:torn b:torn
		counts checked=2 torn=2`,
	"a torn batch does not touch what was counted before": `
		set a ok
		back a=1 -> a:stable
		batch a,b unknown
		back a=2 b=absent -> a:torn b:stable
		counts checked=2 stable=1 torn=1`,
	"two batches, one torn": `
		batch a,b unknown
		batch c,d unknown
		back a=1 b=1 c=1 d=absent -> a:recovered b:recovered c:torn d:stable
		counts checked=1 recovered=2 torn=1`,
	"part of an acknowledged batch is lost": `
		set b ok
		batch a,b,c ok
		back a=absent b=1 c=1 -> a:lost b:rolledBack c:stable
		counts checked=3 stable=1 lost=1 rolledBack=1`,
	"phantom: a value of another key": `
		set a ok
		back a=foreign -> a:phantom
		counts checked=1 phantom=1`,
	"phantom: a version that was never issued": `
		set a ok
		back a=2 -> a:phantom
		counts checked=1 phantom=1`,
	"phantom: on a key that was never written": `
		back a=1 -> a:phantom
		back b=foreign -> b:phantom
		counts checked=2 phantom=2`,
	"phantom: a failed write": `
		set a ok
		set a failed
		back a=2 -> a:phantom
		counts checked=1 phantom=1`,
	"phantom: a write that failed before the last read-back": `
		set a failed
		back a=absent -> a:stable
		back a=1 -> a:phantom
		counts checked=1 phantom=1`,
	"phantom: the version belongs to a delete": `
		set a ok
		delete a ok
		back a=2 -> a:phantom
		counts checked=1 phantom=1`,
	"a failed delete happened all the same": `
		set a ok
		delete a failed
		back a=absent -> a:lost
		counts checked=1 lost=1`,
	"every class at once": `
		batch a,b,c,d ok
		set a ok
		delete c ok
		batch b,d unknown
		back a=1 b=2 c=1 d=absent -> a:rolledBack b:torn c:resurrected d:lost
		counts checked=4 lost=1 rolledBack=1 resurrected=1 torn=1`,

	"a reader sees something older than acknowledged": `
		set a ok
		set a ok
		read a=1 -> rolledBack
		online rolledBack=1`,
	"a reader sees nothing where something was acknowledged": `
		set a ok
		read a=absent -> lost
		online lost=1`,
	"a reader sees a deleted value": `
		set a ok
		delete a ok
		read a=1 -> resurrected
		online resurrected=1`,
	"a reader sees damage, and a value from elsewhere": `
		set a ok
		read a=damaged -> torn
		read a=foreign -> phantom
		online torn=1 phantom=1`,
	"a reader sees a write that has not been issued": `
		set a ok
		read a=2 -> phantom
		online phantom=1`,
	"readers go backwards, although nothing was acknowledged meanwhile": `
		set a ok
		begin set a
		read a=2 -> recovered
		read a=1 -> rolledBack
		online rolledBack=1`,
	"a reader saw a delete in flight, then the value again": `
		set a ok
		begin delete a
		read a=absent -> recovered
		read a=1 -> resurrected
		online resurrected=1`,
	"a reader saw a write that then failed": `
		set a ok
		begin set a
		read a=2 -> recovered
		finish failed
		back a=1 -> a:stable
		online phantom=1
		counts checked=1 stable=1`,
	"a reader sees a failed write": `
		set a failed
		read a=1 -> phantom
		online phantom=1`,
	"an acknowledged delete found nothing to delete": `
		set a ok
		delete a ok missing
		back a=absent -> a:stable
		online lost=1
		counts checked=1 stable=1`,
}
