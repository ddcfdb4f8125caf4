package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/nearcache/nearcache/bench/ann"
	"github.com/nearcache/nearcache/bench/durable"
	"github.com/nearcache/nearcache/bench/evict"
	"github.com/nearcache/nearcache/bench/keyspace"
	"github.com/nearcache/nearcache/bench/load"
	"github.com/nearcache/nearcache/bench/proxy"
	"github.com/nearcache/nearcache/bench/replica"
	"github.com/nearcache/nearcache/bench/search"
	"github.com/nearcache/nearcache/bench/semcache"
	"github.com/nearcache/nearcache/bench/squeeze"
	"github.com/nearcache/nearcache/bench/tracking"
	"github.com/nearcache/nearcache/bench/types"
)

// benches are what `nearcache bench` measures.
var benches = []struct {
	name, what string
	run        func(args []string, stdout, stderr io.Writer) error
}{
	{"ann", "measures the vector indexes beside other libraries", ann.Run},
	{"durable", "snapshots under load, starts, and restarts with vectors, beside Redis", durable.Run},
	{"evict", "how many requests find their key under each eviction policy, beside Redis and the optimum", evict.Run},
	{"load", "measures servers under load, beside Redis", load.Run},
	{"memory", "bytes a key, texts, collections and churn, beside Redis", keyspace.Memory},
	{"expiry", "reads while many keys fall due, beside Redis", keyspace.Expiry},
	{"slow", "reads while many clients ask for much and read nothing, beside Redis", keyspace.Slow},
	{"proxy", "what the caching proxy and the embedding of prompts cost", proxy.Run},
	{"replica", "how far a replica is behind, and how long its copy takes", replica.Run},
	{"search", "queries of indexes: rates, recall, processor time, memory, and during a load", search.Run},
	{"semcache", "how often a semantic hit is right", semcache.Run},
	{"squeeze", "what compressing values saves and costs", squeeze.Run},
	{"types", "what commands on large values cost, and their memory, beside Redis", types.Run},
	{"tracking", "whether copies in clients stay true, and what that costs", tracking.Run},
}

func runBench(args []string, stdout, stderr io.Writer) error {
	for _, b := range benches {
		if len(args) > 0 && args[0] == b.name {
			return b.run(args[1:], stdout, stderr)
		}
	}
	return fmt.Errorf("bench: what? There is (-h lists the flags of each):\n%s", benchUsage())
}

// benchUsage is the lines of the help about benches.
func benchUsage() string {
	var s strings.Builder
	for _, b := range benches {
		fmt.Fprintf(&s, "  %-47s %s\n", "nearcache bench "+b.name+" [-flags]", b.what)
	}
	return s.String()
}
