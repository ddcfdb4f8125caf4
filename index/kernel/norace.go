//go:build !race

package kernel

func annotate(k Kernel) Kernel { return k }
