// Package rdb reads and writes values in the RDB format of Redis: what DUMP
// answers and RESTORE takes, and what an RDB file holds behind each key.
//
//	payload  │ type │ value │ version, 2 bytes │ CRC64, 8 bytes │      Dump, Restore
//	                   │
//	           lengths, strings, doubles                             Reader, append…
//	                   │
//	           listpack · intset · ziplist · zipmap                  inside of one string
//
//	file     │ magic │ notes, functions │ database │ time, type, key, value │ … │ CRC64 │      File, FileWriter
//
// [Reader] reads from memory or from an [io.Reader]; [File] sits on top of it and
// reads what stands between the values. What is in a file and not here, data of
// modules and arrays, it passes over, and names it.
//
// # What is read and what is written
//
// Every type of value of Redis 2.6 to 8.10 is read, and the hashes with expiring
// fields of Valkey 9, but for arrays and modules' data other than JSON, vector
// sets and suggestions. A value is written as the oldest of its forms that can hold it, with the
// version that brought the form: what has no newer feature is accepted by Redis 7.0.
//
// # Bytes that nobody vouches for
//
// A payload comes from a client. Lengths are never believed: memory is taken for
// what has been read, and a compressed string may grow up to what its form
// allows, 88 times. Every byte of a listpack and of its kin is checked as it is
// read. What is wrong is [ErrFormat]; nothing of a value is left then.
package rdb
