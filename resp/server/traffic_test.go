package server

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

// TestTrafficIsCounted holds INFO's figures of connections, of clients that are
// there and of those that have gone.
func TestTrafficIsCounted(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	c := dial(t, s, client.Options{})
	figure := func(name string) int64 {
		t.Helper()
		m := regexp.MustCompile("\r\n" + name + ":(\\d+)\r\n").FindStringSubmatch(do(t, c, "INFO", "stats").Str)
		if m == nil {
			t.Fatalf("INFO has no %s", name)
		}
		n, _ := strconv.ParseInt(m[1], 10, 64)
		return n
	}
	w := dialWire(t, s)
	value := make([]byte, 100_000)
	for i := range value {
		value[i] = 'x'
	}
	w.do("SET k " + string(value))
	w.do("GET k")
	names := []string{"total_net_input_bytes", "total_net_output_bytes", "total_reads_processed", "total_writes_processed", "avg_pipeline_length_cnt"}
	least := []int64{100_000, 100_000, 2, 2, 2}
	check := func(when string) {
		t.Helper()
		for i, name := range names {
			if n := figure(name); n < least[i] {
				t.Errorf("%s: %s is %d", when, name, n)
			}
		}
	}
	// A client may have a reply just before that is counted.
	eventually(t, "the reply is not counted", func() bool { return figure(names[1]) >= least[1] })
	check("while the client is there")
	_ = w.conn.Close()
	eventually(t, "the client stays", func() bool { return s.env.Clients.Len() == 1 })
	check("when it has gone")
	do(t, c, "CONFIG", "RESETSTAT")
	if in, out := figure(names[0]), figure(names[1]); in > 10_000 || out > 10_000 {
		t.Errorf("CONFIG RESETSTAT leaves %d and %d bytes", in, out)
	}
}
