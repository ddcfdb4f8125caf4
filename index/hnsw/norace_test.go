//go:build !race

package hnsw

const short = false
