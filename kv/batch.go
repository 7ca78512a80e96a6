package kv

import "fmt"

// Batch is a list of writes that Apply makes as one atomic unit: after any
// crash either all of it is there or none. The writes count in the order in
// which they were added, so of several to one key the last one wins. The zero
// value is an empty batch. A Batch is not safe for concurrent use.
type Batch struct {
	ops []batchOp
}

type batchOp struct {
	kind       uint8
	key, value []byte
}

// Set adds a write of value under key. The batch keeps both slices: they must
// not change until Apply returns.
func (b *Batch) Set(key, value []byte) {
	b.ops = append(b.ops, batchOp{kindSet, key, value})
}

// Delete adds the removal of key. The batch keeps the slice: it must not change
// until Apply returns.
func (b *Batch) Delete(key []byte) {
	b.ops = append(b.ops, batchOp{kind: kindDelete, key: key})
}

// Len is the number of writes in the batch.
func (b *Batch) Len() int { return len(b.ops) }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.ops)
	b.ops = b.ops[:0]
}

func (o *Options) checkKey(key []byte) error {
	switch {
	case len(key) == 0:
		return ErrEmptyKey
	case len(key) > MaxKeyBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrKeyTooLarge, len(key), MaxKeyBytes)
	}
	return nil
}

func (o *Options) checkPair(key, value []byte) error {
	if err := o.checkKey(key); err != nil {
		return err
	}
	if len(value) > o.MaxValueBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrValueTooLarge, len(value), o.MaxValueBytes)
	}
	return nil
}

// checkBatch returns the error of the first write that is not allowed.
func (o *Options) checkBatch(b *Batch) error {
	size := int64(0)
	for i := range b.ops {
		op := &b.ops[i]
		if err := o.checkPair(op.key, op.value); err != nil {
			return fmt.Errorf("write %d of the batch: %w", i+1, err)
		}
		size += recordSize(len(op.key), len(op.value))
	}
	if size > MaxBatchBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrBatchTooLarge, size, MaxBatchBytes)
	}
	return nil
}
