// Package ann measures approximate nearest-neighbour search beside other
// libraries. It is the command
//
//	go run ./cmd/nearcache bench ann                      # the vectors in datasets, all engines
//	go run ./cmd/nearcache bench ann -h                   # its flags
//	go run ./cmd/nearcache bench ann -quick               # nearcache and hnswlib, half a minute
//	go run ./cmd/nearcache bench ann -gen 60000x784 -metric l2 -parts all
//	go run ./cmd/nearcache bench ann -summary bench/results/ann-*.json
//
//	set      the vectors, the queries, the exact answers        load.go, set.go
//	engine   what is measured: a row of rows                    engine.go
//	         ├─ nearcache, coder    in this process
//	         └─ peer                a process that takes a command a line: hnswlib's C++ header
//	                                in a program of ours, faiss, usearch and hnswlib in Python
//	part     sweep     recall against speed, build, memory      sweep.go
//	         threads   all cores against one                    threads.go
//	         churn, reinsert    what change costs               change.go
//	         inserting searches while another core inserts      inserting.go
//	         filter, flat, allocs                               filter.go, flat.go, allocs.go
//	result   tables, ratios, figures; JSON, text, SVG           result.go, figures.go, plot.go
//
// The command builds its peers into the user's cache folder, with pip and g++.
// One that cannot be had is named in the result and left out.
//
// bench/METHOD.md says how it is made sure that the comparison is fair.
// Linux is assumed where threads are bound to cores and memory is read; on
// other systems these figures are missing.
package ann
