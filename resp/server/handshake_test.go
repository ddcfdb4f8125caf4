package server

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// wire is a connection that sends what it is told and reads frames, so that a
// test sees the bytes a client would see.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   []byte
	scan client.Scanner
}

func dialWire(t *testing.T, s *Server) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	return &wire{t: t, conn: conn}
}

// send writes commands, their words separated by spaces, in one packet.
func (w *wire) send(commands ...string) {
	w.t.Helper()
	var b []byte
	for _, c := range commands {
		var words []any
		for _, f := range strings.Fields(c) {
			words = append(words, f)
		}
		var err error
		if b, err = client.AppendCommand(b, words...); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.conn.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

// frame is the next reply or push.
func (w *wire) frame() (string, client.Value) {
	w.t.Helper()
	for {
		n, err := w.scan.Next(w.in)
		if err == nil && n > 0 {
			raw := string(w.in[:n])
			v, _, err := client.Parse(w.in[:n])
			if err != nil {
				w.t.Fatal(err)
			}
			w.in = append(w.in[:0:0], w.in[n:]...)
			return raw, v
		}
		if err == nil {
			var b [4096]byte
			n, err = w.conn.Read(b[:])
			w.in = append(w.in, b[:n]...)
		}
		if err != nil {
			w.t.Fatalf("waiting for a frame after %q: %v", w.in, err)
		}
	}
}

// do sends one command and returns its reply.
func (w *wire) do(command string) (string, client.Value) {
	w.t.Helper()
	w.send(command)
	return w.frame()
}

// silent fails if the server has sent anything more.
func (w *wire) silent() {
	w.t.Helper()
	w.send("ECHO end-of-the-handshake")
	if raw, _ := w.frame(); raw != "$20\r\nend-of-the-handshake\r\n" {
		w.t.Errorf("a frame that nobody has asked for: %q", raw)
	}
}

// check is what a client insists on in a reply.
type check func(raw string, v client.Value) error

func is(want string) check {
	return func(raw string, _ client.Value) error {
		if raw != want {
			return fmt.Errorf("got %q, want %q", raw, want)
		}
		return nil
	}
}

var (
	isOK   = is("+OK\r\n")
	isPong = is("+PONG\r\n")
	isNull = is("_\r\n")
	// Of maintenance notifications clients accept that they are not there:
	// any error that is one reply and leaves the connection open.
	isUnknownMaint = is("-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n")
	isNoAuth       = is("-NOAUTH Authentication required.\r\n")
	isWrongPass    = is("-WRONGPASS invalid username-password pair or user is disabled.\r\n")
	isNoProto      = is("-NOPROTO unsupported protocol version\r\n")
)

// atLeast parses a version as redis-py and jedis do, each part between dots as
// a number, and compares it.
func atLeast(version string, want ...int) error {
	parts := strings.Split(version, ".")
	if len(parts) != len(want) {
		return fmt.Errorf("version %q has not %d parts", version, len(want))
	}
	decided := false
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return fmt.Errorf("version %q: %w", version, err)
		}
		if !decided && n < want[i] {
			return fmt.Errorf("version %q is below %v", version, want)
		}
		decided = decided || n > want[i]
	}
	return nil
}

// isHello is the reply of HELLO: redis-py, jedis and rueidis read proto as an
// integer, refuse to cache for another server than "redis", and compare the
// version.
func isHello(proto int64) check {
	return func(raw string, v client.Value) error {
		head := map[int64]string{2: "*14\r\n", 3: "%7\r\n"}[proto]
		if !strings.HasPrefix(raw, head) {
			return fmt.Errorf("HELLO %d begins with %q", proto, raw[:min(8, len(raw))])
		}
		get := func(k string) client.Value { e, _ := v.Get(k); return e }
		if p := get("proto"); p.Kind != client.Int || p.Int != proto {
			return fmt.Errorf("proto = %v", p)
		}
		if id := get("id"); id.Kind != client.Int || id.Int <= 0 {
			return fmt.Errorf("id = %v", id)
		}
		for k, want := range map[string]string{"server": "redis", "mode": "standalone", "role": "master"} {
			if e := get(k); e.Kind != client.Bulk || e.Str != want {
				return fmt.Errorf("%s = %v", k, e)
			}
		}
		if err := atLeast(get("version").Str, 8, 2, 0); err != nil {
			return err
		}
		return modules(get("modules"))
	}
}

