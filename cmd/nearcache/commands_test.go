package main

import (
	"strings"
	"testing"
)

func TestCommandsAreListed(t *testing.T) {
	list := func(args ...string) []string {
		t.Helper()
		var b strings.Builder
		if err := run(append([]string{"commands"}, args...), &b); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(b.String()), "\n")
	}
	line := func(lines []string, words ...string) bool {
		for _, l := range lines {
			if strings.HasPrefix(strings.Join(strings.Fields(l), " ")+" ", strings.Join(words, " ")+" ") {
				return true
			}
		}
		return false
	}
	all := list()
	for _, want := range [][]string{
		{"string", "GET", "1.0.0", "yes"},
		{"connection", "CLIENT LIST", "2.4.0", "yes"},
		{"json", "JSON.SET", "1.0.0", "yes"},
		{"nearcache", "NC.COST"},
		{"cluster", "CLUSTER NODES", "3.0.0", "no", "one", "node"},
		{"timeseries", "TS.ADD", "no", "time", "series"},
	} {
		if !line(all, want...) {
			t.Errorf("no line %q", want)
		}
	}
	missing := list("-missing")
	if line(missing, "string", "GET") || !line(missing, "cluster", "CLUSTER NODES") {
		t.Error("-missing lists others than the missing ones")
	}
	if l := list("client list"); len(l) != 4 { // head, line, empty line, sum
		t.Errorf("one command gives %q", l)
	}
	if l := list("zr*"); !line(l, "sorted-set", "ZRANGE") || line(l, "string", "GET") {
		t.Errorf("a pattern gives %q", l)
	}
	if err := run([]string{"commands", "["}, new(strings.Builder)); err == nil {
		t.Error("a bad pattern is taken")
	}
}
