package server

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
)

// angle is a unit vector, by degrees.
func angle(degrees float64) []float32 {
	return []float32{float32(math.Cos(degrees * math.Pi / 180)), float32(math.Sin(degrees * math.Pi / 180))}
}

// semStatus is how a SEM.GET has ended, with the answer of a hit.
func semStatus(t testing.TB, c *client.Conn, args ...any) string {
	t.Helper()
	v := do(t, c, append([]any{"SEM.GET"}, args...)...)
	st, _ := v.Get("status")
	if a, ok := v.Get("answer"); ok {
		return st.Str + " " + a.Str
	}
	return st.Str
}

// TestSemanticCacheOutlivesTheServer fills namespaces and compares what they answer
// after a restart, and after the log was made anew.
func TestSemanticCacheOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, nil, "--dir", dir)
	c := dial(t, s, client.Options{})
	do(t, c, "SEM.CREATE", "shop", "DIM", 2, "GUARD", "STRICT", "MAXWRONG", 0.3, "REQUIRE", 1, "tenant", "PX", 1000000)
	do(t, c, "SEM.CREATE", "gone", "DIM", 2)
	do(t, c, "SEM.SET", "gone", "p", "a", "VEC", angle(0))
	do(t, c, "SEM.DROP", "gone")
	set := func(prompt, answer string, degrees float64, more ...any) string {
		t.Helper()
		return do(t, c, append([]any{"SEM.SET", "shop", prompt, answer, "VEC", angle(degrees), "SCOPE", 1, "tenant", "acme"}, more...)...).Str
	}
	set("Is it open on Sundays?", "No.", 0)
	set("Do you sell apples?", "Yes.", 90, "TAGS", 1, "fruit", "DEPS", 1, "stock:apples")
	set("Do you sell pears?", "Yes.", 180, "DEPS", 1, "stock:pears")
	bad := set("Who are you?", "Bob.", 270)
	do(t, c, "SEM.FEEDBACK", "shop", bad, "BAD", "QUERY", "who are you then?")
	do(t, c, "SET", "stock:pears", 0)
	// A base has keys in any order: an entry may come before what it depends on.
	do(t, c, "SEM.CREATE", "depending", "DIM", 2)
	for i := range 20 {
		do(t, c, "SET", fmt.Sprint("of:", i), i)
		do(t, c, "SEM.SET", "depending", fmt.Sprint("What is ", i), "That.", "VEC", angle(float64(10*i)), "DEPS", 1, fmt.Sprint("of:", i))
	}
	look := func(c *client.Conn) string {
		var l []string
		for _, q := range []struct {
			prompt  string
			degrees float64
		}{
			{"is it open on sundays?", 0},
			{"is it open on a Sunday", 1},
			{"Do you sell some apples?", 91},
			{"Do you sell pears?", 180},
			{"who are you then?", 270},
		} {
			l = append(l, semStatus(t, c, "shop", q.prompt, "VEC", angle(q.degrees), "SCOPE", 1, "tenant", "acme"))
			l = append(l, semStatus(t, c, "shop", q.prompt, "VEC", angle(q.degrees), "SCOPE", 1, "tenant", "other"))
		}
		there := 0
		for i := range 20 {
			if semStatus(t, c, "depending", fmt.Sprint("What is ", i), "MODE", "EXACT") == "exact That." {
				there++
			}
		}
		info := do(t, c, "SEM.INFO", "shop")
		bias, _ := do(t, c, "SEM.STATS", "shop").Get("bias")
		return fmt.Sprintf("%q %d %v %v %v", l, there, info, bias, do(t, c, "SEM.LIST"))
	}
	figures := func(c *client.Conn) string {
		var l []string
		for _, ns := range []string{"shop", "depending"} {
			stats := do(t, c, "SEM.STATS", ns)
			for _, name := range []string{"hits_exact", "hits_semantic", "misses", "sets", "feedback_bad", "hit_rate"} {
				v, _ := stats.Get(name)
				l = append(l, name+" "+v.String())
			}
		}
		return strings.Join(l, ", ")
	}
	want := look(c)
	had := figures(c)
	if !strings.HasPrefix(want, `["exact No." "miss" "semantic No." "miss" "semantic Yes." "miss" "miss" "miss" "miss" "miss"] 20 `) {
		t.Fatal(want)
	}
	stop()

	s, stop = start(t, nil, "--dir", dir)
	c = dial(t, s, client.Options{})
	if got := figures(c); got != had {
		t.Errorf("after a restart %s\nwas %s", got, had)
	}
	if got := look(c); got != want {
		t.Errorf("after a restart:\n%s\nwas\n%s", got, want)
	}
	do(t, c, "BGREWRITEAOF")
	awaitField(t, c, "persistence", "aof_rewrite_in_progress", "0")
	had = figures(c)
	stop()
	s, _ = start(t, nil, "--dir", dir)
	c = dial(t, s, client.Options{})
	if got := figures(c); got != had {
		t.Errorf("from a log made anew %s\nwas %s", got, had)
	}
	if got := look(c); got != want {
		t.Errorf("from a log made anew:\n%s\nwas\n%s", got, want)
	}
	// What entries depend on is known again.
	do(t, c, "DEL", "stock:pears")
	do(t, c, "SET", "stock:apples", 0)
	if got := semStatus(t, c, "shop", "Do you sell apples?", "SCOPE", 1, "tenant", "acme", "MODE", "EXACT"); got != "miss" {
		t.Error(got)
	}
	do(t, c, "FLUSHALL")
	if got := do(t, c, "SEM.LIST"); len(got.Elems) != 0 {
		t.Errorf("after FLUSHALL: %v", got)
	}
}

