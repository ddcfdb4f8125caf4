package peer

import (
	"context"
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
	spec := Spec{Name: "x", Argv: []string{"sh", "-c", "echo address already in use; exec sleep 10"}}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if p, err := Open(ctx, spec, t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		if p != nil {
			p.Close()
		}
		t.Fatal(err)
	}
	if _, err := Open(ctx, Spec{Name: "y", Addr: "127.0.0.1:1"}, "", ""); err == nil {
		t.Fatal("a server that is not there was opened")
	}
}