// modules checks the list that HELLO and MODULE LIST hold: maps, in RESP2 flat
// arrays of name, ver, path and args.
func modules(v client.Value) error {
	if v.Kind != client.Array {
		return fmt.Errorf("modules = %v", v)
	}
	have := map[string]int64{}
	for _, m := range v.Elems {
		if n := len(m.Elems); n != 8 || m.Kind != client.Map && m.Kind != client.Array {
			return fmt.Errorf("module %v", m)
		}
		name, _ := m.Get("name")
		ver, _ := m.Get("ver")
		if ver.Kind != client.Int {
			return fmt.Errorf("ver of module %v", m)
		}
		have[name.Str] = ver.Int
	}
	if have["search"] < 80200 || have["ReJSON"] < 80200 {
		return fmt.Errorf("modules %v: redisvl wants search and ReJSON of at least 80200", have)
	}
	return nil
}

func isModules(_ string, v client.Value) error { return modules(v) }

// isInfo checks the fields of INFO that clients wait for or compare.
func isInfo(fields ...string) check {
	return func(_ string, v client.Value) error {
		for _, f := range fields {
			if !strings.Contains("\r\n"+v.Str, "\r\n"+f) {
				return fmt.Errorf("INFO lacks %q", f)
			}
		}
		_, rest, ok := strings.Cut(v.Str, "redis_version:")
		if !ok {
			return nil
		}
		version, _, _ := strings.Cut(rest, "\r\n")
		return atLeast(version, 8, 2, 0)
	}
}

func isInt(raw string, v client.Value) error {
	if v.Kind != client.Int {
		return fmt.Errorf("got %q, want an integer", raw)
	}
	return nil
}

// ask is a command and what its reply must be.
type ask struct {
	command string
	reply   check
}

// packet is what a client writes before it reads: one command, or a pipeline.
type packet []ask

func (p packet) run(w *wire) {
	w.t.Helper()
	var commands []string
	for _, a := range p {
		commands = append(commands, a.command)
	}
	w.send(commands...)
	for _, a := range p {
		raw, v := w.frame()
		if err := a.reply(raw, v); err != nil {
			w.t.Errorf("%s: %v", a.command, err)
		}
	}
}

// each is one packet for every command.
func each(asks ...ask) []packet {
	var l []packet
	for _, a := range asks {
		l = append(l, packet{a})
	}
	return l
}

