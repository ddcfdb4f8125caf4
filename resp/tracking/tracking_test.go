package tracking_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/tracking"
)

type options = tracking.Options

func expect(t testing.TB, p *peer, want string) {
	t.Helper()
	if got := p.pushes(); got != want {
		t.Errorf("client %d was told %q, want %q", p.s.ID, got, want)
	}
}

func TestDefaultModeTellsOnce(t *testing.T) {
	w := newWorld(t)
	a, b := w.peer(3), w.peer(3)
	a.on(options{})
	a.get("k", "missing", "other")
	b.set("1", "k")
	expect(t, a, "k")
	b.set("2", "k", "unread")
	expect(t, a, "")
	b.set("1", "missing", "other")
	expect(t, a, "missing other")
	a.get("k")
	a.set("3", "k")
	expect(t, a, "k")
	expect(t, b, "")
}

func TestNoLoopForgetsTheKeyAllTheSame(t *testing.T) {
	w := newWorld(t)
	a, b := w.peer(3), w.peer(3)
	a.on(options{NoLoop: true})
	a.get("k")
	a.set("1", "k")
	b.set("2", "k")
	expect(t, a, "")
	a.get("k")
	b.set("3", "k")
	expect(t, a, "k")
}

func TestFlushTellsAllOfThem(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.peer(3), w.peer(3), w.peer(3)
	a.on(options{NoLoop: true})
	b.on(options{BCast: true, Prefixes: []string{"x"}})
	a.get("k")
	a.flush()
	expect(t, a, "all")
	expect(t, b, "all")
	expect(t, c, "")
	c.set("1", "k")
	expect(t, a, "")
	if s := w.table.Stats(); s.Keys != 0 || s.Items != 0 || s.Bytes != 0 {
		t.Errorf("after a flush %+v", s)
	}
}

func TestBroadcastByPrefix(t *testing.T) {
	w := newWorld(t)
	a, b := w.peer(3), w.peer(3)
	a.on(options{BCast: true, Prefixes: []string{"user:", "item:"}})
	b.set("1", "user:1", "other", "item:1", "user:2", "user:1")
	if got := strings.Split(a.pushes(), " "); !slices.Contains(got, "item:1") || !slices.Contains(got, "user:1,user:2") || len(got) != 2 {
		t.Errorf("told %q", got)
	}
	a.on(options{BCast: true, Prefixes: []string{"more"}})
	b.set("1", "more")
	expect(t, a, "more")
	b.set("1", "mor", "use")
	expect(t, a, "")
	all := w.peer(3)
	all.on(options{BCast: true, NoLoop: true})
	all.set("1", "mine")
	expect(t, all, "")
	b.set("1", "theirs")
	expect(t, all, "theirs")
	if s := w.table.Stats(); s.Prefixes != 4 || s.Keys != 0 {
		t.Errorf("%+v", s)
	}
	w.table.Off(a.s)
	if s := w.table.Stats(); s.Prefixes != 1 || s.Clients != 1 {
		t.Errorf("after OFF %+v", s)
	}
}

func TestOptInAndOptOut(t *testing.T) {
	w := newWorld(t)
	in, out, b := w.peer(3), w.peer(3), w.peer(3)
	in.on(options{OptIn: true})
	out.on(options{OptOut: true})
	in.get("a")
	if err := w.table.Caching(in.s, true); err != nil {
		t.Fatal(err)
	}
	if f := strings.Join(w.table.Info(in.s).Flags, " "); f != "on optin caching-yes" {
		t.Errorf("flags %s", f)
	}
	in.get("b")
	in.get("c")
	if err := w.table.Caching(out.s, false); err != nil {
		t.Fatal(err)
	}
	out.get("a")
	out.get("b")
	b.set("1", "a", "b", "c")
	expect(t, in, "b")
	expect(t, out, "b")
	// U07: OFF forgets a CACHING that was pending.
	if err := w.table.Caching(in.s, true); err != nil {
		t.Fatal(err)
	}
	w.table.Off(in.s)
	in.on(options{OptIn: true})
	in.get("a")
	b.set("2", "a")
	expect(t, in, "")
}

