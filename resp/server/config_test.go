package server

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

func load(t testing.TB, env map[string]string, args ...string) *Config {
	t.Helper()
	c, err := LoadConfig(args, func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(c *Config, name string) string {
	value := "(unknown)"
	c.Get(name, func(_, v string) { value = v })
	return value
}

func TestEverySettingHasAName(t *testing.T) {
	c := load(t, nil)
	seen := map[string]bool{}
	fields := map[*Value]bool{}
	for _, s := range Settings {
		if seen[s.Name] || s.Help == "" || s.Field == nil {
			t.Errorf("row %q", s.Name)
		}
		seen[s.Name] = true
		if fields[s.Field(c)] {
			t.Errorf("%s shares the field of another row", s.Name)
		}
		fields[s.Field(c)] = true
		if (s.Kind == Int || s.Kind == Memory || s.Kind == Octal) && s.Max <= s.Min && s.Name != "databases" {
			t.Errorf("%s may be %d to %d", s.Name, s.Min, s.Max)
		}
	}
	var help, md bytes.Buffer
	if err := errors.Join(WriteHelp(&help), WriteMarkdown(&md)); err != nil {
		t.Fatal(err)
	}
	for name := range seen {
		if !strings.Contains(help.String(), "--"+name+" ") || !strings.Contains(md.String(), "| `"+name+"` |") {
			t.Errorf("%s is not documented", name)
		}
	}
}

func TestFlagGoesBeforeEnvironmentBeforeFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "redis.conf")
	text := "# a comment\n\nport 1\nmaxclients 1\r\n  timeout 1  \nrequirepass \"a b\\x21\"\nsave 10 1\nsave 20 2\nlist-compress-depth 1\ndaemonize no\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, map[string]string{"NEARCACHE_PORT": "2", "NEARCACHE_MAXCLIENTS": "2", "NEARCACHE_MAXMEMORY_POLICY": "allkeys-lru"},
		file, "--port", "3", "--client-output-buffer-limit", "pubsub", "1mb", "0", "0", "--bind", "127.0.0.1", "::1")
	f := func(name, want string) {
		t.Helper()
		if got := get(c, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	f("port", "3")
	f("maxclients", "2")
	f("timeout", "1")
	f("requirepass", "a b!")
	f("maxmemory-policy", "allkeys-lru")
	f("save", "10 1 20 2")
	f("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 1048576 0 0")
	f("lazyfree-lazy-user-del", "no")
	f("slave-lazy-flush", "no")
	f("bind", "127.0.0.1 ::1")
	f("PORT", "3")
	if c.File != file || strings.Join(c.Ignored, " ") != "list-compress-depth daemonize" {
		t.Errorf("file %q, ignored %q", c.File, c.Ignored)
	}
	c.applyOutputLimits()
	if l := c.outputLimits.Load(); l.Push.Hard != 1<<20 || l.Normal.Hard != 0 {
		t.Errorf("limits %+v", l)
	}
}

func TestFlagForms(t *testing.T) {
	f := func(name, want string, args ...string) {
		t.Helper()
		if got := get(load(t, nil, args...), name); got != want {
			t.Errorf("%q: %s = %q, want %q", args, name, got, want)
		}
	}
	f("save", "", "--save", "", "--port", "1")
	f("save", "", "--save", "--port", "1")
	f("save", "", "--save")
	f("save", "1 2 3 4", "--save", "1 2 3 4")
	f("save", "1 2", "--save", "1", "2", "--port", "1")
	f("port", "7", "--port", "7")
	f("port", "7", "--port 7")
	f("port", "7", "--port=7")
	f("port", "7", "--PORT", "7")
	f("port", "8", "--port", "7", "--port", "8")
	f("maxmemory", "1073741824", "--maxmemory", "1gb")
	f("unixsocketperm", "700", "--unixsocketperm", "0700")
	f("bind", "", "--bind", "")
	f("appendonly", "no", "--appendonly", "NO")
	f("client-output-buffer-limit", "normal 1024 512 5 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
		"--client-output-buffer-limit", "normal 1kb 512 5")
}

func TestBadSettingsAreRefused(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		_, err := LoadConfig(args, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", args, err, want)
		}
	}
	f(`there is no setting "nonsense"`, "--nonsense", "1")
	f("wrong number of arguments", "--port")
	f("wrong number of arguments", "--port", "1", "2")
	f("between 0 and 65535", "--port", "65536")
	f("between 0 and 65535", "--port", "-1")
	f("parsed into an integer", "--port", "six")
	f("yes' or 'no", "--appendonly", "maybe")
	f("must be one of", "--appendfsync", "often")
	f("memory value", "--maxmemory", "1tb")
	f("Invalid save", "--save", "1")
	f("Invalid save", "--save", "0 1")
	f("buffer limit", "--client-output-buffer-limit", "normal", "1", "2")
	f("Invalid client class", "--client-output-buffer-limit", "x 1 2 3")
	f("event class", "--notify-keyspace-events", "Q")
	f("form --name value", "-p", "1")
	f("no such file", filepath.Join(t.TempDir(), "missing.conf"))
	if _, err := LoadConfig([]string{"--port", "1", "--help"}, nil); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
	_, err := LoadConfig(nil, func(k string) string { return map[string]string{"NEARCACHE_PORT": "x"}[k] })
	if err == nil || !strings.Contains(err.Error(), "NEARCACHE_PORT") {
		t.Errorf("environment: %v", err)
	}
	file := filepath.Join(t.TempDir(), "c")
	line := func(text, want string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f(want, file)
	}
	line("port 1\nfoo bar\n", `line 2: there is no setting "foo"`)
	line("port \"1\n", "line 1: unbalanced quotes")
	line("daemonize yes\n", `there is no setting "daemonize": the server stays in the foreground`)
	line("tls-port 1\n", "tls-port")
	line("port\n", "line 1: port: wrong number")
	line(strings.Repeat("#", maxConfigFile+1), "larger than")
}

