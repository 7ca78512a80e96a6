package faultfs

import (
	"math/rand/v2"
)

// sectorBytes is the unit in which disks lose and mistake data.
const sectorBytes = 512

// damage is one rule that changes the bytes of one call.
type damage struct {
	rule Rule
	call int
}

// placed reports whether the damage depends on where in the file the call is.
func (d damage) placed() bool { return d.rule.Damage != DamageFlip }

// apply changes b, the bytes of a call that starts at offset.
func (d damage) apply(b []byte, offset int64) {
	if len(b) == 0 {
		return
	}
	sector := b[:min(int64(len(b)), sectorBytes-offset%sectorBytes)]
	switch d.rule.Damage {
	case DamageFlip:
		bit := d.rule.FlipBit % (8 * int64(len(b)))
		b[bit/8] ^= 1 << (bit % 8)
	case DamageZero:
		clear(sector)
	case DamageGarbage:
		random := rand.New(rand.NewPCG(d.rule.seed(), uint64(d.call)))
		for i := range sector {
			sector[i] ^= byte(1 + random.IntN(255))
		}
	}
}

// carries reports whether a call that the rule ends moves bytes all the same.
func (r Rule) carries() bool {
	return r.TearBytes > 0 || r.ShortBytes > 0 || r.MisdirectBytes != 0 || r.After
}

// placed reports whether the outcome depends on where in the file the call is.
func (o *outcome) placed() bool {
	if o.rule != nil && o.rule.MisdirectBytes != 0 {
		return true
	}
	for _, d := range o.damage {
		if d.placed() {
			return true
		}
	}
	return false
}

// spoil applies all damage to b in place.
func (o *outcome) spoil(b []byte, offset int64) {
	for _, d := range o.damage {
		d.apply(b, offset)
	}
}

// part returns what of p a torn or short call moves.
func (o *outcome) part(p []byte) []byte {
	if o.rule == nil || o.rule.TearBytes == 0 && o.rule.ShortBytes == 0 {
		return p
	}
	return p[:min(len(p), max(o.rule.TearBytes, o.rule.ShortBytes))]
}

func (o *outcome) short() bool { return o.rule != nil && o.rule.ShortBytes > 0 }
