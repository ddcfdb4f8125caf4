package resptest_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// cursorID is the id in a reply of FT.AGGREGATE WITHCURSOR or FT.CURSOR READ, and
// how many rows stand before it.
func cursorID(t *testing.T, v resptest.Value) (rows int, id string) {
	t.Helper()
	if v.IsError() || len(v.Elems) != 2 {
		t.Fatalf("no cursor: %v", v)
	}
	return len(v.Elems[0].Elems) - 1, v.Elems[1].Text
}

func TestCursors(t *testing.T) {
	t.Parallel()
	s := resptest.Start(t)
	c, err := resptest.Dial(s.Addr(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do := func(args ...string) resptest.Value {
		t.Helper()
		v := c.Do(args...)
		if v.IsError() {
			t.Fatalf("%q: %v", args, v)
		}
		return v
	}
	fails := func(want string, args ...string) {
		t.Helper()
		if v := c.Do(args...); !v.IsError() || v.Text != want {
			t.Fatalf("%q: %v, want %s", args, v, want)
		}
	}
	do("FT.CREATE", "idx", "SCHEMA", "n", "NUMERIC", "SORTABLE")
	const docs = 1000
	for i := range docs {
		do("HSET", "d"+strconv.Itoa(i), "n", strconv.Itoa(i))
	}
	// All of them, and none twice, while others are written and some go.
	rows, id := cursorID(t, do("FT.AGGREGATE", "idx", "*", "LOAD", "1", "n", "WITHCURSOR", "COUNT", "100"))
	for i := range 100 {
		do("HSET", "e"+strconv.Itoa(i), "n", "5000")
		do("DEL", "d"+strconv.Itoa(900+i))
	}
	for id != "0" {
		n, next := cursorID(t, do("FT.CURSOR", "READ", "idx", id, "COUNT", "250"))
		rows, id = rows+n, next
	}
	if rows != docs-100 {
		t.Fatalf("%d rows", rows)
	}

	open := func(more ...string) string {
		t.Helper()
		_, id := cursorID(t, do(append([]string{"FT.AGGREGATE", "idx", "*", "WITHCURSOR", "COUNT", "1"}, more...)...))
		return id
	}
	id = open()
	do("FT.CURSOR", "DEL", "idx", id)
	fails("Cursor does not exist", "FT.CURSOR", "DEL", "idx", id)
	fails("Cursor not found, id: "+id, "FT.CURSOR", "READ", "idx", id)

	// One that was idle for too long is gone.
	id = open("MAXIDLE", "1")
	for end := time.Now().Add(resptest.Timeout); ; {
		v := c.Do("FT.CURSOR", "READ", "other", id)
		if v.IsError() {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is read for ever")
		}
		if _, id = cursorID(t, v); id == "0" {
			id = open("MAXIDLE", "1")
		}
		time.Sleep(2 * time.Millisecond) // longer than it may be idle
	}

	// There is a limit, which idle ones do not count for.
	ids := []string{}
	for range 128 {
		ids = append(ids, open())
	}
	fails("INDEX_CURSOR_LIMIT of 128 has been reached for an index", "FT.AGGREGATE", "idx", "*", "WITHCURSOR", "COUNT", "1")
	do("FT.CURSOR", "DEL", "idx", ids[0])
	ids[0] = open()

	do("FT.DROPINDEX", "idx")
	fails("The index was dropped while the cursor was idle", "FT.CURSOR", "READ", "idx", ids[1])
	fails("Cursor not found, id: "+ids[1], "FT.CURSOR", "READ", "idx", ids[1])
	do("FT.CURSOR", "DEL", "idx", ids[2])
}

// TestInfoOfCursorsAndDialects: FT.INFO says which cursors there are, and in which
// dialects the index was asked.
func TestInfoOfCursorsAndDialects(t *testing.T) {
	t.Parallel()
	s := resptest.Start(t)
	c, err := resptest.Dial(s.Addr(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info := func(key string) string {
		t.Helper()
		v := c.Do("FT.INFO", "idx")
		for i := 0; i+1 < len(v.Elems); i += 2 {
			if v.Elems[i].Text == key {
				return v.Elems[i+1].String()
			}
		}
		t.Fatalf("no %s in %v", key, v)
		return ""
	}
	want := func(cursors, dialects string) {
		t.Helper()
		if got := info("cursor_stats"); got != cursors {
			t.Errorf("cursors %s, want %s", got, cursors)
		}
		if got := info("dialect_stats"); got != dialects {
			t.Errorf("dialects %s, want %s", got, dialects)
		}
	}
	for _, args := range [][]string{{"FT.CREATE", "idx", "SCHEMA", "n", "NUMERIC"}, {"HSET", "a", "n", "1"}, {"HSET", "b", "n", "2"}} {
		if v := c.Do(args...); v.IsError() {
			t.Fatal(v)
		}
	}
	none := `(array) ["global_idle", (int) 0, "global_total", (int) 0, "index_capacity", (int) 128, "index_total", (int) 0]`
	want(none, `(array) ["dialect_1", (int) 0, "dialect_2", (int) 0, "dialect_3", (int) 0, "dialect_4", (int) 0]`)
	c.Do("FT.SEARCH", "idx", "*", "DIALECT", "3")
	_, id := cursorID(t, c.Do("FT.AGGREGATE", "idx", "*", "WITHCURSOR", "COUNT", "1", "DIALECT", "2"))
	want(`(array) ["global_idle", (int) 1, "global_total", (int) 1, "index_capacity", (int) 128, "index_total", (int) 1]`,
		`(array) ["dialect_1", (int) 0, "dialect_2", (int) 1, "dialect_3", (int) 1, "dialect_4", (int) 0]`)
	c.Do("FT.CURSOR", "DEL", "idx", id)
	want(none, `(array) ["dialect_1", (int) 0, "dialect_2", (int) 1, "dialect_3", (int) 1, "dialect_4", (int) 0]`)
}
