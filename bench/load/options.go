package load

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
)

type options struct {
	peers       []peer.Spec
	tests       []*workload
	pipelines   []int
	valueSizes  []*sizes
	connections int
	searchConns int
	threads     int
	clientCPUs  []int
	rounds      int
	duration    time.Duration
	warmup      time.Duration
	keys        int
	dist        keyDist
	resp        int
	tracking    string // off, default or bcast
	rate        float64
	poisson     bool
	at          float64
	seed        uint64
	name        string
	out         string
	plainNet    bool
}

// stall is how long a server may be silent before the run is given up.
const stall = 10 * time.Second

// trackings are the modes of client-side caching: what CLIENT TRACKING is told.
var trackings = map[string][]any{
	"off":     nil,
	"default": {"CLIENT", "TRACKING", "ON"},
	"bcast":   {"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "key:"},
}

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	var specs peer.Specs
	fs := flag.NewFlagSet("bench load", flag.ContinueOnError)
	fs.SetOutput(stderr)
	specs.Flags(fs)
	tests := fs.String("tests", "get,set", "comma-separated: "+testNames()+", or mixes like get:8+set:1+expire:1")
	pipelines := fs.String("pipeline", "1,16,64", "commands in flight on a connection, comma-separated")
	values := fs.String("value-size", "64", "bytes of a value, comma-separated: N, N-M or lognormal:MEDIAN:SIGMA")
	fs.IntVar(&o.connections, "connections", 50, "connections")
	fs.IntVar(&o.searchConns, "search-connections", 4, "connections of the search tests, which run without pipelining")
	fs.IntVar(&o.threads, "threads", 1, "threads of the generator")
	cpus := fs.String("client-cpu", "", "bind the generator's threads to these `cores`, one each in turn; default all")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds; in each every peer is measured once")
	fs.DurationVar(&o.duration, "duration", 3*time.Second, "one measurement")
	fs.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "load before each measurement that is not counted")
	fs.IntVar(&o.keys, "keys", 100_000, "keys")
	fs.StringVar(&o.dist.name, "keys-dist", "uniform", "how keys are chosen: uniform, zipf or sequential")
	fs.Float64Var(&o.dist.zipf, "zipf", 0.99, "exponent of zipf")
	fs.Float64Var(&o.dist.scans, "scan-share", 0, "share of the keys that belong to scans: keys in a row, from anywhere")
	fs.IntVar(&o.dist.scanLen, "scan-length", 1000, "keys of one scan")
	fs.IntVar(&o.resp, "resp", 2, "version of the protocol: 2 or 3")
	fs.StringVar(&o.tracking, "tracking", "off", "client-side caching: off, default or bcast (RESP3); each connection keeps copies and answers GET from them")
	fs.Float64Var(&o.rate, "rate", 0, "open loop: commands a second that are sent whatever the server does; 0 is a closed loop")
	arrivals := fs.String("arrivals", "poisson", "how the batches of an open loop come: poisson or constant")
	fs.Float64Var(&o.at, "at", 0, "after the closed loop, an open one of all servers at this share of the last server's median throughput")
	fs.Uint64Var(&o.seed, "seed", 1, "of keys and values")
	fs.StringVar(&o.name, "name", "load", "name of the result files")
	fs.StringVar(&o.out, "out", "", "folder of the result files (default bench/results of the checkout; - writes none)")
	fs.BoolVar(&o.plainNet, "goroutines", false, "a goroutine for each connection instead of epoll")
	err := fs.Parse(args)
	if err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("argument %q", fs.Arg(0))
	}
	if o.peers, err = specs.List(); err != nil {
		return nil, err
	}
	for t := range strings.SplitSeq(*tests, ",") {
		w, err := parseWorkload(t)
		if err != nil {
			return nil, err
		}
		o.tests = append(o.tests, w)
	}
	if o.pipelines, err = ints("pipeline", *pipelines, 1, 10_000); err != nil {
		return nil, err
	}
	for v := range strings.SplitSeq(*values, ",") {
		z, err := parseSizes(strings.TrimSpace(v))
		if err != nil {
			return nil, fmt.Errorf("-value-size: %w", err)
		}
		o.valueSizes = append(o.valueSizes, z)
	}
	if o.clientCPUs, err = peer.ParseCPUs(*cpus); err != nil {
		return nil, fmt.Errorf("-client-cpu: %w", err)
	}
	if o.poisson = *arrivals == "poisson"; !o.poisson && *arrivals != "constant" {
		return nil, fmt.Errorf("-arrivals %q: poisson or constant", *arrivals)
	}
	return o, o.validate()
}

