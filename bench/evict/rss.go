package evict

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/bench/plot"
	"github.com/nearcache/nearcache/resp/client"
)

// rssPoint is the memory at a moment.
type rssPoint struct {
	Second float64 `json:"second"`
	RSS    int64   `json:"rss"`  // of the process
	Used   int64   `json:"used"` // used_memory
	Slow   float64 `json:"slow"` // ms, the longest that a client has waited for a batch until then
}

// rssBound is what the process may take at a limit.
func rssBound(limit int64) int64 { return limit*115/100 + 64<<20 }

// watchRSS churns a server at its limit: values of all sizes and types are
// written, read, shortened and deleted, keys expire, sizes and key spaces change
// with time, so that what is free lies where nothing fits any more.
func (r *result) watchRSS(ctx context.Context, p *peer.Server, long time.Duration, limit int64, progress io.Writer) error {
	for _, kv := range [][2]string{{"maxmemory-policy", "allkeys-lhd"}, {"maxmemory", strconv.FormatInt(limit, 10)}} {
		if _, err := p.Ctl.Do("CONFIG", "SET", kv[0], kv[1]); err != nil {
			return err
		}
	}
	var create []any
	for _, word := range strings.Fields("FT.CREATE idx ON HASH PREFIX 1 h: SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM 64 DISTANCE_METRIC L2 t TAG") {
		create = append(create, word)
	}
	if _, err := p.Ctl.Do(create...); err != nil {
		fmt.Fprintf(progress, "without vectors: %v\n", err)
	}
	ch := newChurn(1)
	start := time.Now()
	next := start
	worst := 0.0
	for time.Since(start) < long && ctx.Err() == nil {
		began := time.Now()
		if err := ch.batch(p.Ctl, float64(time.Since(start))/float64(long)); err != nil {
			return err
		}
		worst = max(worst, time.Since(began).Seconds()*1000)
		if time.Now().Before(next) {
			continue
		}
		used, _ := strconv.ParseInt(p.Info()["used_memory"], 10, 64)
		x := rssPoint{time.Since(start).Seconds(), p.RSS(), used, worst}
		r.RSS = append(r.RSS, x)
		fmt.Fprintf(progress, "%6.1f s: rss %d MB, used %d MB, evicted %s\n", x.Second, x.RSS>>20, x.Used>>20, p.Info()["evicted_keys"])
		next = time.Now().Add(long / 200)
	}
	return ctx.Err()
}

// churn makes the commands.
type churn struct {
	r       *rand.Rand
	payload string
}

func newChurn(seed uint64) *churn {
	return &churn{rand.New(rand.NewPCG(seed, 2)), strings.Repeat("0123456789abcdef", 1<<16)}
}

// batch sends 200 commands; at says how far the run is, 0 to 1.
func (ch *churn) batch(c *client.Conn, at float64) error {
	r := ch.r
	pipe := c.Pipeline()
	// The sizes that are written drift: small, then large, then small again.
	mid := 40 + 4000*max(0, 1-4*(at-0.5)*(at-0.5)*4)
	for range 200 {
		key := strconv.Itoa(int(at*20)*500_000 + r.IntN(1_000_000))
		size := int(logNormal(r, mid, 1.2, 1, 1<<20))
		switch r.IntN(20) {
		case 0, 1:
			pipe.Add("GET", "s:"+key)
		case 2:
			pipe.Add("DEL", "s:"+strconv.Itoa(r.IntN(10_000_000)))
		case 3:
			pipe.Add("SET", "s:"+key, ch.payload[:size], "PX", strconv.Itoa(1+r.IntN(20_000)))
		case 4:
			pipe.Add("APPEND", "a:"+strconv.Itoa(r.IntN(1000)), ch.payload[:size%1000])
		case 5:
			pipe.Add("HSET", "h:"+key, "t", "x", "v", ch.payload[r.IntN(16):][:256])
		case 6:
			pipe.Add("HSET", "big:"+strconv.Itoa(r.IntN(100)), strconv.Itoa(r.IntN(100_000)), ch.payload[:size%500])
		case 7:
			pipe.Add("ZADD", "z:"+strconv.Itoa(r.IntN(1000)), strconv.Itoa(r.IntN(1000)), key)
		case 8:
			pipe.Add("SETRANGE", "a:"+strconv.Itoa(r.IntN(1000)), strconv.Itoa(size%10_000), "x")
		case 9:
			pipe.Add("DEL", "a:"+strconv.Itoa(r.IntN(1000)))
		default:
			pipe.Add("SET", "s:"+key, ch.payload[:size])
		}
	}
	var refused error
	if err := pipe.Each(func(_ int, v client.Value) {
		if e := v.Err(); e != nil && refused == nil {
			refused = e
		}
	}); err != nil {
		return err
	}
	return refused
}

func (r *result) worst() (x rssPoint) {
	for _, p := range r.RSS {
		if p.RSS > x.RSS {
			x = p
		}
	}
	return x
}

func (r *result) rssTable(b *strings.Builder) {
	w, last := r.worst(), r.RSS[len(r.RSS)-1]
	fmt.Fprintf(b, "maxmemory %d MB under churn for %.0f s: the process took at most %d MB (after %.0f s), allowed are %d; at the end %d MB, used_memory %d MB. The longest that a batch of 200 commands took was %.1f ms.\n\n",
		r.Limit>>20, last.Second, w.RSS>>20, w.Second, rssBound(r.Limit)>>20, last.RSS>>20, last.Used>>20, last.Slow)
}

func (r *result) rssPlot(subtitle string) []byte {
	rss, used := plot.Line{Name: "RSS, MB"}, plot.Line{Name: "used_memory, MB"}
	allowed, limit := plot.Line{Name: "allowed: 1.15 x maxmemory + 64 MB"}, plot.Line{Name: "maxmemory"}
	for _, x := range r.RSS {
		for l, v := range map[*plot.Line]int64{&rss: x.RSS, &used: x.Used, &allowed: rssBound(r.Limit), &limit: r.Limit} {
			l.X, l.Y = append(l.X, x.Second), append(l.Y, float64(v)/(1<<20))
		}
	}
	return plot.Lines(plot.Graph{Title: "memory under churn at maxmemory", Subtitle: subtitle, XLabel: "seconds", YLabel: "MB", Lines: []plot.Line{rss, used, allowed, limit}})
}
