package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/redcon"
)

// model is a server with the ten commands of the demo, written for its test:
// every answer by full search, one lock for all. Its faults show whether the
// demo would notice them in a real one.
type model struct {
	t  *testing.T
	ln net.Listener
	wg sync.WaitGroup

	losePushes, keepGhosts, loseRepeats bool
	create                              []string

	mu      sync.Mutex
	conns   []*modelConn
	keys    map[string]map[string]string
	order   []string
	ghosts  map[string]map[string]string // what was deleted, for keepGhosts
	readers map[string]map[*modelConn]bool
	vectors map[string][]float32

	expiring map[string]bool // when it is read once more
}

type modelConn struct {
	nc    net.Conn
	track bool
}

func startModel(t *testing.T) *model {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &model{t: t, ln: ln, keys: map[string]map[string]string{}, ghosts: map[string]map[string]string{}, readers: map[string]map[*modelConn]bool{}, vectors: map[string][]float32{}, expiring: map[string]bool{}}
	m.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			c := &modelConn{nc: nc}
			m.mu.Lock()
			m.conns = append(m.conns, c)
			m.mu.Unlock()
			m.wg.Go(func() { m.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		m.mu.Lock()
		for _, c := range m.conns {
			c.nc.Close()
		}
		m.mu.Unlock()
		m.wg.Wait()
	})
	return m
}

