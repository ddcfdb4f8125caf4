//go:build linux && !noepoll

// Without reactors nothing is run for a client that reads nothing.

package server_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// TestLargeValuesAreSentAsTheyWere: a client asks for large values and changes them, and
// reads nothing until all is done; then each reply is what the value was when it was asked
// for, though many were sent from where they lay.
func TestLargeValuesAreSentAsTheyWere(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/sock" // which never loses what nobody has taken, as TCP does: then it waits to send it again
	resptest.Start(t, "--client-output-buffer-limit", "normal 1gb 0 0", "--unixsocket", path)
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		other, err := resptest.Dial(path, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		var ask bytes.Buffer
		var want []string
		do := func(reply string, args ...string) {
			ask.WriteString(resptest.Encode(args...))
			want = append(want, reply)
		}
		bulk := func(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
		values := map[string]string{}
		for range 150 {
			key := "large:" + strconv.Itoa(rng.IntN(3))
			v, has := values[key]
			got := "$-1\r\n"
			if has {
				got = bulk(v)
			}
			switch rng.IntN(12) {
			case 0, 1:
				v = string(bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, []int{15_000, 17_000, 60_000, 300_000}[rng.IntN(4)]))
				values[key] = v
				do("+OK\r\n", "SET", key, v)
			case 2:
				v += "more"
				values[key] = v
				do(fmt.Sprintf(":%d\r\n", len(v)), "APPEND", key, "more")
			case 3:
				if len(v) > 10 {
					v = v[:5] + "X" + v[6:]
					values[key] = v
					do(fmt.Sprintf(":%d\r\n", len(v)), "SETRANGE", key, "5", "X")
				}
			case 4:
				if has {
					delete(values, key)
					do(":1\r\n", "DEL", key)
				}
			case 5:
				if has {
					do(":1\r\n", "EXPIRE", key, "1000")
				}
			case 6: // in an EXEC what is read is changed before it is sent
				v += "!"
				values[key] = v
				do("+OK\r\n", "MULTI")
				do("+QUEUED\r\n", "GET", key)
				do("+QUEUED\r\n", "APPEND", key, "!")
				do("+QUEUED\r\n", "GET", key)
				do("*3\r\n"+got+fmt.Sprintf(":%d\r\n", len(v))+bulk(v), "EXEC")
			case 7:
				do("", "CLIENT", "REPLY", "SKIP")
				do("", "GET", key)
			case 8:
				if has {
					delete(values, key)
					do(got, "GETDEL", key)
				}
			default:
				do(got, "GET", key)
			}
		}
		done := fmt.Sprint("done:", seed)
		do("+OK\r\n", "SET", done, "1")
		go c.Write(ask.Bytes())
		for end := time.Now().Add(time.Minute); other.Do("EXISTS", done).Text != "1"; {
			if time.Now().After(end) {
				t.Fatalf("the commands do not end; %s", other.Do("CLIENT", "LIST").Text)
			}
			time.Sleep(time.Millisecond)
		}
		other.Do("FLUSHALL")
		for i, w := range want {
			got := make([]byte, len(w))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != w {
				t.Fatalf("seed %d, reply %d: %.100q of %d bytes, want %.100q", seed, i, got, len(w), w)
			}
		}
	}
}
