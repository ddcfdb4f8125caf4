package peer

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCommandLineHoldsNoPathOfTheMachine(t *testing.T) {
	got := CommandLine("nearcache bench load", []string{"--redis", "/a/b/redis-server", "--out=/c/d", "--start", "x=/e/srv --port {port} --save ''", "--tests", "get"})
	want := `nearcache bench load --redis redis-server --out=d --start "x=srv --port {port} --save ''" --tests get`
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestOpenSaysWhatAServerThatDoesNotStartSaid(t *testing.T) {
	spec := Spec{Name: "x", Argv: []string{"sh", "-c", "echo address already in use; touch {dir}/said; exec sleep 100"}}
	ctx, cancel := context.WithCancel(t.Context())
	tmp := t.TempDir()
	go func() {
		defer cancel()
		for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			if said, _ := filepath.Glob(filepath.Join(tmp, "*", "said")); len(said) > 0 {
				return
			}
		}
	}()
	if p, err := Open(ctx, spec, t.TempDir(), tmp); err == nil || !strings.Contains(err.Error(), "address already in use") {
		if p != nil {
			p.Close()
		}
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Spec{Name: "y", Addr: "127.0.0.1:1"}, "", ""); err == nil {
		t.Fatal("a server that is not there was opened")
	}
}