func (m *model) serve(c *modelConn) {
	r := bufio.NewReader(c.nc)
	number := func() int {
		line, err := r.ReadString('\n')
		if err != nil || len(line) < 3 {
			return -1
		}
		n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
		if err != nil {
			return -1
		}
		return n
	}
	for {
		n := number()
		if n < 1 {
			return
		}
		args := make([]string, n)
		for i := range args {
			b := make([]byte, number()+2)
			if _, err := io.ReadFull(r, b); err != nil {
				return
			}
			args[i] = string(b[:len(b)-2])
		}
		m.mu.Lock()
		_, err := c.nc.Write(m.answer(c, args))
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (m *model) answer(c *modelConn, a []string) []byte {
	ok := []byte("+OK\r\n")
	switch a[0] {
	case "HELLO":
		return []byte("%1\r\n+proto\r\n:3\r\n")
	case "PING":
		return []byte("+PONG\r\n")
	case "CLIENT":
		c.track = c.track || a[1] == "TRACKING"
		return ok
	case "FT.CREATE":
		m.create = a
		return ok
	case "HSET":
		h := m.keys[a[1]]
		if h == nil {
			h = map[string]string{}
			m.keys[a[1]] = h
			m.order = append(m.order, a[1])
		}
		for i := 2; i < len(a); i += 2 {
			h[a[i]] = a[i+1]
			if a[i] == "prompt_vector" {
				m.vectors[a[1]] = floats(a[i+1])
			}
		}
		m.changed(a[1])
		return []byte(":1\r\n")
	case "EXPIRE":
		m.changed(a[1])
		return []byte(":1\r\n")
	case "PEXPIRE":
		m.changed(a[1])
		m.expiring[a[1]] = true // real servers take the time they were told
		return []byte(":1\r\n")
	case "DEL":
		m.remove(a[1])
		return []byte(":1\r\n")
	case "HGET":
		if c.track {
			if m.readers[a[1]] == nil {
				m.readers[a[1]] = map[*modelConn]bool{}
			}
			m.readers[a[1]][c] = true
		}
		if m.expiring[a[1]] {
			delete(m.expiring, a[1])
			m.wg.Go(func() {
				m.mu.Lock() // which the reply is written with
				defer m.mu.Unlock()
				m.remove(a[1])
			})
		}
		v, found := m.keys[a[1]][a[2]]
		if !found || m.loseRepeats {
			return []byte("_\r\n")
		}
		return redcon.AppendBulkString(nil, v)
	case "FT.SEARCH":
		return m.search(a)
	}
	return redcon.AppendError(nil, "ERR unknown command "+a[0])
}

func (m *model) remove(key string) {
	m.ghosts[key] = m.keys[key]
	delete(m.keys, key)
	m.changed(key)
}

func (m *model) changed(key string) {
	for c := range m.readers[key] {
		if !m.losePushes {
			b := []byte(">2\r\n$10\r\ninvalidate\r\n*1\r\n")
			_, _ = c.nc.Write(redcon.AppendBulkString(b, key)) // a closed client hears nothing
		}
	}
	delete(m.readers, key)
}

func (m *model) search(a []string) []byte {
	var q []float32
	threshold := 0.0
	for i, s := range a {
		switch s {
		case "vector":
			q = floats(a[i+1])
		case "distance_threshold":
			threshold, _ = strconv.ParseFloat(a[i+1], 64)
		}
	}
	best, bestKey := threshold, ""
	var bestFields map[string]string
	for _, key := range m.order {
		h := m.keys[key]
		if h == nil && m.keepGhosts {
			h = m.ghosts[key]
		}
		if h == nil {
			continue
		}
		dot := float32(0)
		v := m.vectors[key]
		for i, x := range q {
			dot += v[i] * x
		}
		if d := math.Max(1-float64(dot), 0); d <= best {
			best, bestKey, bestFields = d, key, h
		}
	}
	b := []byte("%2\r\n+total_results\r\n:1\r\n+results\r\n")
	if bestKey == "" {
		return append(b, "*0\r\n"...)
	}
	b = append(b, "*1\r\n%2\r\n+id\r\n"...)
	b = redcon.AppendBulkString(b, bestKey)
	b = append(b, "+extra_attributes\r\n%2\r\n+response\r\n"...)
	b = redcon.AppendBulkString(b, bestFields["response"])
	b = append(b, "+vector_distance\r\n"...)
	// float16 rows are not quite of length 1; a real index makes them so.
	if best < 2e-3 {
		best = 0
	}
	return redcon.AppendBulkString(b, fmt.Sprint(best))
}

func floats(s string) []float32 {
	v := make([]float32, len(s)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32([]byte(s[4*i:])))
	}
	return v
}

func runOn(t *testing.T, m *model, stored int) *Report {
	t.Helper()
	o := Options{Addr: m.ln.Addr().String(), Questions: 150, Stored: stored}
	if m.losePushes { // it is waited for in vain
		o.patience = 2 * time.Second
	}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheDemoCountsWhatASemanticCacheDoes(t *testing.T) {
	m := startModel(t)
	r := runOn(t, m, 800)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(m.create, " "); got != "FT.CREATE llmcache ON HASH PREFIX 1 llmcache SCORE 1.0 SCHEMA prompt TEXT WEIGHT 1 response TEXT WEIGHT 1 inserted_at NUMERIC updated_at NUMERIC prompt_vector VECTOR FLAT 6 TYPE FLOAT32 DIM 384 DISTANCE_METRIC COSINE" {
		t.Errorf("the index is not RedisVL's: %s", got)
	}
	if r.Stored != 800 || r.Questions != 150 || len(r.Semantic) != 150 || r.Repeats != 62 || r.ExactHits != 62 || r.SameByMeaning != 62 {
		t.Errorf("%+v", r)
	}
	prev := Tally{Missed: 150}
	for _, tally := range r.Tallies {
		if tally.Right+tally.Wrong+tally.Missed != 150 || tally.Missed > prev.Missed || tally.Threshold <= prev.Threshold {
			t.Errorf("tally %+v follows %+v", tally, prev)
		}
		prev = tally
	}
	if prev.Threshold != 0.2 || prev.Right < 20 || prev.Right < 3*prev.Wrong {
		t.Errorf("at 0.2: %+v", prev)
	}
	tr := r.Tracking
	// Changed and deleted entries are pushed once, expiring ones twice.
	if tr.Invalidations != tr.Changed+tr.Deleted+2*tr.Expired || tr.Changed == 0 || tr.Deleted == 0 || tr.Expired == 0 {
		t.Errorf("%+v", tr)
	}
	if tr.Kept != tr.Copies-tr.Changed-tr.Deleted-tr.Expired || tr.Kept == 0 || tr.Lookups == 0 {
		t.Errorf("%+v", tr)
	}
	var out bytes.Buffer
	r.Print(&out)
	for _, want := range []string{"800 prompts", "150 new questions", "62 of 62 by key", "stale copies   0", "p99"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

func TestTheDemoNoticesACacheThatIsWrong(t *testing.T) {
	f := func(fault func(*model), want string) {
		t.Helper()
		m := startModel(t)
		fault(m)
		if err := runOn(t, m, 800).Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(m *model) { m.keepGhosts = true }, "look-ups found an entry that is gone")
	f(func(m *model) { m.loseRepeats = true }, "not found by their key")
	f(func(m *model) { m.losePushes = true }, "copies are stale")
}

func TestRunRefuses(t *testing.T) {
	m := startModel(t)
	f := func(o Options, want string) {
		t.Helper()
		if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(Options{Addr: m.ln.Addr().String(), Threshold: 3}, "from 0 to 2")
	f(Options{Addr: m.ln.Addr().String(), Threshold: -1}, "from 0 to 2")
	f(Options{Addr: m.ln.Addr().String(), Data: t.TempDir()}, "manifest.json")
	f(Options{Addr: m.ln.Addr().String(), Stored: 2, Questions: 1}, "three intents")
	f(Options{Addr: "127.0.0.1:1", Stored: 10}, "refused")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{Addr: m.ln.Addr().String()}); err == nil {
		t.Error("a cancelled run went on")
	}
}

func TestProgress(t *testing.T) {
	var lines, bar bytes.Buffer
	for _, p := range []*progress{{w: &lines}, {w: &bar, bar: true}, {}} {
		p.begin("loading", 1000)
		for i := range 1000 {
			p.step(i+1, "5 hits")
		}
		p.end()
	}
	if got := lines.String(); strings.ContainsAny(got, "\r\x1b") || strings.Count(got, "\n") != 2 || !strings.Contains(got, "1,000") || !strings.Contains(got, "5 hits") {
		t.Errorf("lines: %q", got)
	}
	got := bar.String()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, strings.Repeat("#", barWidth)+"] 1,000/1,000  5 hits") {
		t.Errorf("bar: %q", got)
	}
	if n := strings.Count(got, "\r"); n > 100 {
		t.Errorf("the bar was drawn %d times", n)
	}
}

func TestSpread(t *testing.T) {
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	if got := spread(all, 5); fmt.Sprint(got) != "[0 2 4 6 8]" {
		t.Error(got)
	}
	if len(spread(all, 0)) != 10 || len(spread(all, 11)) != 10 {
		t.Error("all were asked for")
	}
}
