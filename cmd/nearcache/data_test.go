package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/vfs"
)

// TestBackupAndCheck copies the folder of a running server, starts one on the copy, damages it, is refused,
// repairs it and starts again.
func TestBackupAndCheck(t *testing.T) {
	dir, copied := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	cmd, addr := serve(t, "--dir", dir)
	c, err := client.Dial(context.Background(), addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do := func(args ...any) string {
		t.Helper()
		v, err := c.Do(args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return v.String()
	}
	for i := range 2000 {
		do("SET", fmt.Sprint("k", i), strings.Repeat(fmt.Sprint(i), 50))
	}
	do("FT.CREATE", "ix", "SCHEMA", "v", "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", 2, "DISTANCE_METRIC", "L2")
	do("HSET", "doc", "v", "12345678")
	do("SAVE")
	do("SET", "after", "the snapshot")
	var out strings.Builder
	nearcache := func(args ...string) error {
		out.Reset()
		return run(args, &out)
	}
	if err := nearcache("backup", "-addr", addr, copied); err != nil {
		t.Fatal(err, out.String())
	}
	if err := nearcache("backup", "-addr", addr, copied); err == nil {
		t.Fatal("a folder is overwritten")
	}
	do("CONFIG", "SET", "min-replicas-to-write", "1") // one that takes no writes has a snapshot taken
	if err := nearcache("backup", "-addr", addr, copied+"-2"); err != nil {
		t.Fatal(err, out.String())
	}
	if err := nearcache("check", copied+"-2"); err != nil || !strings.Contains(out.String(), "nothing is damaged") {
		t.Fatal(err, out.String())
	}
	if err := nearcache("check", dir); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Fatalf("a folder in use is checked: %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := nearcache("check", copied); err != nil || !strings.Contains(out.String(), "nothing is damaged") {
		t.Fatal(err, out.String())
	}
	second, addr := serve(t, "--dir", copied)
	if c, err = client.Dial(context.Background(), addr, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if n := do("DBSIZE"); n != "2002" {
		t.Fatalf("the copy has %s keys", n)
	}
	if graphs, err := filepath.Glob(filepath.Join(copied, "nearcache-graph-*")); err != nil || len(graphs) != 2 {
		t.Errorf("graphs of the copy: %v", graphs)
	}
	_ = c.Close()
	_ = second.Process.Kill()
	_ = second.Wait()

	bases, err := filepath.Glob(filepath.Join(copied, "*.base"))
	if err != nil || len(bases) == 0 {
		t.Fatal(bases, err)
	}
	b, err := os.ReadFile(bases[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(bases[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	err = run([]string{"--dir", copied, "--port", "0", "--bind", "127.0.0.1"}, &out)
	if err == nil || !strings.Contains(err.Error(), bases[0]+" is damaged at offset ") || !strings.Contains(err.Error(), "nearcache check") {
		t.Fatalf("refused with %v", err)
	}
	if err := nearcache("check", copied); err == nil || !strings.Contains(out.String(), bases[0]+" is damaged") {
		t.Fatal(err, out.String())
	}
	if err := nearcache("check", copied, "--repair"); err != nil {
		t.Fatal(err, out.String())
	}
	if err := nearcache("check", copied); err != nil {
		t.Fatal(err, out.String())
	}
	var last []byte // says that nobody is to go on from there in a stream
	log, _, err := persist.Open(vfs.OS, copied, persist.Options{}, func(r persist.Record) error {
		last = append(last[:0], bytes.Join(r.Commands[len(r.Commands)-1].Args, []byte(" "))...)
		return nil
	})
	if err != nil || string(last) != "PLACE" {
		t.Fatalf("%q %v", last, err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	third, addr := serve(t, "--dir", copied)
	if c, err = client.Dial(context.Background(), addr, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := do("GET", "after"); got != `"the snapshot"` && got != "the snapshot" {
		t.Errorf("after the repair: %s", got)
	}
	_ = third.Process.Kill()
}