func TestRefusedOptionsChangeNothing(t *testing.T) {
	w := newWorld(t)
	f := func(p *peer, o options, want string) {
		t.Helper()
		before := fmt.Sprint(w.table.Info(p.s), w.table.Stats())
		err := w.table.On(p.s, o)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: error %v, want %s", o, err, want)
		}
		if after := fmt.Sprint(w.table.Info(p.s), w.table.Stats()); after != before {
			t.Errorf("%+v has changed %s to %s", o, before, after)
		}
	}
	p := w.peer(3)
	f(p, options{Redirect: 999}, "ERR The client ID you want redirect to does not exist")
	f(p, options{Prefixes: []string{"a"}}, "ERR PREFIX option requires BCAST mode to be enabled")
	f(p, options{BCast: true, OptIn: true}, "ERR OPTIN and OPTOUT are not compatible with BCAST")
	f(p, options{OptOut: true, OptIn: true}, "ERR You can't specify both OPTIN mode and OPTOUT mode")
	f(p, options{BCast: true, Prefixes: []string{"x", "ab", "a"}}, "ERR Prefix 'a")
	p.on(options{BCast: true, Prefixes: []string{"foo", "bar"}})
	f(p, options{BCast: true, Prefixes: []string{"z", "food"}}, "ERR Prefix 'food' overlaps with an existing prefix 'foo'. Prefixes for a single client must not overlap.")
	f(p, options{BCast: true, Prefixes: []string{"fo"}}, "ERR Prefix 'fo' overlaps with an existing prefix 'foo'.")
	f(p, options{BCast: true, Prefixes: []string{""}}, "ERR Prefix '' overlaps")
	f(p, options{}, "ERR You can't switch BCAST mode on/off")
	f(p, options{Prefixes: []string{"q"}}, "ERR PREFIX option requires BCAST")
	q := w.peer(3)
	q.on(options{OptIn: true})
	f(q, options{OptOut: true}, "ERR You can't switch OPTIN/OPTOUT mode")
	f(q, options{BCast: true}, "ERR You can't switch BCAST mode on/off")
	q.on(options{})
	if err := w.table.Caching(q.s, true); err == nil || err.Error() != "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode." {
		t.Errorf("CACHING YES: %v", err)
	}
}

func TestRedirection(t *testing.T) {
	w := newWorld(t)
	target, other, writer := w.peer(3), w.peer(2), w.peer(3)
	src2, src3 := w.peer(2), w.peer(3)
	src2.on(options{Redirect: target.s.ID})
	src3.on(options{Redirect: target.s.ID})
	src2.get("a")
	src3.get("b")
	writer.set("1", "a", "b")
	expect(t, target, "a b")
	expect(t, src3, "")

	// A target in RESP2 hears only while it is subscribed.
	src2.on(options{Redirect: other.s.ID})
	src2.get("a")
	writer.set("2", "a")
	expect(t, other, "")
	src2.get("a")
	other.s.Subs.Add(1)
	writer.set("3", "a")
	v := other.stream()
	if len(v) != 1 || v[0].Kind != client.Array || v[0].Elems[0].Str != "message" || v[0].Elems[1].Str != "__redis__:invalidate" || v[0].Elems[2].Elems[0].Str != "a" {
		t.Errorf("a target in RESP2 got %+v", v)
	}

	// The target dies: its sources hear it at once, and once.
	src3.get("b")
	target.close()
	expect(t, src3, fmt.Sprintf("broken %d", target.s.ID))
	writer.set("4", "b")
	expect(t, src3, "")
	if i := w.table.Info(src3.s); !slices.Contains(i.Flags, "broken_redirect") || i.Letters != "tR" {
		t.Errorf("%+v", i)
	}

	// The source dies: nobody would tell its target any more (U09).
	src2.close()
	if v := other.stream(); len(v) != 1 || !v[0].Elems[2].IsNull() {
		t.Errorf("after the source has gone its target got %+v", v)
	}
}