// dialTracking connects a client that tracks; the keys that it is told of are added to told while it reads.
func dialTracking(t *testing.T, s *Server, told *[]string) *client.Conn {
	t.Helper()
	c := dial(t, s, client.Options{OnPush: func(v client.Value) {
		for _, k := range v.Elems[1].Elems {
			*told = append(*told, k.Str)
		}
	}})
	do(t, c, "CLIENT", "TRACKING", "ON")
	return c
}

// TestSemanticAnswersAreTracked: a client that keeps an answer hears when it dies, and
// when one comes that is nearer.
func TestSemanticAnswersAreTracked(t *testing.T) {
	now := atomic.Int64{}
	now.Store(1_700_000_000_000)
	s, _ := startAt(t, now.Load, nil, "--appendonly", "no", "--dir", t.TempDir())
	var told []string
	near := dialTracking(t, s, &told)
	w := dial(t, s, client.Options{})
	do(t, w, "SEM.CREATE", "ns", "DIM", 2, "MAXWRONG", 0.5)
	put := func(prompt string, degrees float64, more ...any) string {
		t.Helper()
		return "sem:{ns}:" + do(t, w, append([]any{"SEM.SET", "ns", prompt, "answer to " + prompt, "VEC", angle(degrees)}, more...)...).Str
	}
	heard := func(want ...string) {
		t.Helper()
		do(t, near, "PING")
		if got := strings.Join(told, " "); got != strings.Join(want, " ") {
			t.Errorf("told of %s, want %s", got, want)
		}
		told = nil
	}
	const prompt = "How do I reset my password"
	ask := func(track ...any) {
		t.Helper()
		if got := semStatus(t, near, append([]any{"ns", "how do i reset the password", "VEC", angle(0)}, track...)...); !strings.HasPrefix(got, "semantic answer to "+prompt) {
			t.Fatal(got)
		}
	}
	a := put(prompt, 20, "PX", 1000, "DEPS", 1, "doc")
	ask()
	put(prompt, 20)
	heard() // it has not asked to hear

	for _, kill := range []func(){
		func() { do(t, w, "SEM.DEL", "ns", strings.TrimPrefix(a, "sem:{ns}:")) },
		func() { do(t, w, "SET", "doc", "new") },
		func() { do(t, w, "SEM.INVALIDATE", "ns", "NEAR", "password", "MINSIM", 0.9, "VEC", angle(20)) },
		func() { put(prompt, 20) },
		func() { do(t, w, "EXPIRE", a, 500) },
		func() { do(t, w, "SEM.FEEDBACK", "ns", strings.TrimPrefix(a, "sem:{ns}:"), "BAD") },
		func() { now.Add(2000); do(t, w, "EXISTS", a) },
	} {
		put(prompt, 20, "PX", 1000, "DEPS", 1, "doc")
		ask("TRACK")
		heard()
		kill()
		heard(a)
	}

	// Others come: farther, of another scope, of another meaning that is not near, and nearer.
	put(prompt, 20)
	ask("TRACK")
	put("How do I change my password", 30)
	put("How do I reset my passwords", 10, "SCOPE", 1, "tenant", "acme")
	put("What is the weather?", 90)
	heard()
	b := put("How do I reset the passwords", 10)
	heard(a)
	if got := semStatus(t, near, "ns", "how do i reset the password", "VEC", angle(0), "TRACK"); got != "semantic answer to How do I reset the passwords" {
		t.Error(got)
	}
	do(t, w, "DEL", a)
	heard()
	do(t, w, "UNLINK", b)
	heard(b)
	put("something", 200)
	if got := semStatus(t, near, "ns", "Something", "TRACK"); got != "exact answer to something" {
		t.Error(got)
	}
	c := put("something", 201)
	heard(c)
	do(t, w, "SEM.DROP", "ns")
}

