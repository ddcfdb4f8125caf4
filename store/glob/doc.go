// Package glob matches the patterns of KEYS, SCAN, PSUBSCRIBE and CONFIG GET:
//
//	a*c     any number of any bytes between a and c, none included
//	a?c     any one byte
//	a[xy]c  one of these bytes; [x-z] a range, [^xy] any other byte
//	a\?c    the byte itself, in a class too
//
// The rules are those of Redis, corner cases included: a class that is never
// closed ends with the pattern, [] matches nothing, a reversed range is turned
// around, a lone backslash at the end is a backslash, and an escaped letter in a
// class keeps its case where case is ignored.
//
// It departs from Redis in three points. A pattern of stars alone matches the
// empty string, as KEYS * does everywhere. Bytes above 127 sort above the
// letters in a range; in Redis that depends on the machine. And where Redis
// gives up after a thousand stars, this package gives up after a number of
// steps (see [Match]), so that no pattern can stall the server.
//
// Matching is iterative and allocates nothing. All functions may be called
// concurrently.
package glob