func TestRedirectToItself(t *testing.T) {
	w := newWorld(t)
	a := w.peer(3)
	a.on(options{Redirect: a.s.ID})
	a.get("k")
	a.set("1", "k")
	expect(t, a, "k")
	a.close()
}

func TestProtocolDecidesWhoHears(t *testing.T) {
	w := newWorld(t)
	a, b := w.peer(2), w.peer(3)
	a.on(options{})
	a.get("k")
	b.set("1", "k")
	expect(t, a, "")
	a.get("k")
	a.s.SetProto(3)
	b.set("2", "k")
	expect(t, a, "k")
}

// TestPushesFollowTheProtocol: a frame that was made in RESP3 must not come
// behind the reply to HELLO 2.
func TestPushesFollowTheProtocol(t *testing.T) {
	w := newWorld(t)
	a := w.peer(3)
	a.s.SetProto(2)
	if a.s.PushIn(3, []byte(">1\r\n:1\r\n")) || len(a.stream()) != 0 {
		t.Error("a push in RESP3 was queued for a client in RESP2")
	}
	if !a.s.PushIn(2, []byte("*1\r\n:1\r\n")) || len(a.stream()) != 1 {
		t.Error("a push in RESP2 was refused")
	}
}

func TestClosedClientsLeaveNothing(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		p := w.peer(3)
		switch i % 4 {
		case 3:
			p.on(options{BCast: true, Prefixes: []string{fmt.Sprint("p", i), "q"}})
		case 2:
			p.on(options{Redirect: 1})
		default:
			p.on(options{})
		}
		for k := range 100 {
			p.get(fmt.Sprint("k", k))
		}
		defer func() {
			for range 16 { // within two seconds, as the server calls it
				w.table.Sweep()
			}
			if s := w.table.Stats(); i == 0 && s.Clients+s.Keys+s.Items+s.Prefixes != 0 {
				t.Errorf("20 dead clients leave %+v", s)
			}
		}()
		defer p.close()
	}
	if s := w.table.Stats(); s.Keys != 100 || s.Items != 1500 {
		t.Errorf("%+v", s)
	}
	w.peer(3).set("1", "k1")
	if s := w.table.Stats(); s.Keys != 99 || s.Items != 1485 {
		t.Errorf("after one change %+v", s)
	}
}

func TestTableLimitInvalidatesWhatItForgets(t *testing.T) {
	w := newWorld(t)
	w.table.SetMaxKeys(10)
	a := w.peer(3)
	a.on(options{})
	held := map[string]bool{}
	note := func() {
		for _, k := range strings.Fields(a.pushes()) {
			if !held[k] {
				t.Errorf("told of %q", k)
			}
			delete(held, k)
		}
	}
	for i := range 1000 {
		k := fmt.Sprint("k", i)
		held[k] = true
		a.get(k)
		if s := w.table.Stats(); s.Keys > 10 {
			t.Fatalf("%d keys in the table", s.Keys)
		}
	}
	note()
	if len(held) != 10 {
		t.Errorf("the client holds %d keys", len(held))
	}
	w.table.SetMaxKeys(3)
	note()
	if s := w.table.Stats(); s.Keys != 3 || len(held) != 3 {
		t.Errorf("%d keys, the client holds %d", s.Keys, len(held))
	}
}

// TestManyPrefixesAndKeysCostLittle would take minutes if anything were
// quadratic.
func TestManyPrefixesAndKeysCostLittle(t *testing.T) {
	w := newWorld(t)
	a, b := w.peer(3), w.peer(3)
	var prefixes, keys []string
	for i := range 50000 {
		prefixes = append(prefixes, fmt.Sprintf("p%05d:", i))
		keys = append(keys, fmt.Sprintf("p00000:%d", i))
	}
	var took time.Duration
	for range 3 { // the machine may have stood still
		start := time.Now()
		a.on(options{BCast: true, Prefixes: prefixes})
		b.set("1", keys...)
		w.table.Off(a.s)
		took = time.Since(start)
		if n := len(strings.Split(a.pushes(), ",")); n != 50000 {
			t.Errorf("told of %d keys", n)
		}
		if took < 5*time.Second {
			return
		}
	}
	t.Errorf("took %v", took)
}