func (o *options) validate() error {
	for _, c := range []struct {
		what     string
		n, least int
		most     int
	}{
		{"connections", o.connections, 1, 10_000},
		{"search-connections", o.searchConns, 1, 10_000},
		{"threads", o.threads, 1, 256},
		{"rounds", o.rounds, 1, 1000},
		{"keys", o.keys, 1, maxKeys},
		{"resp", o.resp, 2, 3},
	} {
		if c.n < c.least || c.n > c.most {
			return fmt.Errorf("-%s %d, %d to %d are possible", c.what, c.n, c.least, c.most)
		}
	}
	if o.duration < 10*time.Millisecond || o.warmup < 0 {
		return fmt.Errorf("-duration %v -warmup %v", o.duration, o.warmup)
	}
	if !(o.rate >= 0 && o.rate < 1e9) || !(o.at >= 0 && o.at <= 10) {
		return fmt.Errorf("-rate %v -at %v", o.rate, o.at)
	}
	if o.rate > 0 && o.at > 0 {
		return errors.New("-rate is an open loop by itself, -at one after a closed loop")
	}
	if o.plainNet && (o.rate > 0 || o.at > 0) {
		return errors.New("an open loop needs epoll: not with -goroutines")
	}
	if _, ok := trackings[o.tracking]; !ok {
		return fmt.Errorf("-tracking %q: off, default or bcast", o.tracking)
	}
	if o.tracking != "off" {
		if o.resp != 3 {
			return errors.New("-tracking needs -resp 3: invalidations come as pushes")
		}
		if !slices.ContainsFunc(o.tests, func(w *workload) bool { return slices.ContainsFunc(w.ops, func(p *op) bool { return p.reads }) }) {
			return errors.New("-tracking needs a test with get: other replies are not kept")
		}
	}
	if !peer.NameRule.MatchString(o.name) {
		return fmt.Errorf("-name %q: letters, digits, dot, dash and underscore", o.name)
	}
	d := o.dist
	_, err := newSampler(d, 1, 0)
	return err
}

func ints(flag, list string, least, most int) ([]int, error) {
	var out []int
	for f := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("-%s %q: numbers from %d to %d", flag, list, least, most)
		}
		out = append(out, n)
	}
	return out, nil
}

// settings are what a result says of how it was made.
func (o *options) settings() map[string]string {
	m := map[string]string{
		"rounds":   fmt.Sprint(o.rounds),
		"duration": o.duration.String(),
		"warmup":   o.warmup.String(),
		"keys":     fmt.Sprint(o.keys),
		"dist":     o.dist.name,
		"threads":  fmt.Sprint(o.threads),
		"resp":     fmt.Sprint(o.resp),
		"tracking": o.tracking,
		"cores":    "all",
		"seed":     fmt.Sprint(o.seed),
	}
	if o.dist.name == "zipf" {
		m["dist"] += fmt.Sprintf(" %g", o.dist.zipf)
	}
	if o.dist.scans > 0 {
		m["dist"] += fmt.Sprintf(", %g of them in scans of %d", o.dist.scans, o.dist.scanLen)
	}
	if len(o.clientCPUs) > 0 || len(o.peers) > 0 && len(o.peers[0].CPUs) > 0 {
		m["cores"] = fmt.Sprintf("server %v, generator %v", o.peers[0].CPUs, o.clientCPUs)
	}
	if o.plainNet {
		m["engine"] = "goroutines"
	}
	return m
}