func TestConfigSetIsAllOrNothing(t *testing.T) {
	c := load(t, nil)
	s := New(c)
	set := func(want string, words ...string) {
		t.Helper()
		var pairs [][2]string
		for i := 0; i < len(words); i += 2 {
			pairs = append(pairs, [2]string{words[i], words[i+1]})
		}
		err := c.Set(pairs, true)
		if got := ""; err != nil || want != "" {
			if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("CONFIG SET %q: %q, want %q", words, got, want)
			}
		}
	}
	set("", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lfu")
	if s.ks.MaxMemory() != 100<<20 || s.ks.Eviction().Name != "allkeys-lfu" {
		t.Errorf("applied %d %s", s.ks.MaxMemory(), s.ks.Eviction().Name)
	}
	const failed = "ERR CONFIG SET failed (possibly related to argument '"
	set(failed+"timeout') - argument couldn't be parsed into an integer", "maxmemory", "1mb", "timeout", "x")
	set("ERR Unknown option or number of arguments for CONFIG SET - 'nope'", "maxmemory", "1mb", "nope", "1", "dir", "/")
	set(failed+"maxmemory') - duplicate parameter", "maxmemory", "1mb", "maxmemory", "2mb")
	set(failed+"dir') - can't set protected config", "maxmemory", "1mb", "dir", "/")
	set(failed+"databases') - can't set immutable config", "maxmemory", "1mb", "databases", "16")
	set(failed+"port') - can't be changed while the server runs", "maxmemory", "1mb", "port", "1")
	set("", "port", "6379", "appendonly", "yes")
	if s.ks.MaxMemory() != 100<<20 || get(c, "maxmemory") != "104857600" {
		t.Errorf("a refused CONFIG SET has changed maxmemory to %d, %s", s.ks.MaxMemory(), get(c, "maxmemory"))
	}
	set("", "client-output-buffer-limit", "pubsub 1mb 2mb 3")
	set("", "save", "")
	set("", "loglevel", "nothing")
	set("", "rdbcompression", "no", "aof-use-rdb-preamble", "yes", "no-appendfsync-on-rewrite", "no", "aof-load-corrupt-tail-max-size", "0")
	set(failed+"rdbcompression') - argument must be 'yes' or 'no'", "rdbcompression", "x")
	set(failed+"appendfilename') - can't set immutable config", "appendfilename", "appendonly.aof")
	set(failed+"appenddirname') - can't set immutable config", "appenddirname", "appendonlydir")
	set(failed+"rdbchecksum') - can't set immutable config", "rdbchecksum", "yes")
}

