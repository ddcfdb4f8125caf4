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
	// Four bytes a step (Kounavis and Berry's slicing): a byte a step waits for
	// each look into the table.
	crc := uint16(0)
	for ; len(key) >= 4; key = key[4:] {
		crc = crcTables[3][key[0]^byte(crc>>8)] ^ crcTables[2][key[1]^byte(crc)] ^ crcTables[1][key[2]] ^ crcTables[0][key[3]]
	}
	for _, b := range key {
		crc = crc<<8 ^ crcTables[0][byte(crc>>8)^b]
	}
	return int(crc & (Slots - 1))
}

func shardOf(key []byte) int { return Slot(key) >> slotShift }

// crcTables[k] is what a byte does to the sum when k more bytes follow it.
var crcTables = func() (t [4][256]uint16) {
	for i := range t[0] {
		c := uint16(i) << 8
		for range 8 {
			if c&0x8000 != 0 {
				c = c<<1 ^ 0x1021
			} else {
				c <<= 1
			}
		}
		t[0][i] = c
	}
	for k := 1; k < len(t); k++ {
		for i, c := range t[k-1] {
			t[k][i] = c<<8 ^ t[0][c>>8]
		}
	}
	return t
}()
