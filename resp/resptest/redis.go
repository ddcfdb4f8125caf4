package resptest

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// StartRedis starts another of the real Redis that NEARCACHE_REDIS names, until the test ends: one that has
// had replicas, or files, is another one. Where there is none the test is skipped.
func StartRedis(tb testing.TB) (addr string) {
	tb.Helper()
	known := os.Getenv("NEARCACHE_REDIS")
	if known == "" {
		tb.Skip("NEARCACHE_REDIS names no real Redis to compare with")
	}
	c, err := Dial(known, 2)
	if err != nil {
		tb.Fatal(err)
	}
	var binary string
	for line := range strings.Lines(c.Do("INFO", "server").Text) {
		if path, ok := strings.CutPrefix(line, "executable:"); ok {
			binary = strings.TrimSpace(path)
		}
	}
	_ = c.Close()
	if _, err := os.Stat(binary); err != nil {
		tb.Skipf("the real Redis is not of this machine: %v", err)
	}
	host := OwnAddress()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	addr = l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(binary, "--port", port, "--bind", host, "--save", "", "--appendonly", "no", "--enable-debug-command", "yes", "--dir", tb.TempDir())
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(Timeout); ; time.Sleep(10 * time.Millisecond) {
		if c, err := Dial(addr, 2); err == nil {
			_ = c.Close()
			return addr
		} else if time.Now().After(end) {
			tb.Fatal(err)
		}
	}
}