func TestConfigGetPatterns(t *testing.T) {
	c := load(t, nil)
	f := func(pattern, want string) {
		t.Helper()
		var names []string
		c.Get(pattern, func(name, _ string) { names = append(names, name) })
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	f("maxmemory", "maxmemory")
	f("MaxMemory*", "maxmemory maxmemory-policy maxmemory-samples maxmemory-eviction-tenacity maxmemory-clients maxmemory-costs")
	f("maxmemory-[ps]*", "maxmemory-policy maxmemory-samples")
	f("nope", "")
	f("tcp-?acklog", "tcp-backlog")
}

func TestNotifyLetters(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		_, got, err := parseNotify([]string{in}, "")
		if err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
	f("", "")
	f("KEA", "AKE")
	f("AKEn", "AKE") // Redis does not show the n behind A either
	f("KExn", "xnKE")
	f("K$", "$K")
	f("SKE", "KES")
	f("AmKE", "AKEm")
	f("g$lshzxetdaKE", "AKE")
	if n, _, _ := parseNotify([]string{"AKEn"}, ""); uint32(n)&notifyBit('n') == 0 {
		t.Error("n behind A is lost")
	}
}

func TestParseMemory(t *testing.T) {
	f := func(in string, want int64, ok bool) {
		t.Helper()
		if got, k := ParseMemory(in); k != ok || ok && got != want {
			t.Errorf("%q: %d %v", in, got, k)
		}
	}
	f("0", 0, true)
	f("", 0, true) // as strtoull
	f("5b", 5, true)
	f("2k", 2000, true)
	f("2KB", 2048, true)
	f("3M", 3e6, true)
	f("3mb", 3<<20, true)
	f("1g", 1e9, true)
	f("1Gb", 1<<30, true)
	f("9223372036854775807", math.MaxInt64, true)
	f("99999999999999999999999", math.MaxInt64, true)
	f("9999999999gb", math.MaxInt64, true)
	f("1.5gb", 0, false)
	f("-1", 0, false)
	f("1tb", 0, false)
	f("abc", 0, false)
}

func TestRewriteKeepsTheFileAndItsComments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "my.conf")
	if err := os.WriteFile(file, []byte("# mine\nport 1\nport 2\nlazyfree-lazy-expire yes\nrequirepass old\nsave 1 2\nsave 3 4\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	c := load(t, nil, file)
	if err := c.Set([][2]string{{"requirepass", "two words\"\n\xff#"}, {"timeout", "9"}, {"save", "5 6"}}, true); err != nil {
		t.Fatal(err)
	}
	if err := c.Rewrite(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "# mine\nport 2\nlazyfree-lazy-expire yes\nrequirepass \"two words\\\"\\n\\xff#\"\nsave 5 6\n# Generated by CONFIG REWRITE\ntimeout 9\n"
	if string(b) != want {
		t.Errorf("the file is\n%s\nwant\n%s", b, want)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	again := load(t, nil, file)
	for _, s := range Settings {
		if a, b := get(c, s.Name), get(again, s.Name); a != b {
			t.Errorf("%s = %q, after reading the file again %q", s.Name, a, b)
		}
	}
	if err := load(t, nil).Rewrite(); err == nil || err.Error() != "ERR The server is running without a config file" {
		t.Errorf("without a file: %v", err)
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add("port 1\nsave 1 2\nrequirepass \"\\x00\"\n")
	f.Add("client-output-buffer-limit pubsub 1mb 2mb 3 normal 0 0 0\nnotify-keyspace-events AKE\n")
	f.Add("bind * -::*\nmaxmemory 99999999999999999gb\nunixsocketperm 777\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := load(t, nil)
		if c.loadText("f", []byte(text)) != nil {
			return
		}
		// What was taken can be written and taken again.
		d := load(t, nil)
		for _, s := range Settings {
			if err := d.loadText("g", []byte(s.line(get(c, s.Name))+"\n")); err != nil {
				t.Fatalf("%s: %v", s.line(get(c, s.Name)), err)
			}
			if a, b := get(c, s.Name), get(d, s.Name); a != b {
				t.Fatalf("%s = %q, again %q", s.Name, a, b)
			}
		}
	})
}

// far is a connection from another machine, as far as its address tells.
type far struct{ net.Conn }

func (far) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)} }

func TestProtectedModeRefusesStrangers(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	f := func(want bool, conn net.Conn, flags ...string) {
		t.Helper()
		if got := New(load(t, nil, flags...)).refusal(conn); (got != "") != want {
			t.Errorf("%q: refusal %q", flags, got)
		}
	}
	f(true, far{here})
	f(false, far{here}, "--requirepass", "x")
	f(false, far{here}, "--protected-mode", "no")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f(false, conn)
}

var update = flag.Bool("update", false, "write SETTINGS.md anew")

