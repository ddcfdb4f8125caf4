package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
)

// TestMain is also the server that the test of starting servers starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "fake-server" {
		ln, err := net.Listen("tcp", "127.0.0.1:"+os.Args[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		newFake(ln).serve()
		return
	}
	// A generator occupies a processor while it waits (call), and the fakes need some.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 4)
	os.Exit(m.Run())
}

// fake is a server with just the commands that the tests need.
type fake struct {
	ln     net.Listener
	answer func(args [][]byte) string // before the commands below; "" leaves it to them

	mu    sync.Mutex
	conns []net.Conn
	data  map[string]string
	count map[string]int
}

func newFake(ln net.Listener) *fake {
	return &fake{ln: ln, data: map[string]string{}, count: map[string]int{}}
}

func startFake(t *testing.T, answer func([][]byte) string) (*fake, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(ln)
	f.answer = answer
	done := make(chan struct{})
	go func() { f.serve(); close(done) }()
	t.Cleanup(func() {
		ln.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		<-done
	})
	return f, ln.Addr().String()
}

func (f *fake) serve() {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		nc, err := f.ln.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns = append(f.conns, nc)
		f.mu.Unlock()
		wg.Go(func() {
			defer nc.Close()
			r, w := bufio.NewReader(nc), bufio.NewWriter(nc)
			for {
				args, err := readCommand(r)
				if err != nil {
					return
				}
				s := f.reply(args)
				if s == "close" {
					return
				}
				_, _ = w.WriteString(s) // an error shows at Flush
				if r.Buffered() == 0 && w.Flush() != nil {
					return
				}
			}
		})
	}
}

func (f *fake) reply(args [][]byte) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := strings.ToUpper(string(args[0]))
	f.count[name]++
	if f.answer != nil {
		if s := f.answer(args); s != "" {
			return s
		}
	}
	switch name {
	case "GET":
		v, ok := f.data[string(args[1])]
		if !ok {
			return "$-1\r\n"
		}
		return fmt.Sprintf("$%d\r\n%s\r\n", len(v), v)
	case "SET":
		f.data[string(args[1])] = string(args[2])
		return "+OK\r\n"
	case "HSET":
		f.data[string(args[1])] += "x"
		return ":1\r\n"
	case "HGETALL":
		if _, ok := f.data[string(args[1])]; !ok {
			return "*0\r\n"
		}
		return "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
	case "FLUSHALL":
		clear(f.data)
		return "+OK\r\n"
	case "PING":
		return "+PONG\r\n"
	case "INFO":
		return "$33\r\nredis_version:9.9.9\r\nused_cpu_x:1\r\n"
	}
	return "-ERR unknown command\r\n"
}

func readCommand(r *bufio.Reader) ([][]byte, error) {
	number := func(first byte) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if line[0] != first {
			return 0, fmt.Errorf("%q", line)
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number('*')
	if err != nil {
		return nil, err
	}
	args := make([][]byte, n)
	for i := range args {
		size, err := number('$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		if !bytes.HasSuffix(b, []byte("\r\n")) {
			return nil, fmt.Errorf("argument %q", b)
		}
		args[i] = b[:size]
	}
	return args, nil
}

func TestHistogramAgreesWithSortedValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, a, b histogram
	var all []int64
	for i := range 50_000 {
		v := int64(math.Exp(rng.Float64() * 24)) // 1 ns to 26 s
		all = append(all, v)
		h.record(v)
		if i%3 == 0 {
			a.record(v)
		} else {
			b.record(v)
		}
	}
	slices.Sort(all)
	a.merge(&b)
	for _, q := range []float64{0, .001, .25, .5, .9, .99, .999, .9999, 1} {
		rank := max(int(math.Ceil(q*float64(len(all)))), 1)
		want := float64(all[rank-1])
		got := float64(h.quantile(q))
		if got < want || got > want*(1+1.0/128)+1 {
			t.Errorf("q %v: got %v, want %v", q, got, want)
		}
		if merged := float64(a.quantile(q)); merged != got {
			t.Errorf("q %v: merged %v, whole %v", q, merged, got)
		}
	}
	var empty histogram
	if empty.quantile(.5) != 0 {
		t.Error("an empty histogram has a median")
	}
}

