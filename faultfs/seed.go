package faultfs

// draw returns a number from 0 to 1, 1 excluded, that depends on nothing but
// the seed and the number of the call.
func draw(seed uint64, call int) float64 {
	const inverse53 = 1.0 / (1 << 53)
	return float64(mix(mix(seed)+uint64(call))>>11) * inverse53
}

// mix is the step of the generator SplitMix64: it turns numbers that are near
// each other into numbers that have nothing to do with each other.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
