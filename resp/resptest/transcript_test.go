package resptest_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nearcache/nearcache/resp/resptest"
)

var rewrite = flag.Bool("rewrite", false, "write the replies that the server gives into the transcripts")

// TestTranscripts runs every transcript against nearcache: in this process, or
// where NEARCACHE_ADDR names one that runs already.
func TestTranscripts(t *testing.T) {
	addr := os.Getenv("NEARCACHE_ADDR")
	if addr == "" {
		addr = resptest.Start(t, "--enable-debug-command", "yes").Addr()
	}
	runAll(t, resptest.Target{Addr: addr, Ours: true})
}

// TestTranscriptsOnRedis checks that the transcripts hold what real Redis says.
// It runs where NEARCACHE_REDIS names a Redis 8 (host:port) with
// --enable-debug-command local; the server is flushed.
func TestTranscriptsOnRedis(t *testing.T) {
	runAll(t, resptest.Target{Addr: redisAddr(t)})
}

// redisAddr returns the address of the real Redis to compare with.
func redisAddr(t *testing.T) string {
	addr := os.Getenv("NEARCACHE_REDIS")
	if addr == "" {
		t.Skip("NEARCACHE_REDIS names no real Redis to compare with")
	}
	return addr
}

func runAll(t *testing.T, target resptest.Target) {
	n := 0
	err := filepath.WalkDir("testdata", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".txt" {
			return err
		}
		n++
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(path), "testdata/"), ".txt")
		t.Run(name, func(t *testing.T) {
			tr, err := resptest.ReadTranscript(path)
			if err != nil {
				t.Fatal(err)
			}
			why, err := tr.Skip(target)
			if err != nil {
				t.Fatal(err)
			}
			if why != "" {
				t.Skip(why)
			}
			if !*rewrite {
				tr.Run(t, target)
				return
			}
			text, err := tr.Rewrite(target)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			if tr, err = resptest.ReadTranscript(path); err != nil {
				t.Fatal(err)
			}
			tr.Run(t, target)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatal("no transcripts in testdata")
	}
}