// TestCopiesHearOfWhatIsLearned: a client that keeps an answer hears when the namespace has become too careful to serve it, by
// feedback about another answer, or since other misses were given other answers than the nearest ones.
func TestCopiesHearOfWhatIsLearned(t *testing.T) {
	for name, learn := range map[string]func(w *client.Conn, i int){
		"feedback": func(w *client.Conn, _ int) {
			id := do(t, w, "SEM.SET", "ns", "Where is it?", "Here.", "VEC", angle(270)).Str
			do(t, w, "SEM.FEEDBACK", "ns", id, "BAD")
		},
		"misses": func(w *client.Conn, i int) {
			elsewhere := func(cmd, prompt string, degrees float64, args ...any) client.Value {
				return do(t, w, append([]any{cmd, "ns", prompt}, append(args, "VEC", angle(degrees), "SCOPE", 1, "tenant", "acme")...)...)
			}
			for j, answer := range []string{"At ten.", "No.", "No."} {
				elsewhere("SEM.SET", fmt.Sprint("Is it open on day ", j), float64(j), answer)
			}
			prompt := "Is it open on the day" + strings.Repeat("?", i)
			elsewhere("SEM.GET", prompt, 2, "MAXWRONG", "1e-9")
			do(t, w, "SEM.DEL", "ns", elsewhere("SEM.SET", prompt, 2, "Yes.").Str)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := start(t, nil, "--appendonly", "no", "--dir", t.TempDir())
			var told []string
			near := dialTracking(t, s, &told)
			w := dial(t, s, client.Options{})
			do(t, w, "SEM.CREATE", "ns", "DIM", 2, "MAXWRONG", 0.2)
			id := do(t, w, "SEM.SET", "ns", "Do you sell apples?", "Yes.", "VEC", angle(0)).Str
			like := []any{"ns", "do you sell some apples?", "VEC", angle(1)}
			const served = "semantic Yes."
			if got := semStatus(t, near, append(like, "TRACK")...); got != served {
				t.Fatal(got)
			}
			for i := range 200 {
				learn(w, i)
				got := semStatus(t, w, like...)
				do(t, near, "PING")
				if (got == served) != (len(told) == 0) {
					t.Fatalf("after %d: %s, told of %q", i+1, got, told)
				}
				if got != served {
					if len(told) != 1 || told[0] != "sem:{ns}:"+id || i == 0 {
						t.Errorf("after %d: told of %q", i+1, told)
					}
					return
				}
			}
			t.Error("it is served still")
		})
	}
}

