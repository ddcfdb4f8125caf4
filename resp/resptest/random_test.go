package resptest_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

var (
	randomSeed  = flag.Uint64("random.seed", 1, "seed of TestRandomCommandsAgree")
	randomSteps = flag.Int("random.steps", 20_000, "commands that TestRandomCommandsAgree sends")
	randomMatch = flag.String("random.match", "", "regular expression of the commands that it sends")
)

// TestRandomCommandsAgree sends the same random commands to nearcache and to the
// real Redis that NEARCACHE_REDIS names, over several connections in both
// protocol versions, and compares every reply and, now and then, all the data.
// Each run is decided by its seed alone.
func TestRandomCommandsAgree(t *testing.T) { newDuel(t).run(*randomSteps) }

// TestRandomEventsAgree is the same with all keyspace notifications on: after
// each command the events that it has caused are compared, one by one.
func TestRandomEventsAgree(t *testing.T) {
	d := newDuel(t)
	for i := range d.events {
		d.events[i] = dial(t, d.addrs[i], 3)
		if v := d.events[i].DoMany(1, "PSUBSCRIBE", "__*"); v[0].Kind != resptest.Push {
			t.Fatal(v)
		}
		conn := d.conns[0][i]
		was := conn.Do("CONFIG", "GET", "notify-keyspace-events")
		conn.Do("CONFIG", "SET", "notify-keyspace-events", "AKEmnocSTIV")
		t.Cleanup(func() { conn.Do("CONFIG", "SET", "notify-keyspace-events", was.Elems[1].Text) })
	}
	d.resetStats()
	d.run(*randomSteps / 4)
}

// TestCompressionIsNotSeen is the same with every value compressed as soon as may
// be, so that commands find it so at any moment.
func TestCompressionIsNotSeen(t *testing.T) {
	d := newDuel(t)
	d.texts = true
	conn := d.conns[0][0]
	conn.Do("CONFIG", "SET", "compression-types", "string hash list set zset")
	for name, value := range map[string]string{"compression": "all", "compression-min-size": "64"} {
		was := conn.Do("CONFIG", "GET", name)
		if v := conn.Do("CONFIG", "SET", name, value); v.Text != "OK" {
			t.Fatal(v)
		}
		t.Cleanup(func() { conn.Do("CONFIG", "SET", name, was.Elems[1].Text) })
	}
	d.run(*randomSteps / 4)
	info := conn.Do("INFO", "memory").Text
	d.Log(regexp.MustCompile("(?m)^(de)?compress.*$").FindAllString(info, -1))
	if d.server != nil && !regexp.MustCompile("(?m)^decompressions:[1-9][0-9][0-9]").MatchString(info) {
		t.Error("hardly anything that was compressed was read")
	}
}

func newDuel(t *testing.T) *duel {
	theirs := redisAddr(t)
	ours := os.Getenv("NEARCACHE_ADDR")
	var server *resptest.Server
	if ours == "" {
		server = resptest.Start(t)
		ours = server.Addr()
	}
	d := &duel{T: t, server: server, rng: rand.New(rand.NewPCG(*randomSeed, 0)), start: time.Now(), addrs: [2]string{ours, theirs}}
	for i, proto := range []int{2, 3, 2, 3} {
		d.conns[i] = [2]*resptest.Conn{dial(t, ours, proto), dial(t, theirs, proto)}
	}
	maps.Copy(commandArgs, zsetArgs)
	maps.Copy(commandArgs, listArgs)
	maps.Copy(commandArgs, setArgs)
	maps.Copy(commandArgs, bitArgs)
	maps.Copy(commandArgs, streamArgs)
	maps.Copy(commandArgs, vsetArgs)
	match := regexp.MustCompile(*randomMatch)
	for name := range commandArgs {
		if !match.MatchString(name) {
			continue
		}
		if v := d.conns[0][0].Do("COMMAND", "INFO", name); len(v.Elems) == 1 && v.Elems[0].Kind == resptest.Array {
			d.names = append(d.names, name)
		}
	}
	slices.Sort(d.names)
	return d
}