// handshakes are what clients send when they connect, in their order and in
// their packets: recorded on the wire, or read from their source.
var handshakes = []struct {
	name     string
	password bool // the server asks for "secret"
	packets  []packet
}{
	{name: "redis-py 8", packets: each(
		ask{"HELLO 3", isHello(3)},
		ask{"CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-fqdn", isUnknownMaint},
		ask{"CLIENT SETNAME me", isOK},
		ask{"CLIENT SETINFO LIB-NAME redis-py", isOK},
		ask{"CLIENT SETINFO LIB-VER 8.1.0", isOK},
		ask{"SELECT 1", isOK},
		ask{"CLIENT TRACKING ON", isOK},
		ask{"GET x", isNull},
		ask{"MODULE LIST", isModules},
	)},
	{name: "redis-py 8 with a password", password: true, packets: each(
		ask{"HELLO 3 AUTH default secret", isHello(3)},
		ask{"CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-fqdn", isUnknownMaint},
		ask{"CLIENT SETINFO LIB-NAME redis-py", isOK},
		ask{"CLIENT SETINFO LIB-VER 8.1.0", isOK},
		ask{"CLIENT TRACKING ON", isOK},
	)},
	{name: "redis-py 8 in RESP2", password: true, packets: each(
		ask{"AUTH secret", isOK},
		ask{"CLIENT SETINFO LIB-NAME redis-py", isOK},
		ask{"CLIENT SETINFO LIB-VER 8.1.0", isOK},
	)},
	{name: "redis-py 7", packets: each(
		ask{"CLIENT SETNAME me", isOK},
		ask{"CLIENT SETINFO LIB-NAME redis-py", isOK},
		ask{"CLIENT SETINFO LIB-VER 7.4.1", isOK},
		ask{"SELECT 2", isOK},
		ask{"GET x", is("$-1\r\n")},
	)},
	{name: "redis-py 7 with a user", password: true, packets: each(
		ask{"AUTH default secret", isOK},
		ask{"CLIENT SETINFO LIB-NAME redis-py", isOK},
		ask{"CLIENT SETINFO LIB-VER 7.4.1", isOK},
	)},
	{name: "redis-py 7 that tries AUTH again", password: true, packets: each(
		// Servers before Redis 6 refuse a user with this text; redis-py then
		// sends the password alone.
		ask{"AUTH", is("-ERR wrong number of arguments for 'auth' command\r\n")},
		ask{"AUTH secret", isOK},
	)},
	{name: "redisvl", packets: each(
		ask{"CLIENT SETINFO LIB-NAME redis-py(redisvl_v0.26.0;langchain-redis_v0.2.6)", isOK},
		ask{"CLIENT SETINFO LIB-VER 7.4.1", isOK},
		ask{"CLIENT SETINFO LIB-NAME redis-py(redisvl_v0.26.0)", isOK},
		ask{"FT.INFO zz", func(_ string, v client.Value) error {
			for _, text := range []string{"unknown index name", "no such index", "search_index_not_found", "index not found"} {
				if v.Kind == client.ErrorKind && strings.Contains(strings.ToLower(v.Str), text) {
					return nil
				}
			}
			return fmt.Errorf("redisvl does not know %v as a missing index", v)
		}},
		ask{"FT.CREATE zz ON HASH PREFIX 1 zz SCORE 1.0 SCHEMA t TAG SEPARATOR ,", isOK},
		ask{"FT.CREATE zz ON HASH PREFIX 1 zz SCORE 1.0 SCHEMA t TAG SEPARATOR ,", func(_ string, v client.Value) error {
			if v.Kind != client.ErrorKind || !strings.Contains(v.Str, "Index already exists") {
				return fmt.Errorf("redisvl does not know %v as an index that exists", v)
			}
			return nil
		}},
		ask{"FT.DROPINDEX zz DD", isOK},
	)},
	{name: "redisvl that looks for modules", packets: each(
		ask{"CLIENT SETINFO LIB-NAME redis-py(redisvl_v0.8.0)", isOK},
		ask{"MODULE LIST", isModules},
		ask{"INFO", isInfo("redis_version:", "arch_bits:64", "cluster_enabled:0", "module:name=search,ver=802", "module:name=ReJSON,ver=802")},
		ask{"INFO modules", isInfo("module:name=search,ver=802", "module:name=ReJSON,ver=802")},
		ask{"FT._LIST", is("*0\r\n")},
	)},
	{name: "go-redis", packets: []packet{
		{{"HELLO 3", isHello(3)}},
		{{"SELECT 1", isOK}, {"CLIENT SETNAME me", isOK}, {"CLIENT TRACKING ON", isOK}},
		{{"CLIENT SETINFO LIB-NAME go-redis(,go1.26)", isOK}, {"CLIENT SETINFO LIB-VER 9.17.0", isOK}},
		{{"CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip", isUnknownMaint}},
		{{"GET x", isNull}},
	}},
	{name: "go-redis with a password", password: true, packets: []packet{
		{{"HELLO 3 AUTH default secret SETNAME me", isHello(3)}},
		{{"CLIENT SETINFO LIB-NAME go-redis(,go1.26)", isOK}, {"CLIENT SETINFO LIB-VER 9.17.0", isOK}},
	}},
	{name: "rueidis", packets: []packet{{
		{"HELLO 3 SETNAME me", isHello(3)},
		{"CLIENT TRACKING ON OPTIN", isOK},
		{"SELECT 1", isOK},
		{"CLIENT NO-TOUCH ON", isOK},
		{"CLIENT NO-EVICT ON", isOK},
		{"INFO SERVER", isInfo("redis_version:")},
		{"CLIENT SETINFO LIB-NAME rueidis", isOK},
		{"CLIENT SETINFO LIB-VER 1.0.70", isOK},
	}, {
		{"CLIENT CACHING YES", isOK},
		{"MULTI", isOK},
		{"PTTL x", is("+QUEUED\r\n")},
		{"GET x", is("+QUEUED\r\n")},
		{"EXEC", is("*2\r\n:-2\r\n_\r\n")},
	}}},
	{name: "rueidis that is told of prefixes", password: true, packets: []packet{{
		{"HELLO 3 AUTH default secret SETNAME me", isHello(3)},
		{"CLIENT TRACKING ON PREFIX p BCAST NOLOOP", isOK},
		{"CLIENT SETINFO LIB-NAME rueidis", isOK},
		{"CLIENT SETINFO LIB-VER 1.0.70", isOK},
	}}},
	{name: "rueidislock", packets: []packet{{
		{"HELLO 3", isHello(3)},
		{"CLIENT TRACKING ON OPTOUT NOLOOP", isOK},
		{"CLIENT SETINFO LIB-NAME rueidis", isOK},
		{"CLIENT SETINFO LIB-VER 1.0.70", isOK},
	}}},
	{name: "node-redis", packets: []packet{
		{
			{"HELLO 3 SETNAME me", isHello(3)},
			{"SELECT 2", isOK},
			{"CLIENT SETINFO LIB-VER 6.3.1", isOK},
			{"CLIENT SETINFO LIB-NAME node-redis", isOK},
			{"CLIENT TRACKING ON", isOK},
			{"CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type external-ip", isUnknownMaint},
		},
		{{"GET x", isNull}},
	}},
	{name: "node-redis with a password", password: true, packets: []packet{{
		{"HELLO 3 AUTH default secret SETNAME me", isHello(3)},
		{"SELECT 2", isOK},
		{"CLIENT SETINFO LIB-VER 6.3.1", isOK},
		{"CLIENT SETINFO LIB-NAME node-redis", isOK},
		{"CLIENT TRACKING ON", isOK},
	}}},
	{name: "node-redis in RESP2", password: true, packets: []packet{{
		{"AUTH secret", isOK},
		{"CLIENT SETINFO LIB-VER 6.3.1", isOK},
		{"CLIENT SETINFO LIB-NAME node-redis", isOK},
	}}},
	{name: "ioredis", packets: each(
		ask{"hello 3", isHello(3)},
		ask{"select 1", isOK},
		ask{"client setname io", isOK},
		ask{"client SETINFO LIB-VER 6.0.0", isOK},
		ask{"client SETINFO LIB-NAME ioredis", isOK},
		ask{"info", isInfo("loading:0", "redis_version:")},
		ask{"get x", isNull},
		ask{"quit", isOK},
	)},
	{name: "ioredis with a password", password: true, packets: each(
		ask{"hello 3 AUTH default secret", isHello(3)},
		ask{"client SETINFO LIB-VER 6.0.0", isOK},
		ask{"client SETINFO LIB-NAME ioredis", isOK},
		ask{"info", isInfo("loading:0")},
	)},
	{name: "jedis", packets: []packet{
		{{"HELLO 3", isHello(3)}},
		{{"CLIENT SETINFO LIB-NAME jedis", isOK}, {"CLIENT SETINFO LIB-VER 6.0.0", isOK}},
		{{"CLIENT TRACKING ON", isOK}},
		{{"GET x", isNull}},
	}},
	{name: "jedis with a password", password: true, packets: []packet{
		{{"HELLO 3 AUTH default secret", isHello(3)}},
		{{"CLIENT SETINFO LIB-NAME jedis", isOK}, {"CLIENT SETINFO LIB-VER 6.0.0", isOK}},
	}},
	{name: "jedis in RESP2", packets: []packet{
		{{"HELLO 2", isHello(2)}},
		{{"CLIENT SETINFO LIB-NAME jedis", isOK}, {"CLIENT SETINFO LIB-VER 6.0.0", isOK}},
	}},
	{name: "lettuce", packets: []packet{
		{{"HELLO 3 SETNAME let", isHello(3)}},
		{{"CLIENT SETINFO lib-name Lettuce", isOK}, {"CLIENT SETINFO lib-ver 6.7.1.RELEASE/feb7f9c", isOK}},
		{{"CLIENT TRACKING ON", isOK}},
		{{"GET x", isNull}},
	}},
	{name: "lettuce with a password", password: true, packets: []packet{
		{{"HELLO 3 AUTH default secret SETNAME let", isHello(3)}},
		{{"CLIENT SETINFO lib-name Lettuce", isOK}, {"CLIENT SETINFO lib-ver 6.7.1.RELEASE/feb7f9c", isOK}},
		{{"CLIENT TRACKING ON BCAST PREFIX a PREFIX b NOLOOP", isOK}},
	}},
	{name: "lettuce that falls back to RESP2", packets: []packet{
		// It does so for NOPROTO, or for an ERR with the word unknown.
		{{"HELLO 4 SETNAME let", isNoProto}},
		{{"PING", isPong}},
		{{"CLIENT SETNAME let", isOK}, {"CLIENT SETINFO lib-name Lettuce", isOK}, {"CLIENT SETINFO lib-ver 6.7.1.RELEASE/feb7f9c", isOK}},
		{{"GET x", is("$-1\r\n")}},
	}},
	{name: "redisson", password: true, packets: each(
		ask{"AUTH secret", isOK},
		ask{"SELECT 1", isOK},
		ask{"CLIENT SETNAME me", isOK},
		ask{"PING", isPong},
		ask{"CLIENT ID", isInt},
	)},
}

