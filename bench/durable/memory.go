package durable

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/bench/peer"
)

// held is the memory of a server's process and of those that it has forked; a page that they share counts once.
func held(p *peer.Server) int64 {
	pid := strconv.Itoa(p.PID())
	n, ok := proportional(pid)
	if !ok {
		return p.RSS()
	}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", pid, pid))
	for _, child := range strings.Fields(string(b)) {
		more, _ := proportional(child)
		n += more
	}
	return n
}

// proportional is a process' share of memory, as Linux counts it.
func proportional(pid string) (int64, bool) {
	b, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "Pss:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}
