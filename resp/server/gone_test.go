package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/resptest"
)

// TestWhatGoesByItselfIsToldAndNotFound: keys that expire or are evicted leave the
// indexes, and who has read them hears of it, as of a DEL.
func TestWhatGoesByItselfIsToldAndNotFound(t *testing.T) {
	t.Parallel()
	const n = 200
	for _, how := range []string{"expired unseen", "expired when looked at", "evicted"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := resptest.Start(t, "--enable-debug-command", "yes")
			w, reader, all := newTracker(t, s.Addr()), newTracker(t, s.Addr(), "NOLOOP"), newTracker(t, s.Addr(), "BCAST", "PREFIX", "d:")
			w.do("FT.CREATE", "ix", "PREFIX", 1, "d:", "SCHEMA", "g", "TAG", "v", "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", 2, "DISTANCE_METRIC", "L2")
			if how == "expired when looked at" {
				w.do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
			}
			var keys []string
			for i := range n {
				keys = append(keys, fmt.Sprint("d:", i))
				w.do("HSET", keys[i], "g", "a", "v", []float32{float32(i), 1})
				if how != "evicted" {
					w.do("PEXPIRE", keys[i], 500)
				}
			}
			all.told()
			read := map[string]bool{} // those that were still there
			for _, key := range keys {
				if len(reader.do("HGETALL", key).Elems) > 0 {
					read[key] = true
				}
			}
			if how == "evicted" {
				w.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", 1)
			}
			for who, tr := range map[string]*tracker{"a reader": reader, "a client of BCAST": all} {
				heard := map[string]bool{}
				missing := func() (l []string) {
					for key := range read {
						if !heard[key] {
							l = append(l, key)
						}
					}
					return l
				}
				for end := time.Now().Add(time.Minute); len(missing()) > 0 && time.Now().Before(end); {
					if how == "expired when looked at" {
						for _, key := range keys {
							w.do("EXISTS", key)
						}
					}
					for _, key := range strings.Fields(tr.told()) {
						heard[key] = true
					}
				}
				if l := missing(); len(l) > 0 {
					t.Errorf("%s is not told of %d of %d keys", who, len(l), len(read))
				}
			}
			for _, key := range keys { // those that the reader did not find were gone early
				w.do("EXISTS", key)
			}
			for _, query := range []string{"*", "@g:{a}", "*=>[KNN 10 @v $q]"} {
				v, _ := w.do("FT.SEARCH", "ix", query, "PARAMS", 2, "q", []float32{0, 0}, "NOCONTENT", "DIALECT", 2).Get("total_results")
				if v.Int != 0 || w.do("DBSIZE").Int != 0 {
					t.Errorf("%s finds %d documents, %d keys are left", query, v.Int, w.do("DBSIZE").Int)
				}
			}
		})
	}
}
