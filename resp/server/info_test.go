package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/command"
)

func TestInfoSections(t *testing.T) {
	s := New(load(t, nil))
	f := func(want string, sections ...string) {
		t.Helper()
		var got []string
		for _, line := range strings.Split(s.Info(sections), "\r\n") {
			if strings.HasPrefix(line, "# ") {
				got = append(got, line[2:])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("INFO %q has %q, want %s", sections, got, want)
		}
	}
	const all = "Server Nearcache Clients Memory Persistence Stats Replication CPU Hotkeys Modules Errorstats Cluster Keyspace"
	const more = "Server Nearcache Clients Memory Persistence Stats Replication CPU Hotkeys Bigkeys Modules Search Commandstats Errorstats Latencystats Cluster Keyspace"
	f(all)
	f(all, "default")
	f(more, "everything")
	f(more, "ALL", "server")
	f("CPU", "cpu")
	f("Server Stats", "stats", "Server", "stats")
	f("", "nosuch")

	info := s.Info(nil)
	for _, want := range []string{
		"redis_version:" + command.RedisVersion, "redis_mode:standalone", "arch_bits:", "loading:0", "cluster_enabled:0",
		"module:name=search,ver=80204,", "module:name=ReJSON,ver=", "role:master", "tracking_total_keys:0", "used_memory_human:",
	} {
		if !strings.Contains(info, "\r\n"+want) {
			t.Errorf("INFO lacks %s", want)
		}
	}
	for _, line := range strings.Split(info, "\r\n") {
		if line != "" && !strings.HasPrefix(line, "# ") && !strings.Contains(line, ":") {
			t.Errorf("line %q of INFO", line)
		}
	}
}

func TestVersionIsMadeOfNumbers(t *testing.T) {
	var a, b, c int
	if n, err := fmt.Sscanf(command.RedisVersion+"|", "%d.%d.%d|", &a, &b, &c); n != 3 || err != nil || a < 8 || a == 8 && b < 2 {
		t.Errorf("RedisVersion %s: clients want three numbers, at least 8.2.0", command.RedisVersion)
	}
}

func TestHumanBytes(t *testing.T) {
	f := func(n int64, want string) {
		t.Helper()
		if got := human(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	f(0, "0B")
	f(1023, "1023B")
	f(1024, "1.00K")
	f(805176, "786.30K")
	f(25274793984, "23.54G")
	f(3<<40, "3.00T")
}