// TestStampedeOverTheWire: of many clients that miss at once one computes, and when it
// crashes another.
func TestStampedeOverTheWire(t *testing.T) {
	s, _ := start(t, nil, "--appendonly", "no", "--dir", t.TempDir())
	w := dial(t, s, client.Options{})
	do(t, w, "SEM.CREATE", "ns", "DIM", 2)
	ask := func(c *client.Conn, i int) (token, answer string) {
		words := []string{"what is the tallest mountain of the moon", "What is the tallest mountain of the Moon?", "what's the tallest mountain of the moon"}
		v, err := c.Do("SEM.GET", "ns", words[i%len(words)], "VEC", angle(float64(i%len(words))), "LEASE", 60000, "WAIT", 60000)
		if err != nil {
			t.Error(err)
		}
		tok, _ := v.Get("token")
		a, _ := v.Get("answer")
		return tok.Str, a.Str
	}
	holder := dial(t, s, client.Options{})
	if token, _ := ask(holder, 0); token == "" {
		t.Fatal("no lease")
	}
	const clients = 60
	var upstream, served atomic.Int64
	var wg sync.WaitGroup
	for i := range clients {
		c := dial(t, s, client.Options{Proto: 2 + i%2})
		wg.Go(func() {
			token, answer := ask(c, i)
			switch {
			case token != "":
				upstream.Add(1)
				if _, err := c.Do("SEM.SET", "ns", "what is the tallest mountain of the moon", "Mons Huygens", "VEC", angle(0), "LEASE", token); err != nil {
					t.Error(err)
				}
			case answer == "Mons Huygens":
				served.Add(1)
			default:
				t.Errorf("client %d: neither lease nor answer", i)
			}
		})
	}
	_ = holder.Close()
	wg.Wait()
	if upstream.Load() != 1 || served.Load() != clients-1 {
		t.Errorf("%d computed it, %d were served", upstream.Load(), served.Load())
	}
	// Whoever waits hears of the end of the server, and of CLIENT KILL.
	if token, _ := ask(w, 99999); token != "" {
		t.Error("stored, and leased")
	}
	do(t, w, "SEM.GET", "ns", "another", "VEC", angle(90), "LEASE", 60000)
	c := dial(t, s, client.Options{})
	id := do(t, c, "CLIENT", "ID").Int
	ended := make(chan error)
	go func() {
		_, err := c.Do("SEM.GET", "ns", "another", "VEC", angle(90), "LEASE", 60000, "WAIT", 60000)
		ended <- err
	}()
	do(t, w, "CLIENT", "KILL", "ID", id)
	if err := <-ended; err == nil {
		t.Error("a client that was killed got a reply")
	}
}

// TestOptionsThatComeTwice: of a scope, of tags and of keys nothing is lost, or entries would be served where they
// must not, or stay when they should go.
func TestOptionsThatComeTwice(t *testing.T) {
	s, _ := start(t, nil, "--dir", t.TempDir())
	c := dial(t, s, client.Options{})
	for _, name := range []string{"a=b", strings.Repeat("x", 2000)} {
		if _, err := c.Do("SEM.CREATE", "no", "DIM", 2, "REQUIRE", 1, name); err == nil {
			t.Errorf("a scope with %.9q is required, which none can have", name)
		}
	}
	do(t, c, "SEM.CREATE", "twice", "DIM", 2)
	set := func() {
		t.Helper()
		do(t, c, "SEM.SET", "twice", "What is it?", "it", "VEC", angle(0), "SCOPE", 1, "tenant", "a", "TAGS", 1, "t1", "DEPS", 1, "k1",
			"TAGS", 1, "t2", "DEPS", 1, "k2", "SCOPE", 1, "user", "b")
	}
	set()
	for _, x := range []struct {
		want string
		args []any
	}{
		{"exact it", []any{"SCOPE", 2, "tenant", "a", "user", "b"}},
		{"exact it", []any{"SCOPE", 1, "user", "b", "MODE", "BOTH", "SCOPE", 1, "tenant", "a"}},
		{"miss", []any{"SCOPE", 1, "user", "b"}},
		{"miss", []any{"SCOPE", 1, "tenant", "x", "SCOPE", 1, "user", "b"}},
	} {
		if got := semStatus(t, c, append([]any{"twice", "What is it?", "VEC", angle(0)}, x.args...)...); got != x.want {
			t.Errorf("%v: %s", x.args, got)
		}
	}
	for _, remove := range [][]any{
		{"SEM.INVALIDATE", "twice", "TAG", "t1"},
		{"SEM.INVALIDATE", "twice", "TAG", "t2"},
		{"SET", "k1", "v"},
		{"SET", "k2", "v"},
	} {
		set()
		do(t, c, remove...)
		if got := semStatus(t, c, "twice", "What is it?", "MODE", "EXACT", "SCOPE", 2, "tenant", "a", "user", "b"); got != "miss" {
			t.Errorf("%v: %s", remove, got)
		}
	}
}
