//go:build !amd64 || noasm

package kernel

var assembly []Kernel