func TestEveryBucketHoldsItsOwnUpperEdge(t *testing.T) {
	var h histogram
	prev := -1
	for v := uint64(0); v < 1<<20; v++ {
		i := bucket(v)
		if i != prev && i != prev+1 {
			t.Fatalf("%d: bucket %d follows %d", v, i, prev)
		}
		prev = i
		if u := upper(i); u < v || bucket(u) != i || bucket(u+1) != i+1 {
			t.Fatalf("%d: bucket %d ends at %d", v, i, u)
		}
	}
	if i := bucket(math.MaxUint64); i != len(h.counts)-1 || upper(i) != math.MaxUint64 {
		t.Fatalf("the last bucket is %d of %d and ends at %d", i, len(h.counts), upper(i))
	}
}

func TestZipfDrawsInProportionToRank(t *testing.T) {
	const n, s = 1000, 0.99
	z, err := newSampler(keyDist{name: "zipf", zipf: s}, n, 7)
	if err != nil {
		t.Fatal(err)
	}
	src := newSource(z, 1)
	counts := make([]int, n)
	const draws = 1 << 20
	for range draws {
		counts[src.key()]++
	}
	slices.Sort(counts)
	slices.Reverse(counts)
	sum := 0.0
	for r := range n {
		sum += math.Pow(float64(r+1), -s)
	}
	for _, r := range []int{0, 1, 9, 99} {
		want := draws * math.Pow(float64(r+1), -s) / sum
		if got := float64(counts[r]); math.Abs(got-want) > 0.1*want {
			t.Errorf("rank %d: drawn %v times, want %v", r+1, got, want)
		}
	}
	if counts[n-1] == 0 {
		t.Error("a key was never drawn: ranks fall on each other")
	}
}