func (d *duel) run(steps int) {
	d.Logf("seed %d, %d steps, %d of %d commands", *randomSeed, steps, len(d.names), len(commandArgs))
	d.both(0, "FLUSHALL")
	for i := range steps {
		d.step()
		if d.texts && d.server != nil && i%5 == 0 { // far more often than it does so itself
			d.server.Keyspace().Compress(time.Minute)
		}
		if i%500 == 499 {
			d.compareData()
		}
		if d.failures >= 20 {
			d.Fatal("too many differences")
		}
	}
}

func dial(t *testing.T, addr string, proto int) *resptest.Conn {
	t.Helper()
	c, err := resptest.Dial(addr, proto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// duel is two servers that are sent the same.
type duel struct {
	*testing.T
	rng      *rand.Rand
	start    time.Time
	addrs    [2]string
	conns    [4][2]*resptest.Conn // ours and theirs
	events   [2]*resptest.Conn    // subscribed to notifications, or nil
	inMulti  [4]bool
	names    []string
	history  []string
	failures int
	texts    bool             // long values among the others
	server   *resptest.Server // nil if it runs elsewhere
}

func (d *duel) step() {
	c := d.rng.IntN(len(d.conns))
	var args []string
	switch n := d.rng.IntN(100); {
	case n < 2 && !d.inMulti[c]:
		args = []string{"MULTI"}
	case n < 15 && d.inMulti[c]:
		args = []string{d.pick("EXEC", "EXEC", "EXEC", "DISCARD")}
	case n == 3 && !d.inMulti[c]:
		args = []string{"WATCH", d.key(), d.key()}
	case n == 4:
		args = []string{"SELECT", d.pick("0", "0", "0", "1")}
	case n == 5 && d.rng.IntN(10) == 0:
		args = strings.Fields(d.pick("FLUSHDB", "FLUSHALL", "SWAPDB 0 1", "SWAPDB 1 0"))
	case n < 25 && d.texts:
		args = [][]string{
			{"SET", d.key(), d.text()},
			{"APPEND", d.key(), d.text()},
			{"HSET", d.hash(), d.field(), d.text()},
			{d.pick("GET", "STRLEN"), d.key()},
		}[d.rng.IntN(4)]
	default:
		name := d.names[d.rng.IntN(len(d.names))]
		args = append([]string{d.cased(name)}, commandArgs[name](d)...)
	}
	if d.inMulti[c] && (strings.EqualFold(args[0], "RANDOMKEY") || slices.Contains(timed, strings.ToLower(args[0]))) {
		return
	}
	mutation := d.rng.IntN(60)
	switch strings.ToUpper(args[0]) {
	case "SCAN", "HSCAN", "HRANDFIELD", "ZSCAN", "ZRANDMEMBER", "SSCAN", "SPOP", "SRANDMEMBER", "BZPOPMIN", "BZMPOP", "XADD", "VSIM", "VRANDMEMBER", // their replies are decided for some arguments only
		"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BLMOVEM": // and these might wait for ever
		mutation = -1
	case "SORT", "SORT_RO": // with another pattern more may be undecided
		if mutation == 2 {
			mutation = -1
		}
	case "SET", "GETEX", "SETEX", "PSETEX", "MSETEX", "INCREX", "EXPIRE", "PEXPIRE": // a short time would end during the test
		if mutation == 2 {
			mutation = -1
		}
	}
	switch mutation {
	case 0:
		args = args[:1+d.rng.IntN(len(args))]
	case 1:
		args = append(args, d.value())
	case 2:
		args[d.rng.IntN(len(args))] = d.value()
	}
	if d.events[0] != nil && strings.EqualFold(args[0], "MSETEX") {
		// A time that is over makes keys that are due, and go whenever the server likes.
		for i, a := range args[:len(args)-1] {
			if strings.EqualFold(a, "EXAT") || strings.EqualFold(a, "PXAT") {
				args[i+1] = strconv.FormatInt(d.start.Add(time.Hour).UnixMilli(), 10)
			}
		}
	}
	switch name := strings.ToUpper(args[0]); name {
	case "MULTI", "EXEC", "DISCARD":
		if len(args) == 1 {
			d.inMulti[c] = name == "MULTI"
		} else if name == "EXEC" {
			d.inMulti[c] = false
		}
	}
	d.both(c, args...)
	if name := strings.ToUpper(args[0]); len(args) > 1 && (name == "SORT" || name == "SORT_RO") {
		d.both(c, "ZRANGESTORE", args[1], args[1], "0", "-1") // a sorted set that Redis has sorted is a skiplist for ever
	}
}

// both sends a command to both servers over connection c and compares.
func (d *duel) both(c int, args ...string) {
	ours := d.conns[c][0].Do(args...)
	theirs := d.conns[c][1].Do(args...)
	d.history = append(d.history, fmt.Sprintf("%d> %.200q -> %.200s", c, args, ours))
	same := d.same(args, ours, theirs)
	if d.events[0] != nil {
		a, b := d.told(0), d.told(1)
		switch {
		case hasError(ours): // whether a key was looked up before an argument was found wrong is no matter
			a, b = withoutMisses(a), withoutMisses(b)
			d.resetStats()
		case strings.EqualFold(args[0], "SORT") || strings.EqualFold(args[0], "SORT_RO"): // members of a set have no order
			slices.Sort(a)
			slices.Sort(b)
			d.compareStats()
		case strings.EqualFold(args[0], "SPOP") || strings.EqualFold(args[0], "EXEC"): // Redis looks up twice what SPOP takes as a whole
			d.resetStats()
		default:
			d.compareStats()
		}
		if same && !slices.Equal(a, b) {
			same = false
			d.Logf("ours tells\n%s\ntheirs tells\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	}
	if same {
		return
	}
	d.failures++
	last := d.history[max(0, len(d.history)-12):]
	d.Errorf("connection %d (RESP%d): %.500q\n  ours   %.2000s\n  theirs %.2000s\nafter\n  %s",
		c, d.conns[c][0].Proto, args, ours, theirs, strings.Join(last, "\n  "))
	// Begin anew: one difference would lead to others.
	for i, pair := range d.conns {
		for _, conn := range pair {
			if d.inMulti[i] {
				conn.Do("DISCARD")
			}
			conn.Do("UNWATCH")
			conn.Do("SELECT", "0")
			conn.Do("FLUSHALL")
		}
		d.inMulti[i] = false
	}
}

// compareStats compares how many look-ups have found their key, and how many not.
func (d *duel) compareStats() {
	var got [2][]string
	for i := range got {
		for _, line := range strings.Split(d.events[i].Do("INFO", "stats").Text, "\r\n") {
			if strings.HasPrefix(line, "keyspace_") {
				got[i] = append(got[i], line)
			}
		}
	}
	if len(got[0]) != 2 || !slices.Equal(got[0], got[1]) {
		d.failures++
		d.Errorf("ours %q, theirs %q after\n-- %s", got[0], got[1], strings.Join(d.history[len(d.history)-1:], "\n-- "))
		d.resetStats()
	}
}

func (d *duel) resetStats() {
	for _, conn := range d.events {
		conn.Do("CONFIG", "RESETSTAT")
	}
}

// told lists the notifications that a server has sent.
func (d *duel) told(i int) (l []string) {
	for _, v := range d.events[i].Drain() {
		l = append(l, v.String())
	}
	return l
}

func withoutMisses(l []string) []string {
	return slices.DeleteFunc(l, func(s string) bool { return strings.Contains(s, "keymiss") })
}

func hasError(v resptest.Value) bool {
	return v.Kind == resptest.Error || slices.ContainsFunc(v.Elems, hasError)
}

// same compares two replies. Times may differ by the moments between the two
// commands, what is unordered by its order.
func (d *duel) same(args []string, ours, theirs resptest.Value) bool {
	switch strings.ToUpper(args[0]) {
	case "HGETALL", "HSCAN", "HRANDFIELD", "HKEYS", "HVALS", "KEYS", "SCAN", "ZSCAN",
		"SMEMBERS", "SSCAN", "SPOP", "VRANDMEMBER", "SRANDMEMBER", "SINTER", "SUNION", "SDIFF":
		pairs := slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, "WITHVALUES") }) ||
			strings.EqualFold(args[0], "HGETALL") || strings.EqualFold(args[0], "ZSCAN") || strings.EqualFold(args[0], "HSCAN") && !slices.Contains(args, "NOVALUES")
		ours, theirs = ours.Sorted(pairs), theirs.Sorted(pairs)
	case "SORT", "SORT_RO":
		if len(args) > 2 && !slices.Contains(args, "STORE") { // see sortArgs
			ours, theirs = ours.Sorted(false), theirs.Sorted(false)
		}
	case "EXEC":
		return d.close(leaves(ours), leaves(theirs))
	case "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME":
		return d.close(ours, theirs)
	case "RANDOMKEY":
		return ours.Kind == theirs.Kind
	case "XPENDING", "XINFO", "XREADGROUP":
		ours, theirs = withoutTimes(args, ours), withoutTimes(args, theirs)
	}
	return ours.String() == theirs.String() || sameError(ours, theirs)
}

// sameError compares errors. Those of Redis end where an argument that they quote
// holds a zero byte.
func sameError(ours, theirs resptest.Value) bool {
	text, _, cut := strings.Cut(ours.Text, "\x00")
	return ours.Kind == resptest.Error && theirs.Kind == resptest.Error && cut && strings.HasPrefix(theirs.Text, text)
}

// leaves returns the replies of an EXEC with the parts of each in order: these
// may be anything unordered.
func leaves(v resptest.Value) resptest.Value {
	out := resptest.Value{Kind: v.Kind, Text: v.Text}
	for _, e := range v.Elems {
		flat := resptest.Value{Kind: e.Kind, Text: e.Text}
		var walk func(resptest.Value)
		walk = func(x resptest.Value) {
			if len(x.Elems) == 0 {
				flat.Elems = append(flat.Elems, x)
			}
			for _, y := range x.Elems {
				walk(y)
			}
		}
		if len(e.Elems) > 0 {
			walk(e)
			slices.SortFunc(flat.Elems, func(a, b resptest.Value) int { return strings.Compare(a.String(), b.String()) })
		}
		out.Elems = append(out.Elems, flat)
	}
	return out
}

// close compares replies whose integers may be times.
func (d *duel) close(ours, theirs resptest.Value) bool {
	if len(ours.Elems) != len(theirs.Elems) || ours.Kind != theirs.Kind {
		return false
	}
	for i := range ours.Elems {
		if !d.close(ours.Elems[i], theirs.Elems[i]) {
			return false
		}
	}
	if ours.Kind == resptest.Int && ours.Text != theirs.Text {
		a, err1 := strconv.ParseInt(ours.Text, 10, 64)
		b, err2 := strconv.ParseInt(theirs.Text, 10, 64)
		return err1 == nil && err2 == nil && a > 500 && b > 500 && max(a, b)-min(a, b) < 3000
	}
	return ours.Text == theirs.Text || sameError(ours, theirs)
}

// compareData compares everything that the servers hold.
func (d *duel) compareData() {
	for i := range d.conns {
		if d.inMulti[i] {
			d.both(i, "EXEC")
			d.inMulti[i] = false
		}
	}
	for _, db := range []string{"1", "0"} {
		d.both(1, "SELECT", db)
		d.both(1, "KEYS", "*")
		for _, key := range slices.Concat(keys, typedKeys, vsetKeys) {
			d.compareKey(key)
			if d.events[0] == nil {
				d.exchange(key)
			}
		}
	}
}

// compareKey compares what is under a key.
func (d *duel) compareKey(key string) {
	d.both(1, "TYPE", key)
	d.both(1, "PTTL", key)
	kind := d.conns[1][0].Do("TYPE", key).Text
	if d.events[0] != nil {
		d.conns[1][1].Do("TYPE", key)
		d.told(0)
		d.told(1)
	}
	switch kind {
	case "hash":
		d.both(1, "HGETALL", key)
		d.both(1, "OBJECT", "ENCODING", key)
		names := d.conns[1][0].Do("HKEYS", key)
		d.conns[1][1].Do("HKEYS", key)
		for _, f := range names.Elems {
			d.both(1, "HPEXPIRETIME", key, "FIELDS", "1", f.Text)
		}
	case "zset":
		d.both(1, "ZRANGE", key, "0", "-1", "WITHSCORES")
		d.both(1, "OBJECT", "ENCODING", key)
	case "set":
		d.both(1, "SMEMBERS", key)
		d.both(1, "OBJECT", "ENCODING", key)
	case "list":
		d.both(1, "LRANGE", key, "0", "-1")
		d.both(1, "OBJECT", "ENCODING", key)
	case "stream":
		d.both(1, "XINFO", "STREAM", key, "FULL", "COUNT", "0")
		d.both(1, "XINFO", "STREAM", key)
	case "vectorset":
		d.compareVSet(key)
	default:
		d.both(1, "GET", key)
	}
}

// restored is the key that exchange restores to.
const restored = "restored"

// exchange has each server restore what the other has dumped of a key.
func (d *duel) exchange(key string) {
	ours, theirs := d.conns[1][0].Do("DUMP", key), d.conns[1][1].Do("DUMP", key)
	if ours.Kind != resptest.Bulk || theirs.Kind != resptest.Bulk {
		d.compareKey(key)
		return
	}
	for i, payload := range []string{theirs.Text, ours.Text} {
		if reply := d.conns[1][i].Do("RESTORE", restored, "0", payload); reply.Text != "OK" {
			d.failures++
			d.Errorf("server %d cannot restore %q from %q: %s", i, key, payload, reply)
		}
	}
	d.compareKey(restored)
	d.both(1, "OBJECT", "ENCODING", restored)
	d.both(1, "DEL", restored)
}

// ---- random arguments

// typedKeys are keys that mostly have one type.
var typedKeys = slices.Concat(zsetKeys, listKeys, setKeys, bitKeys, streamKeys)

var keys = []string{"a", "b", "c", "h1", "h2", "h3", "n", "f", "", "bin\x00\xff"}

func (d *duel) pick(s ...string) string { return s[d.rng.IntN(len(s))] }

func (d *duel) key() string {
	if d.rng.IntN(12) == 0 {
		return typedKeys[d.rng.IntN(len(typedKeys))]
	}
	return keys[d.rng.IntN(len(keys))]
}

func (d *duel) hash() string { return d.pick("h1", "h2", "h3", d.key()) }

func (d *duel) field() string {
	return d.pick("f", "g", "h", "", "n", "f\x00", "long"+strings.Repeat("x", 70))
}

func (d *duel) cased(s string) string {
	if d.rng.IntN(4) == 0 {
		return strings.ToUpper(s)
	}
	return s
}

// text is what can be compressed.
func (d *duel) text() string {
	var b strings.Builder
	for range 10 + d.rng.IntN(100) {
		b.WriteString(d.pick("what ", "nobody ", "has ", "read ", "for a while ", "12 ", "takes ", "less ", "room "))
	}
	return b.String()
}

func (d *duel) value() string {
	if d.texts && d.rng.IntN(3) == 0 {
		return d.text()
	}
	switch d.rng.IntN(8) {
	case 0:
		return strconv.Itoa(d.rng.IntN(200) - 100)
	case 1:
		return strconv.FormatFloat(float64(d.rng.IntN(2000)-1000)/float64(1+d.rng.IntN(64)), 'g', -1, 64)
	case 2:
		return d.number()
	case 3:
		return d.float()
	case 4:
		return strings.Repeat(d.pick("x", "\x00", "é"), d.rng.IntN(100))
	default:
		return d.pick("v", "w", "", "hello world", "10", "-1", "0")
	}
}

func (d *duel) number() string {
	return d.pick("0", "1", "-1", "5", "100", "-7", "9223372036854775807", "-9223372036854775808",
		"9223372036854775808", "1.5", "abc", "", " 1", "1 ", "+1", "01", "-0", "1e3")
}

func (d *duel) float() string {
	return d.pick("0", "1", "-1", "0.1", "-0.5", "1e3", "1e-3", "3.0", "1.5", "2.25", "1e17", "123456789.123",
		"inf", "-inf", "nan", "abc", "", " 1", "1 ", ".5", "5.", "0x10", "+1", "-0", "1e400")
}

func (d *duel) small() string { return strconv.Itoa(d.rng.IntN(24) - 12) }

// seconds is a time to live that cannot end during the test, has ended, or is none.
func (d *duel) seconds() string {
	if d.rng.IntN(5) > 0 {
		return strconv.Itoa(10_000 + d.rng.IntN(1_000_000))
	}
	return d.pick("0", "-1", "-100", "abc", "1.5", "", "9223372036854775807", "9223372036854775", "-9223372036854775808")
}

func (d *duel) millis() string {
	if d.rng.IntN(5) > 0 {
		return strconv.Itoa(10_000_000 + d.rng.IntN(1_000_000_000))
	}
	return d.seconds()
}

func (d *duel) at() string {
	if d.rng.IntN(5) > 0 {
		return strconv.FormatInt(d.start.Unix()+10_000+int64(d.rng.IntN(1_000_000)), 10)
	}
	return d.pick("1", "0", "-1", "abc", "33177117420")
}

func (d *duel) atMillis() string {
	if d.rng.IntN(5) > 0 {
		return strconv.FormatInt(d.start.UnixMilli()+10_000_000+int64(d.rng.IntN(1_000_000_000)), 10)
	}
	return d.pick("1", "0", "-1", "abc", "33177117420123")
}

// some returns each of the options with some probability, in any order.
func (d *duel) some(options ...[]string) []string {
	d.rng.Shuffle(len(options), func(i, j int) { options[i], options[j] = options[j], options[i] })
	var args []string
	for _, o := range options {
		if d.rng.IntN(len(options)+1) == 0 {
			args = append(args, o...)
		}
	}
	return args
}

// shuffled joins options in any order.
func (d *duel) shuffled(options ...[]string) []string {
	d.rng.Shuffle(len(options), func(i, j int) { options[i], options[j] = options[j], options[i] })
	return slices.Concat(options...)
}

func (d *duel) expiry() []string {
	switch d.rng.IntN(8) {
	case 0:
		return []string{d.cased("ex"), d.seconds()}
	case 1:
		return []string{d.cased("px"), d.millis()}
	case 2:
		return []string{"EXAT", d.at()}
	case 3:
		return []string{"PXAT", d.atMillis()}
	case 4:
		return []string{d.pick("KEEPTTL", "PERSIST")}
	}
	return nil
}

func (d *duel) fields() []string {
	n := 1 + d.rng.IntN(3)
	args := []string{"FIELDS", strconv.Itoa(n)}
	for range n {
		args = append(args, d.field())
	}
	return args
}

func (d *duel) keys() []string {
	var ks []string
	for range 1 + d.rng.IntN(3) {
		ks = append(ks, d.key())
	}
	return ks
}

func (d *duel) pairs(key func() string) []string {
	var ps []string
	for range 1 + d.rng.IntN(3) {
		ps = append(ps, key(), d.value())
	}
	return ps
}

func args(parts ...any) []string {
	var out []string
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p)
		case []string:
			out = append(out, p...)
		}
	}
	return out
}

