package resptest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
)

// withoutField are the fields of Redis' INFO that have no counterpart: they are
// about its allocator, its threads and its event loop, or count keys by their size.
var withoutField = []string{
	"gcc_version", "monotonic_clock", "atomicvar_api", "io_thread_*", "io_threaded_total_*", "eventloop_*", "instantaneous_eventloop_*",
	"total_client_processing_events",
	"used_cpu_*_main_thread", "cmdstat_*", "errorstat_*", "latency_percentiles_*", "db0", "db1", "db0_distrib_*", "db1_distrib_*",
}

// TestInfoHasTheFields compares the names of INFO's fields with Redis'.
func TestInfoHasTheFields(t *testing.T) {
	ours, theirs := dial(t, resptest.Start(t).Addr(), 3), dial(t, redisAddr(t), 3)
	theirs.Do("FLUSHALL") // sections about keys are there where there are keys
	section := ""
	have := infoFields(ours)
	for _, line := range strings.Split(theirs.Do("INFO", "everything").Text, "\r\n") {
		if strings.HasPrefix(line, "# ") {
			section = line
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok || slices.Contains(have, name) {
			continue
		}
		if !slices.ContainsFunc(withoutField, func(p string) bool {
			prefix, suffix, star := strings.Cut(p, "*")
			return star && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) || name == p
		}) {
			t.Errorf("%s: %s is missing", section, line)
		}
	}
	for i, name := range have {
		if slices.Contains(have[:i], name) && name != "module" && name != "nearcache_version" {
			t.Errorf("%s is there twice", name)
		}
	}
}

func infoFields(c *resptest.Conn) (names []string) {
	for _, line := range strings.Split(c.Do("INFO", "everything").Text, "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, strings.TrimPrefix(name, "txt:"))
		}
	}
	return names
}
