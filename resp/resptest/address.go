package resptest

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
)

var addresses atomic.Uint32 // that were handed out

// OwnAddress is an address of this machine that nobody else has been given: a port of it
// that was free, or a server's that has ended, is taken by no other test meanwhile. Only Linux has
// more than 127.0.0.1 by itself.
func OwnAddress() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	pid, n := os.Getpid(), addresses.Add(1)
	return fmt.Sprintf("127.%d.%d.%d", 128|pid>>8&127, pid&255, 1+n%254)
}
