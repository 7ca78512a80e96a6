package kv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
)

// The oracle of TestAttack: an ok write never disappears, a failed one never
// appears, an unknown one is not seen before the next Open decides about it, a
// batch is there as a whole or not at all, and a value once read stays until it
// is overwritten. Under an interval policy a crash takes back the last writes of
// an owner, but not what a Sync covered.

const (
	attackOwners = 3
	attackKeys   = 4 // of one owner
)

// attackOp is one atomic write of an owner.
type attackOp struct {
	keys   []int // of the owner
	num    int   // what it writes; every write has another
	delete bool
	status byte // 0: under way; 'o'k, 'f'ailed, 'u'nknown
}

// attackKey is what is known of one key, for readers.
type attackKey struct {
	issued map[int]*attackOp
	acked  int // the newest write that returned ok
	seen   int // the newest one that a reader saw
}

// attackOwner writes to keys that nobody else writes to, and so knows what they
// may hold.
type attackOwner struct {
	id   int
	mu   sync.Mutex
	keys [attackKeys]attackKey
	base [attackKeys]int // what each held after the last Open, 0: nothing
	ops  []*attackOp     // since then
	must int             // so many of them are durable
	num  int
}

func attackKeyName(owner, key int) string { return fmt.Sprintf("o%d-k%d", owner, key) }

func (o *attackOwner) value(op *attackOp, size int) []byte {
	return []byte(fmt.Sprintf("%d|%s", op.num, strings.Repeat("v", size)))
}

func attackNumber(value []byte) int {
	n, _, _ := strings.Cut(string(value), "|")
	num, err := strconv.Atoi(n)
	if err != nil {
		return -1
	}
	return num
}

// write makes one random write.
func (o *attackOwner) write(a *attacker, db *DB, rng *rand.Rand) error {
	op := &attackOp{keys: []int{2 + rng.IntN(attackKeys-2)}}
	size := []int{0, 10, 300, 1000, 3000, 9000}[rng.IntN(6)]
	if rng.IntN(40) == 0 {
		size = 70 << 10
	}
	batch := false
	switch rng.IntN(6) {
	case 0:
		op.delete = true
	case 1, 2:
		op.keys, batch = []int{0, 1}, true // always together
		op.delete = rng.IntN(5) == 0
	}
	o.mu.Lock()
	o.num++
	op.num = o.num
	o.ops = append(o.ops, op)
	for _, k := range op.keys {
		o.keys[k].issued[op.num] = op
	}
	o.mu.Unlock()
	var err error
	switch {
	case batch:
		b := new(Batch)
		for _, k := range op.keys {
			if op.delete {
				b.Delete([]byte(attackKeyName(o.id, k)))
			} else {
				b.Set([]byte(attackKeyName(o.id, k)), o.value(op, size))
			}
		}
		err = db.Apply(b)
	case op.delete:
		_, err = db.Delete([]byte(attackKeyName(o.id, op.keys[0])))
	default:
		err = db.Set([]byte(attackKeyName(o.id, op.keys[0])), o.value(op, size))
	}
	o.told(a, op, err)
	return err
}

func (o *attackOwner) told(a *attacker, op *attackOp, err error) {
	always := a.opts.Sync.Always()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		op.status = 'o'
		for _, k := range op.keys {
			o.keys[k].acked = op.num
		}
		if always {
			for _, before := range o.ops {
				if before.status == 'u' { // the store takes writes again, without an Open
					before.status = 'f'
				}
			}
		}
	case errors.Is(err, ErrOutcomeUnknown):
		op.status = 'u'
	default:
		op.status = 'f'
	}
	a.count(string(op.status))
	for _, k := range op.keys {
		if op.status != 'o' && o.keys[k].seen == op.num && (always || op.status == 'f') {
			a.violation("a reader saw write %d of %s, which returned %v", op.num, attackKeyName(o.id, k), err)
		}
	}
}

// read holds one read against what is known.
func (o *attackOwner) read(a *attacker, k int, get func() ([]byte, error)) {
	name := attackKeyName(o.id, k)
	o.mu.Lock()
	key := &o.keys[k]
	low := max(key.acked, key.seen)
	o.mu.Unlock()
	value, err := get()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case errors.Is(err, ErrNotFound):
		if low == 0 {
			return
		}
		for num, op := range key.issued {
			if num >= low && op.delete && op.status != 'f' {
				return
			}
		}
		a.violation("%s is not found, after write %d was ok or seen (acked %d, seen %d)", name, low, key.acked, key.seen)
	case errors.Is(err, ErrDamaged):
		a.violation("%s is called damaged: %v", name, err)
	case err != nil:
		a.count("unreadable")
	default:
		num := attackNumber(value)
		op := key.issued[num]
		switch {
		case op == nil || op.delete:
			a.violation("%s has value %d, which was never written", name, num)
		case op.status == 'f', op.status == 'u' && a.opts.Sync.Always():
			a.violation("%s has value %d, whose write has status %c", name, num, op.status)
		case num < low:
			a.violation("%s has value %d, after %d was ok or seen", name, num, low)
		}
		key.seen = max(key.seen, num)
		a.count("read")
	}
}

// states are what the keys may hold after the process has ended.
func (o *attackOwner) states(always bool) map[[attackKeys]int]bool {
	now := map[[attackKeys]int]bool{o.base: true}
	all := map[[attackKeys]int]bool{}
	for i, op := range o.ops {
		if !always && i >= o.must {
			for s := range now {
				all[s] = true
			}
		}
		if op.status == 'f' {
			continue
		}
		next := map[[attackKeys]int]bool{}
		for s := range now {
			if op.status != 'o' {
				next[s] = true
			}
			for _, k := range op.keys {
				s[k] = op.num
				if op.delete {
					s[k] = 0
				}
			}
			next[s] = true
		}
		now = next
	}
	for s := range now {
		all[s] = true
	}
	return all
}

// settle holds what the store has after an Open against what it may have, and
// takes that as what it must have from now on.
func (o *attackOwner) settle(a *attacker, db *DB) error {
	var found [attackKeys]int
	for k := range found {
		var value []byte
		var err error
		for range 3 {
			if value, err = db.Get([]byte(attackKeyName(o.id, k))); err == nil || errors.Is(err, ErrNotFound) {
				break
			}
			if errors.Is(err, ErrDamaged) {
				return err
			}
			a.fs.Heal()
		}
		switch {
		case err == nil:
			found[k] = attackNumber(value)
		case !errors.Is(err, ErrNotFound):
			return err
		}
	}
	states := o.states(a.opts.Sync.Always())
	if !states[found] {
		var ops []string
		for _, op := range o.ops[max(0, len(o.ops)-30):] {
			ops = append(ops, fmt.Sprintf("%d%v%v%c", op.num, op.keys, op.delete, op.status))
		}
		return fmt.Errorf("owner %d has %v, which is none of %v; base %v must %d of %d, last %v", o.id, found, states, o.base, o.must, len(o.ops), ops)
	}
	if a.opts.Sync.Always() {
		for k := range found {
			key := &o.keys[k]
			low := max(key.acked, key.seen)
			if found[k] != 0 && found[k] < low {
				return fmt.Errorf("%s has %d after %d was ok or seen", attackKeyName(o.id, k), found[k], low)
			}
		}
	}
	o.base, o.ops, o.must = found, nil, 0
	for k, num := range found {
		o.keys[k] = attackKey{issued: map[int]*attackOp{}, acked: num, seen: num}
		if num != 0 {
			o.keys[k].issued[num] = &attackOp{keys: []int{k}, num: num, status: 'o'}
		}
	}
	return nil
}
