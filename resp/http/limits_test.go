package http_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestMoreRequestsThanThereMayBe(t *testing.T) {
	w := newWorld(t, "--maxclients", "2")
	open := make(chan struct{})
	w.model.set(func(http.ResponseWriter, *http.Request, modelRequest) bool { <-open; return false })
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { w.from("miss", chatBody(fmt.Sprint("number ", i*7919), "")) })
	}
	eventually(t, "both have asked", func() bool { return w.model.calls.Load() == 2 })
	a := w.ask("POST", chatPath, chatBody("one more", ""))
	if a.want(t, http.StatusTooManyRequests, nil); a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "rate_limit_exceeded") {
		t.Errorf("%v %s", a.header, a.body)
	}
	var p struct{ Type string }
	w.ask("POST", "/v1/caches/c/entries/search", `{"prompt":"p"}`).want(t, http.StatusTooManyRequests, &p)
	if p.Type != "/errors/too-many-requests" {
		t.Errorf("%+v", p)
	}
	w.ask("GET", "/health", "").want(t, 200, nil)
	close(open)
	wg.Wait()
	w.ask("POST", "/v1/caches/c/entries/search", `{"prompt":"p"}`).want(t, 200, nil)
}

// TestTheEndWaitsForAnswers: a request that is under way when the server ends gets its answer.
func TestTheEndWaitsForAnswers(t *testing.T) {
	w := newWorld(t)
	open := make(chan struct{})
	w.model.set(func(http.ResponseWriter, *http.Request, modelRequest) bool { <-open; return false })
	var wg sync.WaitGroup
	wg.Go(func() { w.from("miss", chatBody("last words", "")) })
	eventually(t, "it has asked", func() bool { return w.model.calls.Load() == 1 })
	w.stop()
	eventually(t, "nobody comes in any more", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(open)
	wg.Wait()
}

// TestNobodyWaitsForCallsOfTools: they are not kept, so whoever asks the same asks himself, at once.
func TestNobodyWaitsForCallsOfTools(t *testing.T) {
	w := newWorld(t)
	open := make(chan struct{})
	w.model.set(func(http.ResponseWriter, *http.Request, modelRequest) bool { <-open; return false })
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			w.from("miss", chatBody("the time", `,"tools":[{"type":"function","function":{"name":"clock"}}]`))
		})
	}
	eventually(t, "all have asked", func() bool { return w.model.calls.Load() == 3 })
	close(open)
	wg.Wait()
}

// TestNothingLeaksInRandomOperations of users with scopes of their own, and attributes.
func TestNothingLeaksInRandomOperations(t *testing.T) {
	w := newWorld(t, "--http-keys", "ann:k0", "bob:k1", "tom:k2:team=red", "eva:k3:team=red")
	team := []string{"0", "1", "2", "2"} // who shares with whom
	r := rand.New(rand.NewPCG(1, 7))
	cache := func() string { return fmt.Sprint("c", r.IntN(2)) }
	for range 1500 {
		k := r.IntN(4)
		key := []string{"Authorization", fmt.Sprint("Bearer k", k)}
		prompt := fmt.Sprintf("question number %d about %s", r.IntN(4), []string{"cats", "dogs"}[r.IntN(2)])
		attributes := fmt.Sprintf(`{"a":"%d"}`, r.IntN(3))
		switch c := cache(); r.IntN(12) {
		case 0:
			w.ask("POST", "/v1/caches/"+c+"/flush", "", key...)
		case 1:
			w.ask("DELETE", "/v1/caches/"+c+"/entries", `{"attributes":`+attributes+`}`, key...)
		case 2, 3, 4, 5:
			w.set(c, fmt.Sprintf(`{"prompt":%q,"response":"%s %s %s","attributes":%s}`, prompt, c, team[k], strings.Trim(attributes, `{}"`)[4:], attributes), key...)
		default:
			body := fmt.Sprintf(`{"prompt":%q,"maxResults":20,"similarityThreshold":0.5`, prompt)
			filtered := r.IntN(2) == 0
			if filtered {
				body += `,"attributes":` + attributes
			}
			for _, e := range w.search(c, body+"}", key...) {
				f := strings.Fields(e.Response)
				if f[0] != c || f[1] != team[k] || f[2] != e.Attributes["a"] || filtered && !strings.Contains(attributes, `"`+f[2]+`"`) {
					t.Fatalf("k%d asked %s for %s %s and got %+v", k, c, prompt, body, e)
				}
			}
		}
	}
}