// TestHandshakes plays what clients send when they connect. Each must find in
// the replies what it insists on.
func TestHandshakes(t *testing.T) {
	open, _ := start(t, nil, "--appendonly", "no")
	locked, _ := start(t, nil, "--appendonly", "no", "--requirepass", "secret")
	for _, h := range handshakes {
		t.Run(h.name, func(t *testing.T) {
			s := open
			if h.password {
				s = locked
			}
			w := dialWire(t, s)
			for _, p := range h.packets {
				p.run(w)
			}
			last := h.packets[len(h.packets)-1]
			if last[len(last)-1].command != "quit" {
				w.silent()
			} else if _, err := w.conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after QUIT: %v, want EOF", err)
			}
			if !h.password {
				return
			}
			// The same bytes with another password open nothing, and the
			// connection stays up for another try.
			w = dialWire(t, s)
			w.send(strings.ReplaceAll(h.packets[0][0].command, "secret", "wrong"))
			if raw, v := w.frame(); v.Kind == client.ErrorKind && !strings.Contains(h.packets[0][0].command, "secret") {
				return // AUTH without a password
			} else if err := isWrongPass(raw, v); err != nil {
				t.Error(err)
			}
			packet{{"CLIENT SETINFO LIB-NAME x", isNoAuth}, {"GET x", isNoAuth}, {"PING", isNoAuth}}.run(w)
			h.packets[0].run(w)
			w.silent()
		})
	}
}