func one(d *duel) []string       { return []string{d.key()} }
func many(d *duel) []string      { return d.keys() }
func none(*duel) []string        { return nil }
func hashOnly(d *duel) []string  { return []string{d.hash()} }
func hashField(d *duel) []string { return []string{d.hash(), d.field()} }

func hashFields(d *duel) []string { return args(d.hash(), d.field(), d.field()) }

func expire(when func(*duel) string) func(*duel) []string {
	return func(d *duel) []string {
		return args(d.key(), when(d), d.some([]string{"NX"}, []string{"XX"}, []string{"GT"}, []string{"LT"}, []string{"foo"}))
	}
}

func hexpire(when func(*duel) string) func(*duel) []string {
	return func(d *duel) []string {
		return args(d.hash(), when(d), d.pick("", "NX", "XX", "GT", "LT"), d.fields())
	}
}

func hfields(d *duel) []string { return args(d.hash(), d.fields()) }

// commandArgs are the commands that are tried, with what makes their arguments.
// sortArgs are those of SORT. Where elements may be equal, or have no order, there
// is no LIMIT, and nothing is stored.
func sortArgs(d *duel, mayStore bool) []string {
	key := d.pick("l1", "l2", "s1", "s2", "ints", "z1", "zl", d.key())
	l := []string{key}
	by := d.some([]string{"BY", d.pick("nosort", "*", "*->f", "h*->g", "weight_*", "l*", "*->", "")})
	alpha := d.some([]string{"ALPHA"}, []string{"ALPHA"})
	l = append(append(l, by...), alpha...)
	l = append(l, d.some([]string{"DESC"}, []string{"ASC"})...)
	for range d.rng.IntN(3) {
		l = append(l, "GET", d.pick("#", "*", "*->f", "h*->g", "h*", "none", "#x", ""))
	}
	sorted := len(by) == 0 || strings.Contains(by[1], "*") && len(alpha) == 0
	store := mayStore && sorted && d.rng.IntN(3) == 0
	if sorted && (len(alpha) == 0 || store) {
		l = append(l, d.some([]string{"LIMIT", d.number(), d.number()})...)
	}
	if store {
		l = append(l, "STORE", d.pick("l1", "l3", "s2", d.key()))
	}
	return l
}

