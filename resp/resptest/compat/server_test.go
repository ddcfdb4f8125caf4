package compat

import (
	"os"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// address returns an empty server: one of the test's own, or the one that
// NEARCACHE_ADDR names.
func address(t *testing.T) string {
	t.Helper()
	addr := os.Getenv("NEARCACHE_ADDR")
	if addr == "" {
		return resptest.Start(t).Addr()
	}
	c, err := resptest.Dial(addr, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Do("FLUSHALL")
	return addr
}

// patience is with a machine that does much else, or stands still for some seconds.
const patience = time.Minute

// eventually fails the test if ok does not come true in the end.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
