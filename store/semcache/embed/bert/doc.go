// Package bert computes embeddings of texts with a sentence-transformers model
// of the BERT kind: all-MiniLM, bge, e5, gte, multi-qa and their like.
//
//	folder ──Open──► Model
//	  config.json, modules.json, 1_Pooling/config.json, sentence_bert_config.json
//	  tokenizer.json or vocab.txt ──► tokenizer (WordPiece)
//	  model.safetensors           ──► weights
//
//	text ──tokenizer──► ids ──embeddings──► layers × (attention, feed-forward) ──pooling──► vector of length 1
//
// Of a folder, the files above are all that is read. What they ask for and is
// not known here (another architecture, another tokenizer, a further dense layer)
// is an error of [Open], not another vector.
//
// All of the arithmetic that costs time is dot products of [kernel]. A
// matrix is taken through the rows of a text in blocks that stay in the first level of
// the cache, so that the weights are read from memory once for each text.
//
// # Why not a library
//
// The Go libraries that run such models without cgo bring 160 MB of modules
// (knights-analytics/hugot 0.6.1 with gomlx 0.26.0, 28 modules), which everybody
// who types `go run` would wait for, and read ONNX only. This is one model
// architecture of a few hundred lines, held against the vectors that
// sentence-transformers has made of 30,781 texts.
//
// A Model is immutable; any number of goroutines may embed with it, each with
// memory of its own.
package bert
