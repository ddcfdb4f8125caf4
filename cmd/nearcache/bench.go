package main

import (
	"fmt"
	"io"

	"github.com/nearcache/nearcache/bench/ann"
)

// runBench measures. Servers under load are measured by bench/load, a command
// of its own.
func runBench(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] != "ann" {
		return fmt.Errorf("bench: what? There is: bench ann (vector indexes; -h lists its flags)")
	}
	return ann.Run(args[1:], stdout, stderr)
}
