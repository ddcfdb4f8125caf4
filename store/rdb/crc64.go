package rdb

import "hash/crc64"

// jones is the polynomial of Redis' checksums, reversed as Go wants it.
var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// Checksum continues a checksum, which begins with 0. Unlike Go's it is not
// inverted before and after.
func Checksum(sum uint64, b []byte) uint64 { return ^crc64.Update(^sum, jones, b) }
