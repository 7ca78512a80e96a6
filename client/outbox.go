package client

import (
	"slices"

	"holdfast/internal/wire"
)

// blockBytes is the size at which a block of frames is full: what one system call usually takes.
const blockBytes = 128 << 10

// outbox holds encoded frames until the writer takes them, block by block and in the order of their
// ids. A frame can be called off until its block is taken. Not safe for concurrent use: the
// connection's mutex guards it.
type outbox struct {
	blocks    []*block // the last one is being filled
	spare     *block   // empty, kept to save an allocation
	bytes     int      // in blocks
	takenID   uint64   // frames up to this id have been taken, or were called off before
	calledOff int      // frames in blocks that nobody wants to be sent any more
	room      chan struct{}
}

// block is a run of whole frames.
type block struct {
	buf    []byte
	frames []frame
}

// frame is one frame in a block; it starts where the one before it ends.
type frame struct {
	id  uint64
	end int
}

// full reports whether callers have to wait for room. What is over the limit by then is one frame
// at most, so that a frame larger than the limit has its turn too.
func (o *outbox) full() bool { return o.bytes >= queueBytes }

// waitRoom returns a channel that is closed once it is worth looking again.
func (o *outbox) waitRoom() <-chan struct{} {
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return o.room
}

func (o *outbox) wakeWaiting() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// add appends the frame of r.
func (o *outbox) add(r *wire.Request) {
	if n := len(o.blocks); n == 0 || len(o.blocks[n-1].buf) >= blockBytes {
		o.blocks = append(o.blocks, o.newBlock())
	}
	b := o.blocks[len(o.blocks)-1]
	before := len(b.buf)
	b.buf = slices.Grow(b.buf, wire.LengthBytes+r.PayloadBytes()) // or a large frame grows it many times
	b.buf = wire.AppendRequest(b.buf, r)
	b.frames = append(b.frames, frame{id: r.ID, end: len(b.buf)})
	o.bytes += len(b.buf) - before
}

// callOff marks a frame as not to be sent and reports whether that was in time. The bytes stay
// until the block is taken.
func (o *outbox) callOff(id uint64) bool {
	if id <= o.takenID {
		return false
	}
	o.calledOff++
	return true
}

// take returns the oldest block with a frame of a pending call, without the frames of others; nil
// when there is none.
func (o *outbox) take(pending map[uint64]*call) *block {
	for len(o.blocks) > 0 {
		b := o.blocks[0]
		o.blocks = slices.Delete(o.blocks, 0, 1)
		o.bytes -= len(b.buf)
		o.takenID = b.frames[len(b.frames)-1].id
		o.wakeWaiting()
		if o.calledOff > 0 {
			o.calledOff -= b.keep(pending)
		}
		if len(b.frames) > 0 {
			return b
		}
		o.recycle(b)
	}
	return nil
}

// keep removes the frames of calls that are not pending and returns how many they were.
func (b *block) keep(pending map[uint64]*call) int {
	kept, end, start := b.frames[:0], 0, 0
	for _, f := range b.frames {
		if pending[f.id] != nil {
			end += copy(b.buf[end:], b.buf[start:f.end])
			kept = append(kept, frame{id: f.id, end: end})
		}
		start = f.end
	}
	removed := len(b.frames) - len(kept)
	b.buf, b.frames = b.buf[:end], kept
	return removed
}

func (o *outbox) newBlock() *block {
	if b := o.spare; b != nil {
		o.spare = nil
		return b
	}
	return &block{}
}

// recycle keeps an emptied block for later, unless an uncommonly large frame has blown it up.
func (o *outbox) recycle(b *block) {
	if cap(b.buf) <= 2*blockBytes {
		b.buf, b.frames = b.buf[:0], b.frames[:0]
		o.spare = b
	}
}