var commandArgs = map[string]func(d *duel) []string{
	"get": one, "getdel": one, "strlen": one, "incr": one, "decr": one, "ttl": one, "pttl": one,
	"expiretime": one, "pexpiretime": one, "persist": one, "type": one, "digest": one,
	"del": many, "unlink": many, "exists": many, "touch": many, "mget": many,
	// Not DBSIZE: Redis counts keys that have ended and are not removed yet.
	"randomkey": none, "ping": none, "unwatch": none,
	"hgetall": hashOnly, "hkeys": hashOnly, "hvals": hashOnly, "hlen": hashOnly,
	"hget": hashField, "hexists": hashField, "hstrlen": hashField,
	"hdel": hashFields, "hmget": hashFields,
	"set": func(d *duel) []string {
		return args(d.key(), d.value(), d.some([]string{"NX"}, []string{"XX"}, []string{"GET"},
			[]string{"IFEQ", d.value()}, []string{"IFNE", d.value()}), d.expiry())
	},
	"delex": func(d *duel) []string { return args(d.key(), d.some([]string{d.pick("IFEQ", "IFNE"), d.value()})) },
	"msetex": func(d *duel) []string {
		ps := d.pairs(d.key)
		return args(strconv.Itoa(len(ps)/2), ps, d.pick("NX", "XX"), d.expiry())
	},
	"increx": func(d *duel) []string {
		return args(d.pick("n", "f", d.key()), d.some([]string{d.pick("BYINT", "BYFLOAT"), d.number()},
			[]string{"LBOUND", d.small()}, []string{"UBOUND", d.number()}, []string{"SATURATE"}, []string{"ENX"}), d.expiry())
	},
	"getset": func(d *duel) []string { return args(d.key(), d.value()) },
	"getex":  func(d *duel) []string { return args(d.key(), d.expiry()) },
	"setnx":  func(d *duel) []string { return args(d.key(), d.value()) },
	"setex":  func(d *duel) []string { return args(d.key(), d.seconds(), d.value()) },
	"psetex": func(d *duel) []string { return args(d.key(), d.millis(), d.value()) },
	"mset":   func(d *duel) []string { return d.pairs(d.key) },
	"msetnx": func(d *duel) []string { return d.pairs(d.key) },
	"append": func(d *duel) []string {
		if v := d.value(); len(v) < 40 {
			return args(d.key(), v)
		}
		return args(d.key(), "")
	},
	"incrby":      func(d *duel) []string { return args(d.pick("n", d.key()), d.number()) },
	"decrby":      func(d *duel) []string { return args(d.pick("n", d.key()), d.number()) },
	"incrbyfloat": func(d *duel) []string { return args(d.pick("f", "n", d.key()), d.float()) },
	"getrange":    func(d *duel) []string { return args(d.key(), d.small(), d.small()) },
	"substr":      func(d *duel) []string { return args(d.key(), d.small(), d.small()) },
	"setrange":    func(d *duel) []string { return args(d.key(), d.small(), d.pick("", "x", "yyy")) },
	"expire":      expire((*duel).seconds),
	"pexpire":     expire((*duel).millis),
	"expireat":    expire((*duel).at),
	"pexpireat":   expire((*duel).atMillis),
	"rename":      func(d *duel) []string { return args(d.key(), d.key()) },
	"renamenx":    func(d *duel) []string { return args(d.key(), d.key()) },
	"copy": func(d *duel) []string {
		return args(d.key(), d.key(), d.some([]string{"REPLACE"}, []string{"DB", d.pick("0", "1", "99")}))
	},
	"restore": func(d *duel) []string {
		payload := d.pick("\x00\x01v\x0f\x00\x8a\x8c\xab\xbe\xb7\x94w6",
			"\x12\x01\x02\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xff\x0f\x00soo\x85\xbd\xedFI",
			"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00\x0f\x00t\xfd]\xbd\x9aG\xdd\xd6",
			"\x00\x01v\x0f\x00\x8a\x8c\xab\xbe\xb7\x94w6", "\x04\x01\x01f\x01v\x0a\x00\xad\xf2CV\xb1\x86\x0e\xfc", "\x04\x00\x0a\x00\x931\x96\xc0'\x92\x95\xbf", d.value())
		return args(d.key(), d.pick("0", "0", d.millis()), payload, d.some([]string{"REPLACE"}, []string{"REPLACE"}, []string{"FREQ", d.number()}, []string{"IDLETIME", d.number()}))
	},
	"sort":    func(d *duel) []string { return sortArgs(d, true) },
	"sort_ro": func(d *duel) []string { return sortArgs(d, false) },
	"move":    func(d *duel) []string { return args(d.key(), d.pick("0", "1", "99")) },
	"keys":    func(d *duel) []string { return args(d.pick("*", "h?", "[ab]", "[^h]*", "?", "", "bin*", "\\a")) },
	"scan": func(d *duel) []string {
		return args("0", "COUNT", "1000", d.some([]string{"MATCH", d.pick("*", "h*", "?")}, []string{"TYPE", d.pick("string", "hash", "list")}))
	},
	"object":       func(d *duel) []string { return args("ENCODING", d.key()) },
	"lcs":          func(d *duel) []string { return args(d.key(), d.key(), d.some([]string{"LEN"}, []string{"IDX"})) },
	"hset":         func(d *duel) []string { return args(d.hash(), d.pairs(d.field)) },
	"hmset":        func(d *duel) []string { return args(d.hash(), d.pairs(d.field)) },
	"hsetnx":       func(d *duel) []string { return args(d.hash(), d.field(), d.value()) },
	"hincrby":      func(d *duel) []string { return args(d.hash(), d.pick("n", d.field()), d.number()) },
	"hincrbyfloat": func(d *duel) []string { return args(d.hash(), d.pick("n", d.field()), d.float()) },
	"hscan": func(d *duel) []string {
		return args(d.hash(), "0", d.some([]string{"MATCH", d.pick("*", "f*", "?")}, []string{"COUNT", "1000"}, []string{"NOVALUES"}))
	},
	// More than there are, so that the reply is decided.
	"hrandfield": func(d *duel) []string {
		return args(d.hash(), d.pick("0", "100", "1000000"), d.some([]string{"WITHVALUES"}))
	},
	"hexpire": hexpire((*duel).seconds), "hpexpire": hexpire((*duel).millis),
	"hexpireat": hexpire((*duel).at), "hpexpireat": hexpire((*duel).atMillis),
	"httl": hfields, "hpttl": hfields, "hexpiretime": hfields, "hpexpiretime": hfields, "hpersist": hfields,
	"hgetdel": hfields,
	"hgetex":  func(d *duel) []string { return args(d.hash(), d.shuffled(d.expiry(), d.fields())) },
	"hsetex": func(d *duel) []string {
		ps := d.pairs(d.field)
		return args(d.hash(), d.shuffled(d.expiry(), d.some([]string{d.pick("FXX", "FNX")}), args("FIELDS", strconv.Itoa(len(ps)/2), ps)))
	},
}