// TestHandshakesWithoutThePassword: what comes before AUTH is refused with the
// texts by which clients know what is wrong, and nothing of it takes effect.
func TestHandshakesWithoutThePassword(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--requirepass", "secret")
	w := dialWire(t, s)
	const helloNoAuth = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option " +
		"can be used to authenticate the client and select the RESP protocol version at the same time\r\n"
	packet{
		{"HELLO 3", is(helloNoAuth)},
		{"HELLO", is(helloNoAuth)},
		{"HELLO 3 SETNAME me", is(helloNoAuth)},
		{"HELLO 4 AUTH default secret", isNoProto},
		{"HELLO 3 AUTH default wrong", isWrongPass},
		{"HELLO 3 AUTH nobody secret", isWrongPass},
		{"HELLO 3 AUTH default", is("-ERR Syntax error in HELLO option 'AUTH'\r\n")},
		{"AUTH wrong", isWrongPass},
		{"AUTH nobody secret", isWrongPass},
		{"AUTH a b c", is("-ERR syntax error\r\n")},
		{"CLIENT TRACKING ON", isNoAuth},
		{"CLIENT MAINT_NOTIFICATIONS ON", isUnknownMaint},
		{"SELECT 1", isNoAuth},
		{"FT._LIST", isNoAuth},
		{"MULTI", isNoAuth},
		{"SUBSCRIBE c", isNoAuth},
		{"INFO", isNoAuth},
		{"AUTH default secret", isOK},
		{"CLIENT GETNAME", is("$-1\r\n")}, // still RESP2, and without a name
		{"AUTH wrong", isWrongPass},       // a failed AUTH leaves the client what it is
		{"PING", isPong},
		{"HELLO 3", isHello(3)},
		{"RESET", is("+RESET\r\n")},
		{"PING", isNoAuth},
	}.run(w)
}

// TestAuthWithoutAPasswordSet: clients that are given a password for a server
// that has none.
func TestAuthWithoutAPasswordSet(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	w := dialWire(t, s)
	packet{
		{"AUTH secret", is("-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n")},
		{"AUTH default secret", isOK},
		{"AUTH nobody secret", isWrongPass},
		{"HELLO 3 AUTH default anything", isHello(3)},
		{"HELLO 3 AUTH nobody anything", isWrongPass},
		{"HELLO abc", is("-ERR Protocol version is not an integer or out of range\r\n")},
		{"HELLO 1", isNoProto},
		{"CLIENT GETNAME", isNull}, // RESP3 as before
	}.run(w)
}

