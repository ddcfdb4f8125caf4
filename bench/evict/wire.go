package evict

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// wireRow is a figure of a real server.
type wireRow struct {
	Trace     string  `json:"trace"`
	Server    string  `json:"server"`
	Version   string  `json:"version"`
	Policy    string  `json:"policy"`
	Hits      float64 `json:"hits"`
	Keys      int64   `json:"keys"`      // in the server at the end
	Simulated float64 `json:"simulated"` // hits of the simulation with as many keys
	Rate      float64 `json:"rate"`      // requests a second
}

// wireTraces are sent to servers, and wirePolicies are what each is set to.
var wireTraces = []string{"zipf", "zipf + scans", "drift", "news"}

func wirePolicies(own bool) []string {
	if own {
		return []string{"allkeys-lru", "allkeys-lfu", "allkeys-lhd"}
	}
	return []string{"allkeys-lru", "allkeys-lfu"}
}

// wireValue is the size of the values that are stored, in bytes.
const wireValue = 200

// batch is how many requests travel together: a client that waits for each reply
// would take an hour. What is asked for twice in a batch is missed twice.
const batch = 16

// servers measures real servers: hit ratios over the wire, and memory under churn.
func (r *result) servers(ctx context.Context, specs *peer.Specs, root string, m maker, which string, requests int, churn time.Duration, limit int64, progress io.Writer) error {
	list, err := specs.List()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "nearcache-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	r.Limit = limit
	if churn > 0 {
		p, err := peer.Open(ctx, list[0], root, tmp)
		if err != nil {
			return err
		}
		defer p.Close()
		return r.watchRSS(ctx, p, churn, limit, progress)
	}
	m.n = requests
	r.Requests = requests
	for _, x := range traces {
		if !slices.Contains(wireTraces, x.name) || !named(which, x.name) {
			continue
		}
		t, err := x.make(m)
		if err != nil {
			return err
		}
		t.Name = x.name
		for _, spec := range list {
			for _, policy := range wirePolicies(spec.Own) {
				p, err := peer.Open(ctx, spec, root, tmp)
				if err != nil {
					return err
				}
				w, err := replay(ctx, p, t, policy, limit)
				p.Close()
				if err != nil {
					return fmt.Errorf("%s, %s: %w", spec.Name, policy, err)
				}
				w.Simulated = r.simulated(t, spec.Own, policy, w.Keys)
				r.Wire = append(r.Wire, w)
				fmt.Fprintf(progress, "%s, %s %s: %.1f%%\n", t.Name, spec.Name, policy, 100*w.Hits)
			}
		}
	}
	return nil
}

// simulated is what the simulation says of a policy with as many keys.
func (r *result) simulated(t *Trace, own bool, policy string, keys int64) float64 {
	mk := redisPolicy(policy == "allkeys-lfu")
	if own {
		mk = ourPolicy(policy, 5, false)
	}
	return measure(t, mk(t, keys)).Hits
}

// replay sends a trace: GET, and SET where the key is not there.
func replay(ctx context.Context, p *peer.Server, t *Trace, policy string, limit int64) (w wireRow, err error) {
	for _, kv := range [][2]string{{"maxmemory-policy", policy}, {"maxmemory", strconv.FormatInt(limit, 10)}} {
		if _, err := p.Ctl.Do("CONFIG", "SET", kv[0], kv[1]); err != nil {
			return w, err
		}
	}
	value := strings.Repeat("v", wireValue)
	hits := 0
	start := time.Now()
	pipe := p.Ctl.Pipeline()
	for i := 0; i < len(t.IDs) && ctx.Err() == nil; i += batch {
		ids := t.IDs[i:min(i+batch, len(t.IDs))]
		for _, id := range ids {
			pipe.Add("GET", keyOf(id))
		}
		var missed []uint32
		if err := pipe.Each(func(k int, v client.Value) {
			switch {
			case v.IsNull():
				missed = append(missed, ids[k])
			case i+k >= t.warm():
				hits++
			}
		}); err != nil {
			return w, err
		}
		for _, id := range missed {
			pipe.Add("SET", keyOf(id), value)
		}
		var refused error
		if err := pipe.Each(func(_ int, v client.Value) { refused = errors.Join(refused, v.Err()) }); err != nil || refused != nil {
			return w, errors.Join(err, refused)
		}
	}
	if err := ctx.Err(); err != nil {
		return w, err
	}
	size, err := p.Ctl.Do("DBSIZE")
	if err != nil {
		return w, err
	}
	if n := p.Info()["evicted_keys"]; n == "0" || n == "" {
		return w, errors.New("nothing was evicted: the trace fits into maxmemory")
	}
	return wireRow{
		Trace: t.Name, Server: p.Name, Version: p.Version, Policy: policy,
		Hits: float64(hits) / float64(len(t.IDs)-t.warm()), Keys: size.Int,
		Rate: float64(len(t.IDs)) / time.Since(start).Seconds(),
	}, nil
}

func keyOf(id uint32) string { return fmt.Sprintf("key:%012d", id) }

func (r *result) wireTable(b *strings.Builder) {
	fmt.Fprintf(b, "Over the wire, maxmemory %d MB, values of %d bytes, %d requests. The simulation holds as many keys as the server did at the end.\n\n", r.Limit>>20, wireValue, r.Requests)
	b.WriteString("| trace | server | policy | found, % | simulated, % | keys held | requests/s |\n|---|---|---|--:|--:|--:|--:|\n")
	for _, w := range r.Wire {
		fmt.Fprintf(b, "| %s | %s %s | %s | %.1f | %.1f | %d | %.0f |\n", w.Trace, w.Server, w.Version, w.Policy, 100*w.Hits, 100*w.Simulated, w.Keys, w.Rate)
	}
	b.WriteString("\n")
}
