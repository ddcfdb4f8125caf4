package store

import "bytes"

// Slots is the number of hash slots of the Redis Cluster specification;
// shards map onto them so that slots can move between nodes one day.
const (
	Slots     = 16384
	Shards    = 256
	slotShift = 6 // Slots / Shards = 64
)

// Slot is the key's hash slot: CRC16 (XMODEM) of the key, or of its hash tag,
// the part between the first { and the next }, where that is not empty.
func Slot(key []byte) int {
	if i := bytes.IndexByte(key, '{'); i >= 0 {
		if j := bytes.IndexByte(key[i+1:], '}'); j > 0 {
			key = key[i+1 : i+1+j]
		}
	}
	var crc uint16
	for _, b := range key {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^b]
	}
	return int(crc & (Slots - 1))
}

func shardOf(key []byte) int { return Slot(key) >> slotShift }

var crcTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i) << 8
		for range 8 {
			if c&0x8000 != 0 {
				c = c<<1 ^ 0x1021
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}()
