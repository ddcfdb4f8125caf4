//go:build !race

package kinds

const short = false
