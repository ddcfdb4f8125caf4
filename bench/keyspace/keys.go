package keyspace

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// keysRow is what the keys of a kind take in a server.
type keysRow struct {
	Kind    string  `json:"kind"`
	Server  string  `json:"server"`
	Keys    int     `json:"keys"`
	Used    float64 `json:"used"`    // bytes a key, as the server says
	RSS     float64 `json:"rss"`     // the same of its process
	Usage   float64 `json:"usage"`   // the same as MEMORY USAGE says
	Process int64   `json:"process"` // RSS in all
	Says    int64   `json:"says"`    // used_memory in all
	Beside  int64   `json:"beside"`  // what it says it holds beside that, for the Go heap and in free pages
}

// memory is what a server says it uses, and what its process holds.
func memory(s *peer.Server) (used, rss int64) {
	used, _ = strconv.ParseInt(s.Info()["used_memory"], 10, 64)
	return used, s.RSS()
}

// pipelined is how many commands are sent at once.
const pipelined = 500

// fill sends n commands.
func fill(s *peer.Server, n int, add func(p *client.Pipeline, i int)) error {
	p := s.Ctl.Pipeline()
	for i := range n {
		add(p, i)
		if p.Len() < pipelined && i < n-1 {
			continue
		}
		var refused error
		err := p.Each(func(_ int, v client.Value) {
			if err := v.Err(); err != nil {
				refused = err
			}
		})
		if err == nil {
			err = refused
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// measure fills a server of its own with keys of a kind.
func (b *bench) measure(spec peer.Spec, kind string, n int, key func(i int) string, add func(p *client.Pipeline, i int)) (row keysRow, err error) {
	s, err := b.at.Open(b, spec)
	if err != nil {
		return row, err
	}
	defer s.Close()
	if _, err := s.Ctl.Do("FLUSHALL"); err != nil {
		return row, err
	}
	used0, rss0 := memory(s)
	if err := fill(s, n, add); err != nil {
		return row, err
	}
	used, rss := memory(s)
	row = keysRow{
		Kind: kind, Server: spec.Name, Keys: n, Says: used, Process: rss,
		Used: float64(used-used0) / float64(n), RSS: float64(rss-rss0) / float64(n),
	}
	const sampled = 20_000
	rnd := rand.New(rand.NewPCG(1, 2))
	sum := int64(0)
	for range sampled / pipelined {
		p := s.Ctl.Pipeline()
		for range pipelined {
			p.Add("MEMORY", "USAGE", key(rnd.IntN(n)), "SAMPLES", "0")
		}
		if err := p.Each(func(_ int, v client.Value) { sum += v.Int }); err != nil {
			return row, err
		}
	}
	row.Usage = float64(sum) / sampled
	info := s.Info()
	for _, name := range []string{"mem_go_held", "mem_slab_slack"} { // Redis has neither
		n, _ := strconv.ParseInt(info[name], 10, 64)
		row.Beside += n
	}
	fmt.Fprintf(b.progress, "%s: %s: %.1f bytes a key, process %.1f, MEMORY USAGE %.1f\n", spec.Name, kind, row.Used, row.RSS, row.Usage)
	return row, nil
}

func stringKey(i int) string { return fmt.Sprintf("key:%012d", i) }

func (b *bench) measureKeys(r *report) error {
	value := strings.Repeat("x", 64)
	for _, spec := range b.specs {
		row, err := b.measure(spec, "string of 64 bytes, key of 16, every second with a TTL", b.keys, stringKey, func(p *client.Pipeline, i int) {
			if i%2 == 0 {
				p.Add("SET", stringKey(i), value, "EX", strconv.Itoa(3600+i%86400))
			} else {
				p.Add("SET", stringKey(i), value)
			}
		})
		if err != nil {
			return err
		}
		r.Keys = append(r.Keys, row)
	}
	return nil
}

func hashKey(i int) string { return fmt.Sprintf("user:%011d", i) }

func (b *bench) measureHashes(r *report) error {
	for _, spec := range b.specs {
		row, err := b.measure(spec, "hash of 5 small fields, key of 16", b.hashes, hashKey, func(p *client.Pipeline, i int) {
			p.Add("HSET", hashKey(i), "name", fmt.Sprintf("user %d", i), "age", strconv.Itoa(18+i%60),
				"city", "Amsterdam", "score", strconv.Itoa(i*7919%1_000_000), "lang", "en")
		})
		if err != nil {
			return err
		}
		r.Keys = append(r.Keys, row)
	}
	return nil
}

func (r *report) writeKeys(w io.Writer) {
	if len(r.Keys) == 0 {
		return
	}
	fmt.Fprint(w, "\n## Bytes a key\n\n\"off by\" is how far used_memory, with mem_go_held and mem_slab_slack of INFO, is from what the process holds, the program's own 12 MB included; a ratio is to the last server of the kind.\n\n")
	fmt.Fprint(w, "| keys | server | used_memory | ratio | process | ratio | MEMORY USAGE | used_memory MB | beside MB | process MB | off by |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	last := map[string]keysRow{}
	for _, k := range r.Keys {
		last[k.Kind] = k
	}
	for _, k := range r.Keys {
		l := last[k.Kind]
		fmt.Fprintf(w, "| %d, %s | %s | %.1f | %s | %.1f | %s | %.1f | %d | %d | %d | %+.1f%% |\n", k.Keys, k.Kind, k.Server,
			k.Used, ratio(k.Used, l.Used), k.RSS, ratio(k.RSS, l.RSS), k.Usage, k.Says>>20, k.Beside>>20, k.Process>>20,
			100*(float64(k.Says+k.Beside)/float64(k.Process)-1))
	}
}