// TestRedissonCache: client-side caching in RESP2. One connection subscribes to
// the channel of invalidations, others redirect theirs to it.
func TestRedissonCache(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	sub, reader, writer := dialWire(t, s), dialWire(t, s), dialWire(t, s)
	_, id := sub.do("CLIENT ID")
	packet{{"SUBSCRIBE __redis__:invalidate", is("*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n")}}.run(sub)
	packet{
		{fmt.Sprintf("CLIENT TRACKING ON REDIRECT %d", id.Int), isOK},
		{"CLIENT GETREDIR", is(fmt.Sprintf(":%d\r\n", id.Int))},
		{"GET k", is("$-1\r\n")},
		{"HGETALL h", is("*0\r\n")},
	}.run(reader)

	const message = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n"
	writer.do("SET k 1")
	if raw, _ := sub.frame(); raw != message+"*1\r\n$1\r\nk\r\n" {
		t.Errorf("after SET: %q", raw)
	}
	writer.do("HSET h f 1")
	if raw, _ := sub.frame(); raw != message+"*1\r\n$1\r\nh\r\n" {
		t.Errorf("after HSET: %q", raw)
	}
	reader.do("GET k")
	writer.do("FLUSHALL")
	if raw, _ := sub.frame(); raw != message+"$-1\r\n" {
		t.Errorf("after FLUSHALL: %q", raw)
	}
	reader.silent()
	packet{{"PING", is("*2\r\n$4\r\npong\r\n$0\r\n\r\n")}}.run(sub)
	packet{{"CLIENT TRACKING ON REDIRECT 123456", is("-ERR The client ID you want redirect to does not exist\r\n")}}.run(writer)
}

// TestRedissonCacheInRESP3: the same in its newer versions. The connection that
// is redirected to gets pushes, not messages of the channel.
func TestRedissonCacheInRESP3(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	sub, reader, writer := dialWire(t, s), dialWire(t, s), dialWire(t, s)
	packet{{"HELLO 3", isHello(3)}, {"PING", isPong}}.run(sub)
	packet{{"SUBSCRIBE __redis__:invalidate", is(">3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n")}}.run(sub)
	_, id := sub.do("CLIENT ID")
	packet{
		{"HELLO 3", isHello(3)},
		{fmt.Sprintf("CLIENT TRACKING ON REDIRECT %d", id.Int), isOK},
		{"GET k", isNull},
	}.run(reader)
	const push = ">2\r\n$10\r\ninvalidate\r\n"
	writer.do("SET k 1")
	if raw, _ := sub.frame(); raw != push+"*1\r\n$1\r\nk\r\n" {
		t.Errorf("after SET: %q", raw)
	}
	writer.do("FLUSHALL")
	if raw, _ := sub.frame(); raw != push+"_\r\n" {
		t.Errorf("after FLUSHALL: %q", raw)
	}
	reader.silent()
	sub.silent()
}

// TestInvalidationComesBeforeTheNewValue: what redis-py, jedis, node-redis and
// go-redis rely on with plain CLIENT TRACKING ON, byte for byte. The push is in
// front of the first reply that could show the new value, and never inside one.
func TestInvalidationComesBeforeTheNewValue(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no")
	w, other := dialWire(t, s), dialWire(t, s)
	packet{{"HELLO 3", isHello(3)}, {"CLIENT TRACKING ON", isOK}, {"SET k 1", isOK}, {"GET k", is("$1\r\n1\r\n")}}.run(w)
	const push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"

	other.do("SET k 2")
	w.send("GET k")
	for _, want := range []string{push, "$1\r\n2\r\n"} {
		if raw, _ := w.frame(); raw != want {
			t.Fatalf("got %q, want %q", raw, want)
		}
	}
	// The writer hears of its own write too, outside of the reply of EXEC.
	w.send("MULTI", "SET k 3", "GET k", "EXEC")
	seen := map[string]int{}
	for range 5 {
		raw, _ := w.frame()
		seen[raw]++
	}
	if seen[push] != 1 || seen["*2\r\n+OK\r\n$1\r\n3\r\n"] != 1 || seen["+QUEUED\r\n"] != 2 {
		t.Errorf("own write in MULTI: %v", seen)
	}
	other.do("FLUSHALL")
	if raw, _ := w.frame(); raw != ">2\r\n$10\r\ninvalidate\r\n_\r\n" {
		t.Errorf("after FLUSHALL: %q", raw)
	}
	w.silent()
}
