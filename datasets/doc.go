// Package datasets opens the real texts and embeddings that stand in this
// folder, and reads the file formats in which vector data sets travel.
//
//	manifest.json ── Open ──> Manifest ── Set("minilm") ──> Set: file, licence, sha256, rows, dim
//	                             │
//	                             ├── Banking77()   questions with intent and split
//	                             └── MiniLM()      30,781 x 384 float32 rows with their texts
//
//	ReadNPY  ReadFvecs  ReadIvecs  ReadJSONL       any reader, any size up to Limits
//	Clusters{Rows: …, Dim: …}.Make()               image-like vectors of any number
//
// [Dir] finds the folder; [Open] reads its manifest. README.md names the
// origin and the licence of each file.
//
// Headers are not believed: a size is checked against [Limits] and against the
// bytes that are there before memory is taken for it, so a damaged or hostile
// file costs an error, not the process. HDF5 is not read; bench/ann converts it.
//
// All functions may be called concurrently; what they return is the caller's.
// The package imports no other package of this module.
package datasets
