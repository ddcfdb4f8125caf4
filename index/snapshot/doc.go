// Package snapshot is the file that a vector index is saved to: sections of
// rows as they lie in memory, page after page, with checksums, so that an
// index can be opened by mapping the file. FORMAT.md describes it byte by byte.
//
//	Write    writes the header and the sections to an [io.Writer], in one pass
//	Read     reads them from an [io.Reader] into an index's arenas
//	Map      puts the pages of an open file at the beginning of the arenas
//
// An index type says which sections there are and what is in them. It asks for
// them in the order in which they were written, and has to check what they
// hold: a checksum says that a file is as it was written, not who wrote it.
// This package checks magic, version, checksums and sizes, takes no more memory
// than the file has bytes, and reports everything else as
// [index.ErrCorrupt], with the section and the offset.
//
// Everything is little-endian, and so must be the machine: see [ErrEndian].
//
// A [Reader] is for one goroutine.
package snapshot
