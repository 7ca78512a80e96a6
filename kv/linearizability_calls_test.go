package kv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// The calls of TestLinearizable.

func linKeyName(group, key int) []byte { return fmt.Appendf(nil, "g%d-%d", group, key) }

// call makes a random call. It reports false once the life is over.
func (r *linRound) call(db *DB, rng *rand.Rand, client int) bool {
	op := &linOp{client: client, group: rng.IntN(linGroups)}
	key := rng.IntN(linKeys)
	op.keys[key] = true
	switch n := rng.IntN(20); {
	case n < 6:
		return r.get(db, op, key)
	case n < 8:
		return r.look(db, client, op.group)
	case n < 9 && r.h.interval:
		op.kind = linSync
		return r.do(op, db.Sync)
	case n < 12: // Delete
		return r.do(op, func() (err error) {
			op.existed, err = db.Delete(linKeyName(op.group, key))
			return err
		})
	case n < 15:
		op.keys = [linKeys]bool{true, true, rng.IntN(2) == 0}
		if rng.IntN(4) > 0 {
			op.value = int(r.values.Add(1))
		}
		return r.do(op, func() error { return db.Apply(op.batch(rng)) })
	}
	op.value = int(r.values.Add(1))
	value := op.bytes(rng)
	return r.do(op, func() error { return db.Set(linKeyName(op.group, key), value) })
}

// do makes one call and notes when it was called, when it returned and how.
func (r *linRound) do(op *linOp, call func() error) bool {
	if !r.h.call(op) {
		return false
	}
	r.h.returned(op, linOutcomeOf(call()))
	return true
}

func (op *linOp) bytes(rng *rand.Rand) []byte {
	size := []int{0, 10, 300, 1000, 3000}[rng.IntN(5)]
	return fmt.Appendf(nil, "%d|%s", op.value, strings.Repeat("v", size))
}

func (op *linOp) batch(rng *rand.Rand) *Batch {
	b := new(Batch)
	for k, has := range op.keys {
		switch {
		case has && op.value == 0:
			b.Delete(linKeyName(op.group, k))
		case has:
			b.Set(linKeyName(op.group, k), op.bytes(rng))
		}
	}
	return b
}

func (r *linRound) get(db *DB, op *linOp, key int) bool {
	op.kind = linRead
	return r.do(op, func() error {
		value, err := db.Get(linKeyName(op.group, key))
		switch {
		case err == nil:
			op.got[key] = attackNumber(value)
		case errors.Is(err, ErrNotFound):
			err = nil
		}
		return err
	})
}

// look reads a whole group at one moment.
func (r *linRound) look(db *DB, client, group int) bool {
	op := &linOp{client: client, kind: linRead, group: group, keys: [linKeys]bool{true, true, true}}
	return r.do(op, func() error {
		for p, err := range db.Scan(ScanOptions{Prefix: fmt.Appendf(nil, "g%d-", group)}) {
			if err != nil {
				return err
			}
			op.got[p.Key[len(p.Key)-1]-'0'] = attackNumber(p.Value)
		}
		return nil
	})
}
