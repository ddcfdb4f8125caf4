// Package squeeze compresses text values one by one, with a dictionary made
// from values like them: a value of 300 bytes repeats little of itself, but
// much of its neighbours.
//
//	Sample ──► samples ──► Train ──► generation n: dictionary, encoder, decoder
//	                                     │
//	value ──► Compress ──────────────────┴──► [n | length | zstd blocks]
//	value ◄── Decompress ◄── generation n, which lives as long as such values
//
// A [Codec] keeps a sample of what it is shown. [Codec.Train] makes a
// dictionary of it and, where that compresses better than what is in use, the
// next generation; Compress uses the newest. The first byte of what it returns
// names the generation, 0 is the one without a dictionary. Every compressed
// value is a reference to its generation, which goes with the last of them:
// see [Codec.Compress], [Codec.Retain] and [Codec.Release].
//
// The dictionary's content is chosen as fastCOVER does (dictionary.go): for
// answers of a few hundred bytes that was 5 to 20% better than the builder
// that comes with the compressor, and takes a third of its time. Why zstd at its fastest level and not
// s2: bench/squeeze.
//
// # Concurrency
//
// A Codec may be used by many goroutines. Train takes tens of milliseconds and
// is for one in the background; it holds no lock that the others need for more
// than a moment.
package squeeze