// TestSettingsAreDocumented: go test ./resp/server -run SettingsAre -update writes the table.
func TestSettingsAreDocumented(t *testing.T) {
	b := bytes.NewBufferString("# Settings\n\nEach is a flag (`--name value`), a line of the configuration file (`name value`), a variable of the environment\n" +
		"(`NEARCACHE_NAME`, with `_` for `-`) and, where it says so, CONFIG SET. A flag goes before the environment, that before the file.\n\n")
	if err := WriteMarkdown(b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("SETTINGS.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("SETTINGS.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Error("SETTINGS.md is not the table of the rows: run with -update")
	}
}

func TestRatesAreMeasured(t *testing.T) {
	s := New(load(t, nil))
	s.stats.tick()
	for range 4 {
		s.stats.Commands.Add(1000)
		time.Sleep(5 * time.Millisecond)
		s.stats.tick()
	}
	if r := s.stats.rates(); r.commands <= 0 {
		t.Errorf("rates %+v", r)
	}
	if !strings.Contains(s.Info([]string{"stats"}), "\r\ntotal_commands_processed:4000\r\n") {
		t.Error("INFO does not count commands")
	}
}

// stockFile is what redis.conf of Redis 8.10 sets; that of 7.0 sets a part of it.
const stockFile = `bind 127.0.0.1 -::1
protected-mode yes
tcp-backlog 511
timeout 0
tcp-keepalive 300
daemonize no
loglevel notice
logfile ""
databases 16
always-show-logo no
set-proc-title yes
proc-title-template "{title} {listen-addr} {server-mode}"
locale-collate ""
stop-writes-on-bgsave-error yes
rdbcompression yes
rdbchecksum yes
dbfilename dump.rdb
rdb-del-sync-files no
replica-serve-stale-data yes
replica-read-only yes
repl-diskless-sync yes
repl-diskless-sync-delay 5
repl-diskless-sync-max-replicas 0
repl-diskless-load disabled
repl-disable-tcp-nodelay no
replica-priority 100
acllog-max-len 128
lazyfree-lazy-eviction no
lazyfree-lazy-expire no
lazyfree-lazy-server-del no
replica-lazy-flush no
lazyfree-lazy-user-del no
lazyfree-lazy-user-flush no
oom-score-adj no
oom-score-adj-values 0 200 800
disable-thp yes
appendonly no
appendfilename "appendonly.aof"
appenddirname "appendonlydir"
appendfsync everysec
no-appendfsync-on-rewrite no
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
aof-load-truncated yes
aof-load-corrupt-tail-max-size 0
aof-use-rdb-preamble yes
aof-timestamp-enabled no
slowlog-log-slower-than 10000
slowlog-max-len 128
latency-monitor-threshold 0
notify-keyspace-events ""
hash-max-listpack-entries 512
hash-max-listpack-value 64
list-max-listpack-size -2
list-compress-depth 0
set-max-intset-entries 512
set-max-listpack-entries 128
set-max-listpack-value 64
zset-max-listpack-entries 128
zset-max-listpack-value 64
hll-sparse-max-bytes 3000
array-slice-size 4096
array-sparse-kmax 10
array-sparse-kmin 5
stream-node-max-bytes 4096
stream-node-max-entries 100
stream-idmp-duration 100
stream-idmp-maxsize 100
activerehashing yes
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
hz 10
dynamic-hz yes
aof-rewrite-incremental-fsync yes
rdb-save-incremental-fsync yes
jemalloc-bg-thread yes
pidfile /run/redis/redis-server.pid
dir ./
`

func TestStockFileStarts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(file, []byte(stockFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfig([]string{file}, nil); err != nil {
		t.Error(err)
	}
}

func TestPidFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	_, stop := startAt(t, nil, nil, "--dir", t.TempDir(), "--pidfile", file)
	if b, err := os.ReadFile(file); err != nil || string(b) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("%q, %v", b, err)
	}
	stop()
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
	// Redis, too, starts without it.
	s, _ := startAt(t, nil, nil, "--dir", t.TempDir(), "--pidfile", filepath.Join(file, "missing", "pid"))
	do(t, dial(t, s, client.Options{}), "PING")
}

// TestNewStreamsTakeTheSettings makes streams by both commands that do, and has the log read again by a server
// with other settings.
func TestNewStreamsTakeTheSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, stop := startAt(t, nil, nil, "--dir", dir, "--stream-idmp-duration", "7000")
	c := dial(t, s, client.Options{})
	do(t, c, "CONFIG", "SET", "stream-idmp-maxsize", 8)
	do(t, c, "XADD", "plain", "*", "f", "v")
	do(t, c, "XADD", "once", "IDMP", "p", "i", "*", "f", "v")
	do(t, c, "XADD", "none", "MAXLEN", 0, "*", "f", "v")
	do(t, c, "XGROUP", "CREATE", "group", "g", "$", "MKSTREAM")
	do(t, c, "CONFIG", "SET", "stream-idmp-maxsize", 9)
	want := map[string]string{}
	for _, key := range []string{"plain", "once", "none", "group"} {
		v := do(t, c, "XINFO", "STREAM", key).String()
		if !strings.Contains(v, `"idmp-duration" 7000 "idmp-maxsize" 8`) {
			t.Errorf("%s: %s", key, v)
		}
		want[key] = v
	}
	stop()
	s, _ = startAt(t, nil, nil, "--dir", dir)
	c = dial(t, s, client.Options{})
	for key, w := range want {
		if v := do(t, c, "XINFO", "STREAM", key).String(); v != w {
			t.Errorf("%s after a restart: %s, was %s", key, v, w)
		}
	}
}