func TestUniformDrawsAllKeysAlike(t *testing.T) {
	u, err := newSampler(keyDist{name: "uniform"}, 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	src := newSource(u, 3)
	counts := make([]int, 100)
	for range 1_000_000 {
		counts[src.key()]++
	}
	if lo, hi := slices.Min(counts), slices.Max(counts); lo < 9500 || hi > 10500 {
		t.Fatalf("drawn %d to %d times, want 10000", lo, hi)
	}
}

func TestSamplerRefuses(t *testing.T) {
	f := func(dist string, n int, s float64) {
		t.Helper()
		if _, err := newSampler(keyDist{name: dist, zipf: s}, n, 1); err == nil {
			t.Errorf("%s %d %v was taken", dist, n, s)
		}
	}
	f("uniform", 0, 1)
	f("uniform", maxKeys+1, 1)
	f("zipf", 10, 0)
	f("zipf", 10, math.NaN())
	f("normal", 10, 1)
}

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-nearcache", "-redis", "/opt/redis-server", "-peer", "b=127.0.0.1:1", "-start", "c=srv --port {port} --save ''", "-tests", "get,hset", "-pipeline", "1, 16", "-keys-dist", "zipf"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range o.peers {
		names = append(names, p.Name)
	}
	if want := []string{"nearcache", "b", "c", "redis"}; !slices.Equal(names, want) {
		t.Errorf("peers %v, want %v", names, want)
	}
	if got := o.peers[2].Argv; !slices.Equal(got, []string{"srv", "--port", "{port}", "--save", ""}) {
		t.Errorf("argv %q", got)
	}
	if got := o.peers[3].Argv; got[0] != "/opt/redis-server" || got[len(got)-1] != "" {
		t.Errorf("argv %q", got)
	}
	if !slices.Equal(o.pipelines, []int{1, 16}) || len(o.tests) != 2 || o.tests[1].name != "hset" {
		t.Errorf("%v %v", o.pipelines, o.tests)
	}
	f := func(want string, args ...string) {
		t.Helper()
		if _, err := parseOptions(args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
	f("no server")
	f("two peers", "-peer", "a=x:1", "-peer", "a=x:2")
	f("peer name", "-peer", "../a=x:1")
	f("NAME=HOST:PORT", "-peer", "a")
	f("{port}", "-start", "a=srv")
	f("quote", "-start", "a=srv '{port}")
	f(`no test "x"`, "-peer", "a=x:1", "-tests", "x")
	f("-pipeline", "-peer", "a=x:1", "-pipeline", "0")
	f("-value-size", "-peer", "a=x:1", "-value-size", "1,x")
	f("-connections", "-peer", "a=x:1", "-connections", "0")
	f("-keys", "-peer", "a=x:1", "-keys", "100000000")
	f("-name", "-peer", "a=x:1", "-name", "../x")
	f("-duration", "-peer", "a=x:1", "-duration", "1ms")
	f("distribution", "-peer", "a=x:1", "-keys-dist", "x")
	f("argument", "-peer", "a=x:1", "y")
	f("share", "-peer", "a=x:1", "-tests", "get:0")
	f("not mixed", "-peer", "a=x:1", "-tests", "get:1+knn-hnsw:1")
	f("-resp 3", "-peer", "a=x:1", "-tracking", "default")
	f("needs a test with get", "-peer", "a=x:1", "-tracking", "bcast", "-resp", "3", "-tests", "set")
	f("-tracking", "-peer", "a=x:1", "-tracking", "x")
	f("-arrivals", "-peer", "a=x:1", "-arrivals", "x")
	f("-at one after", "-peer", "a=x:1", "-rate", "5", "-at", "0.5")
	f("epoll", "-peer", "a=x:1", "-rate", "5", "-goroutines")
	f("share must", "-peer", "a=x:1", "-scan-share", "1")
	f("-server-cpu", "-peer", "a=x:1", "-server-cpu", "x")
	f("-client-cpu", "-peer", "a=x:1", "-client-cpu", "-1")
	if _, err := parseOptions([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}

func test(name string) *workload {
	w, err := parseWorkload(name)
	if err != nil {
		panic(err)
	}
	return w
}

func bytesOf(spec string) *sizes {
	z, err := parseSizes(spec)
	if err != nil {
		panic(err)
	}
	return z
}

func testOptions() *options {
	return &options{
		connections: 4, searchConns: 2, threads: 2, rounds: 3, duration: 60 * time.Millisecond, warmup: 10 * time.Millisecond,
		keys: 50, dist: keyDist{name: "uniform"}, pipelines: []int{1, 8}, valueSizes: []*sizes{bytesOf("16")}, name: "t", seed: 1,
		tests: []*workload{test("get-set"), test("hgetall")}, resp: 2, tracking: "off", poisson: true,
	}
}

// engines are both, so that the portable one is tested on Linux too.
var engines = map[string]func([]net.Conn, []*conn, *pace) error{"default": drive, "net": driveNet}

// runEngine runs an engine against a fake of its own, for longer and longer
// until a reply has come in its window: on a machine that does much else the
// first may take a while.
func runEngine(t *testing.T, engine func([]net.Conn, []*conn, *pace) error, answer func([][]byte) string, w *workload, pipeline int, m *material) (*stats, *fake, error) {
	t.Helper()
	keys, err := newSampler(keyDist{name: "uniform"}, m.keys, 1)
	if err != nil {
		t.Fatal(err)
	}
	for d := 50 * time.Millisecond; ; d *= 2 {
		f, addr := startFake(t, answer)
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		st := &stats{}
		c := newConn(w, m, pipeline, soon(d), st, newSource(keys, 9))
		err = engine([]net.Conn{nc}, []*conn{c}, nil)
		if err != nil || st.hist.n > 0 || d > time.Minute {
			return st, f, err
		}
	}
}

func soon(d time.Duration) window {
	return window{from: clock(), until: clock() + int64(d)}
}

func TestEnginesCountEveryReply(t *testing.T) {
	for name, engine := range engines {
		for _, size := range []int{10, 100_000} { // the second does not fit a socket's buffer
			st, f, err := runEngine(t, engine, nil, test("set"), 20, newMaterial(10, bytesOf(strconv.Itoa(size)), 1))
			if err != nil {
				t.Fatal(name, size, err)
			}
			f.mu.Lock()
			sent := f.count["SET"]
			f.mu.Unlock()
			// The last batch is answered after the window.
			if n := int(st.hist.n); n == 0 || n > sent || n < sent-20 || st.errors != 0 {
				t.Errorf("%s, %d bytes: %d of %d replies counted, %d errors", name, size, n, sent, st.errors)
			}
		}
	}
}

func TestEnginesCountMissesAndErrors(t *testing.T) {
	for name, engine := range engines {
		get, m := test("get"), newMaterial(10, bytesOf("8"), 1)
		always := func(s string) func([][]byte) string { return func([][]byte) string { return s } }
		st, _, err := runEngine(t, engine, nil, get, 5, m)
		if err != nil || st.misses == 0 || st.misses != st.hist.n || st.errors != 0 {
			t.Errorf("%s: %d misses of %d, %d errors, %v", name, st.misses, st.hist.n, st.errors, err)
		}
		if st, _, err = runEngine(t, engine, always("-OOM no\r\n"), get, 5, m); err != nil || st.errors != st.hist.n || st.firstErr != "-OOM no\r\n" {
			t.Errorf("%s: %d errors of %d, %q, %v", name, st.errors, st.hist.n, st.firstErr, err)
		}
		if st, _, err = runEngine(t, engine, always(":1\r\n"), get, 5, m); err != nil || st.errors != st.hist.n {
			t.Errorf("%s: a number for a GET: %d errors of %d, %v", name, st.errors, st.hist.n, err)
		}
	}
}

func TestEnginesReportABrokenServer(t *testing.T) {
	for name, engine := range engines {
		for _, answer := range []string{"close", "?\r\n", "+OK\r\n+OK\r\n"} {
			if _, _, err := runEngine(t, engine, func([][]byte) string { return answer }, test("set"), 1, newMaterial(10, bytesOf("8"), 1)); err == nil {
				t.Errorf("%s: no error for %q", name, answer)
			}
		}
	}
}

// The latency of a reply in a pipeline ends when that reply has come, not when
// the first of its batch has.
func TestLatencyIsOfEachReplyOfABatch(t *testing.T) {
	set := test("set")
	st := &stats{}
	c := newConn(set, nil, 3, window{until: 1 << 62}, st, source{})
	for i := range c.batch {
		c.batch[i].op = set.ops[0]
	}
	c.want, c.sent = 3, 1000
	feed := func(s string, now int64) {
		t.Helper()
		if err := c.consume(copy(c.room(), s), now); err != nil {
			t.Fatal(err)
		}
	}
	feed("+OK\r\n+O", 1100)
	if st.hist.n != 1 || st.hist.max != 100 {
		t.Fatalf("%d replies, the longest took %d", st.hist.n, st.hist.max)
	}
	feed("K\r\n", 1500)
	feed("+OK\r\n", 3000)
	if st.hist.n != 3 || st.hist.max != 2000 || c.want != 0 {
		t.Fatalf("%d replies, the longest took %d, %d missing", st.hist.n, st.hist.max, c.want)
	}
	c.want, c.win = 1, window{from: 5000, until: 6000}
	feed("+OK\r\n", 4999)
	c.want = 1
	feed("+OK\r\n", 6000)
	if st.hist.n != 3 {
		t.Fatal("a reply outside the window was counted")
	}
}

func TestEveryWorkloadSendsCommandsAServerCanRead(t *testing.T) {
	m := newMaterial(20, bytesOf("33"), 1)
	if err := m.withVectors(); err != nil {
		t.Fatal(err)
	}
	keys, err := newSampler(keyDist{name: "uniform"}, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range ops {
		src := newSource(keys, 5)
		var b []byte
		const n = 200
		for range n {
			b = o.append(b, &src, m, src.key())
		}
		r := bufio.NewReader(bytes.NewReader(b))
		for i := range n {
			args, err := readCommand(r)
			if err != nil {
				t.Fatalf("%s: command %d: %v", o.name, i, err)
			}
			if k := string(args[1]); !o.search && (len(k) != 16 || k[4:] >= "000000000020") {
				t.Fatalf("%s: key %q", o.name, k)
			}
		}
		if r.Buffered() > 0 {
			t.Fatalf("%s: bytes are left", o.name)
		}
	}
	if len(m.knn) != 3080 || len(m.docRows) != m.docs.Rows-3080 {
		t.Fatalf("%d queries, %d documents", len(m.knn), len(m.docRows))
	}
}

func TestARunFromFillToReport(t *testing.T) {
	root, tmp := t.TempDir(), t.TempDir()
	o := testOptions()
	o.peers = []peer.Spec{{Name: "started", Argv: []string{os.Args[0], "fake-server", "{port}"}}}
	_, addr := startFake(t, func(args [][]byte) string {
		if strings.EqualFold(string(args[0]), "HSET") {
			return "-ERR no hashes here\r\n"
		}
		return ""
	})
	o.peers = append(o.peers, peer.Spec{Name: "running", Addr: addr})
	peers, err := peer.OpenAll(context.Background(), o.peers, root, tmp)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.CloseAll(peers)
	if peers[0].Version != "9.9.9" || strings.Contains(peers[0].Started, string(filepath.Separator)) {
		t.Errorf("version %q, started %q", peers[0].Version, peers[0].Started)
	}
	var progress bytes.Buffer
	cases, err := runAll(context.Background(), o, peers, &progress)
	for ; err != nil && strings.Contains(err.Error(), "no reply in") && o.duration < time.Minute; cases, err = runAll(context.Background(), o, peers, &progress) {
		o.duration *= 2 // the machine does much else
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 4 {
		t.Fatalf("%d cases, want 4", len(cases))
	}
	for _, c := range cases {
		a, b := c.Peers[0], c.Peers[1]
		if len(a.Rounds) != 3 || a.Median.Ops == 0 || a.Median.Errors != 0 || a.Median.Misses != 0 || a.Low > a.Median.OpsPerSecond || a.High < a.Median.OpsPerSecond {
			t.Errorf("%s: %+v", c.title(), a)
		}
		if c.Test == "hgetall" {
			if !strings.Contains(b.Skipped, "no hashes") || a.Ratios != nil {
				t.Errorf("%s: skipped %q, ratio %v", c.title(), b.Skipped, a.Ratios)
			}
		} else if q := a.Ratios; q == nil || q.To != "running" || q.Throughput.Low > q.Throughput.Median || q.P99.Median > q.P99.High || q.P99.Median == 0 || b.Ratios != nil {
			t.Errorf("%s: ratios %+v, %+v", c.title(), q, b.Ratios)
		}
	}
	r := &report{Name: "t", Date: "2026-01-02T03:04:05Z", Machine: peer.ThisMachine(), Settings: o.settings(), Cases: cases, Command: "go run"}
	for _, p := range peers {
		r.Peers = append(r.Peers, reportPeer{Name: p.Name, Version: p.Version, Started: p.Started})
	}
	if err := r.failed(); err != nil {
		t.Error(err)
	}
	md := r.markdown()
	for _, want := range []string{"| get-set | 8 | 4 | 16 | - | started |", "left out: ERR no hashes here", "filling started for hgetall: 50 commands", "(t.svg)"} {
		if !strings.Contains(md, want) {
			t.Errorf("the report lacks %q:\n%s", want, md)
		}
	}
	d := xml.NewDecoder(bytes.NewReader(r.plot(plots[0])))
	bars := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := tok.(xml.StartElement); ok && s.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 1+2+6 { // background, legend, bars of what was measured
		t.Errorf("%d rectangles", bars)
	}
	r.Cases[0].Peers[0].Median.Errors = 1
	if r.failed() == nil {
		t.Error("a run with errors passed")
	}
}

func TestMedian(t *testing.T) {
	if median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1, 2, 3}) != 2.5 {
		t.Error("median")
	}
	if got := thousands(1234567); got != "1,234,567" {
		t.Error(got)
	}
	if got := thousands(123); got != "123" {
		t.Error(got)
	}
}
