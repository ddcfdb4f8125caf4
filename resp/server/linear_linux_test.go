package server

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time that the process has taken: the machine may do other
// things meanwhile.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestTransactionsHaveLinearCost runs transactions of eight times as many commands.
// What they take may grow by a bit more than that: not by sixty-four, as where
// each command looks at all that came before.
func TestTransactionsHaveLinearCost(t *testing.T) {
	s, stop := start(t, nil, "--appendonly", "no")
	defer stop()
	c := s.pipe(t)
	run := func(lines []string) time.Duration {
		t.Helper()
		const step = 200
		for ; len(lines) > 0; lines = lines[min(step, len(lines)):] {
			var b, want bytes.Buffer
			for _, line := range lines[:min(step, len(lines))] {
				b.Write(encode(line))
				if line == "MULTI" {
					want.WriteString("+OK\r\n")
				} else {
					want.WriteString("+QUEUED\r\n")
				}
			}
			sent := make(chan error, 1)
			go func() {
				_, err := c.conn.Write(b.Bytes())
				sent <- err
			}()
			c.expect(want.String())
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		}
		before := cpu(t)
		if _, err := c.conn.Write(append(encode("EXEC"), encode("ECHO end")...)); err != nil {
			t.Fatal(err)
		}
		end := []byte(bulk("end"))
		for got := []byte(nil); !bytes.HasSuffix(got, end); {
			x, err := c.r.ReadByte()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got[max(0, len(got)-len(end)):], x)
		}
		return cpu(t) - before
	}
	n := 2000
	if raceEnabled {
		n = 500
	}
	for name, line := range map[string]func(i int) string{
		"SET":      func(i int) string { return fmt.Sprint("SET k", i, " v") },
		"SET EX":   func(i int) string { return fmt.Sprint("SET k", i, " v EX 100") },
		"SET, DEL": func(i int) string { return fmt.Sprintf([]string{"SET k%d v", "DEL k%d"}[i%2], i/2) },
		"SET, FLUSHDB": func(i int) string {
			if i%64 == 63 {
				return "FLUSHDB"
			}
			return fmt.Sprint("SET k", i, " v")
		},
		"INCR":          func(int) string { return "INCR k" },
		"GET":           func(i int) string { return fmt.Sprint("GET k", i) },
		"HSET, indexed": func(i int) string { return fmt.Sprint("HSET d:", i, " title v") },
		"HSET, one key": func(i int) string { return fmt.Sprint("HSET d: title v", i) },
		"RPUSH, LPOP":   func(i int) string { return []string{"RPUSH l v", "LPOP l"}[i%2] },
		"RENAME":        func(i int) string { return fmt.Sprintf([]string{"SET a%d v", "RENAME a%d b"}[i%2], i/2) },
		"XADD":          func(int) string { return "XADD x * f v" },
		"SORT":          func(i int) string { return fmt.Sprint("SORT l BY k* GET k* STORE s", i) },
	} {
		measure := func(n int) time.Duration {
			c.send("FLUSHALL")
			c.expect("+OK\r\n")
			c.send("FT.CREATE idx PREFIX 1 d: SCHEMA title TEXT")
			c.expect("+OK\r\n")
			lines := []string{"MULTI"}
			for i := range n {
				lines = append(lines, line(i))
			}
			return run(lines)
		}
		var few, many time.Duration
		for range 5 {
			few, many = measure(n), measure(8*n)
			if many < 32*few {
				break
			}
		}
		if many >= 32*few {
			t.Errorf("%s: %v for %d commands, %v for %d", name, few, n, many, 8*n)
		}
	}
}
