package evict

// IdleTime is how long an entry has not been used, in ms; false where its access
// word does not tell. Under lhd, which counts insertions, a tick is taken for a
// minute: within an hour it sees as many new keys as there are.
func (sh *Shard) IdleTime(s *Setup, access uint32, now int64) (ms int64, ok bool) {
	switch s.Word {
	case LastUse:
		return int64(Clock(now)-access) << tickShift, true
	case Counter:
		return int64((minutes(now)-access>>16)&0xffff) * 60_000, true
	case Density:
		return int64(sh.learning().age(access)) * 60_000, true
	}
	return 0, false
}
