package near

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Who shares the question of one that goes before it was sent asks itself.
func TestWhoSharesAQuestionIsNotCancelledWithIt(t *testing.T) {
	c := &Client{o: Options{Timeout: time.Minute}, local: newLocal(1 << 20), start: time.Now()}
	c.mux.ctx = t.Context()
	c.mux.mu.up = make(chan struct{}) // as between two connections
	asking := func() (cancel func(), ended chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		ended = make(chan error, 1)
		go func() {
			_, _, err := c.Get(ctx, "k")
			ended <- err
		}()
		return cancel, ended
	}
	until := func(what string, ok func(s Stats) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !ok(c.Stats()); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not within a minute: %s", what)
			}
		}
	}
	leave, first := asking()
	until("the first asks", func(s Stats) bool { return s.Misses == 1 })
	cancel, second := asking()
	until("the second waits for it", func(s Stats) bool { return s.Shared == 1 })
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	until("the second asks", func(s Stats) bool { return s.Misses == 2 })
	select {
	case err := <-second:
		t.Errorf("cancelled with the first: %v", err)
	default:
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
