//go:build !race

package vset

// slow divides the work of tests that the race detector makes slow.
const slow = 1

var quants = []Quant{F32, Q8, Bin}
