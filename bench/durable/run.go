package durable

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/resp/client"
)

// bench is one run.
type bench struct {
	ctx     context.Context
	out     io.Writer
	at      peer.Place
	keys    int
	value   int
	clients int
	seconds time.Duration
	vectors int
	dim     int
}

var parts = []struct {
	name string
	run  func(*bench, peer.Spec) error
}{
	{"snapshot", (*bench).snapshot},
	{"load", (*bench).load},
	{"vectors", func(b *bench, spec peer.Spec) error { return b.restart(spec, documents) }},
	{"vectorset", func(b *bench, spec peer.Spec) error { return b.restart(spec, elements) }},
}

// Run carries out the command `nearcache bench durable`.
func Run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench durable", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	b := &bench{ctx: context.Background(), out: stdout}
	which := fs.String("parts", strings.Join(names, ","), "which, comma-separated")
	fs.IntVar(&b.keys, "keys", 200_000, "keys of snapshot and load")
	fs.IntVar(&b.value, "value", 200, "bytes of a value, which is text")
	fs.IntVar(&b.clients, "clients", 8, "clients that write while snapshots are taken, one command at a time")
	fs.DurationVar(&b.seconds, "time", 30*time.Second, "how long snapshot measures with snapshots, and without: in tenths, which should be no shorter than a snapshot")
	fs.IntVar(&b.vectors, "vectors", 20_000, "documents of vectors")
	fs.IntVar(&b.dim, "dim", 384, "components of a vector")
	var specs peer.Specs
	specs.Flags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	started, err := specs.Started()
	if err != nil {
		return err
	}
	if b.at, err = peer.NewPlace(); err != nil {
		return err
	}
	defer b.at.Remove()
	for _, p := range parts {
		if !slices.Contains(strings.Split(*which, ","), p.name) {
			continue
		}
		for _, spec := range started {
			if err := p.run(b, spec); err != nil {
				return fmt.Errorf("%s, %s: %w", p.name, spec.Name, err)
			}
		}
	}
	return nil
}

// open starts a server with a folder that outlives it.
func (b *bench) open(spec peer.Spec, folder string, args ...string) (*peer.Server, error) {
	dir := b.folder(spec, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return b.at.Open(b.ctx, spec, append([]string{"--dir", dir}, args...)...)
}

func (b *bench) folder(spec peer.Spec, name string) string {
	return filepath.Join(b.at.Tmp, spec.Name+name)
}

var words = strings.Fields("the cache keeps what a model has answered before so that nobody has to ask it again and again for an answer that costs money time or patience which is why values are text most of the time and long")

func text(rnd *rand.Rand, n int) string {
	var s strings.Builder
	for s.Len() < n {
		s.WriteString(words[rnd.IntN(len(words))])
		s.WriteByte(' ')
		if rnd.IntN(6) == 0 {
			fmt.Fprint(&s, rnd.IntN(100_000), " ")
		}
	}
	return s.String()[:n]
}

func (b *bench) fill(p *peer.Server) error {
	rnd := rand.New(rand.NewPCG(1, 2))
	return p.Fill(b.keys, func(i int) []any { return []any{"SET", fmt.Sprintf("key:%09d", i), text(rnd, b.value)} })
}

// writes has clients write for a while, and returns their latencies, sorted.
func (b *bench) writes(p *peer.Server, long time.Duration, into []time.Duration) ([]time.Duration, error) {
	var stop atomic.Bool
	took := make([][]time.Duration, b.clients)
	errs := make([]error, b.clients)
	var wg sync.WaitGroup
	for i := range b.clients {
		c, err := client.Dial(b.ctx, p.Addr, client.Options{Proto: 2})
		if err != nil {
			stop.Store(true)
			return nil, err
		}
		wg.Go(func() {
			defer c.Close()
			rnd := rand.New(rand.NewPCG(uint64(i), uint64(len(into))))
			v := text(rnd, b.value)
			for !stop.Load() {
				start := time.Now()
				if _, errs[i] = c.Do("SET", fmt.Sprintf("key:%09d", rnd.IntN(b.keys)), v); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	time.Sleep(long)
	stop.Store(true)
	wg.Wait()
	return append(into, slices.Concat(took...)...), errors.Join(errs...)
}

// rounds is how often snapshot has both halves: in turn, so that a machine that gets slower or faster meanwhile
// does so for both.
const rounds = 10

// snapshot is the latencies of writes while snapshots are taken one after the other, and without.
func (b *bench) snapshot(spec peer.Spec) error {
	p, err := b.open(spec, "snapshot", "--appendonly", "no")
	if err != nil {
		return err
	}
	defer p.Close()
	if err := b.fill(p); err != nil {
		return err
	}
	before := held(p)
	peak, saves := before, 0
	idle := func() bool {
		v, err := p.Ctl.Do("INFO", "persistence")
		return err == nil && strings.Contains(v.Str, "rdb_bgsave_in_progress:0")
	}
	// half measures once. Whether snapshots are taken or not, the server is looked at as often: what that costs, the
	// processor for a millisecond, belongs to neither.
	half := func(save bool, into []time.Duration) ([]time.Duration, error) {
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := 0; ; n++ {
				switch ready := idle(); {
				case ready && stop.Load():
					return
				case ready && save:
					if _, err := p.Ctl.Do("BGSAVE"); err == nil {
						saves++
					}
				}
				if n%10 == 5 {
					peak = max(peak, held(p))
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
		into, err := b.writes(p, b.seconds/rounds, into)
		stop.Store(true)
		wg.Wait()
		return into, err
	}
	var none, taken []time.Duration
	for range rounds {
		if none, err = half(false, none); err != nil {
			return err
		}
		if taken, err = half(true, taken); err != nil {
			return err
		}
	}
	tell := func(what string, l []time.Duration) time.Duration {
		slices.Sort(l)
		p99 := l[len(l)*99/100]
		fmt.Fprintf(b.out, "snapshot  %-10s %s: %d writes/s, p50 %v, p99 %v, p99.9 %v, longest %v\n", p.Name, what, int(float64(len(l))/b.seconds.Seconds()), l[len(l)/2], p99, l[len(l)*999/1000], l[len(l)-1])
		return p99
	}
	without := tell("none", none)
	with := tell(fmt.Sprintf("taken, %d times", saves), taken)
	fmt.Fprintf(b.out, "snapshot  %-10s p99 %.2fx, memory %d to %d MB (%+.0f%%)\n", p.Name, with.Seconds()/without.Seconds(), before>>20, peak>>20, 100*float64(peak-before)/float64(before))
	return nil
}

func folderSize(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if fi, err := d.Info(); err == nil {
				n += fi.Size()
			}
		}
		return nil
	})
	return n
}

func (b *bench) load(spec peer.Spec) error {
	p, err := b.open(spec, "load", "--appendonly", "no")
	if err != nil {
		return err
	}
	err = b.fill(p)
	if err == nil {
		start := time.Now()
		_, err = p.Ctl.Do("SAVE")
		fmt.Fprintf(b.out, "load      %-10s saved %d keys in %v, %d MB on disk\n", p.Name, b.keys, time.Since(start).Round(time.Millisecond), folderSize(b.folder(spec, "load"))>>20)
	}
	p.Close()
	if err != nil {
		return err
	}
	var took []time.Duration
	for range 3 {
		start := time.Now()
		if p, err = b.open(spec, "load", "--appendonly", "no"); err != nil {
			return err
		}
		took = append(took, time.Since(start))
		v, err := p.Ctl.Do("DBSIZE")
		p.Close()
		if err != nil || v.Int != int64(b.keys) {
			return fmt.Errorf("%d keys were loaded, %v", v.Int, err)
		}
	}
	slices.Sort(took)
	fmt.Fprintf(b.out, "load      %-10s starts in %v with %d keys (median of %d, to 50 ms)\n", spec.Name, took[1].Round(time.Millisecond), b.keys, len(took))
	return nil
}

func blob(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return string(b)
}

// holder is what holds vectors.
type holder struct {
	name   string
	create func(dim int) []any // nil: nothing is to be created
	add    func(i int, v string) []any
	ask    func(q string) []any
	prefix string // of names, before their numbers
}

var (
	documents = holder{
		name: "vectors",
		create: func(dim int) []any {
			return []any{"FT.CREATE", "ix", "SCHEMA", "v", "VECTOR", "HNSW", "6", "TYPE", "FLOAT32", "DIM", fmt.Sprint(dim), "DISTANCE_METRIC", "COSINE"}
		},
		prefix: "doc:",
		add:    func(i int, v string) []any { return []any{"HSET", fmt.Sprint("doc:", i), "v", v} },
		ask: func(q string) []any {
			return []any{"FT.SEARCH", "ix", "*=>[KNN 10 @v $q]", "PARAMS", "2", "q", q, "NOCONTENT", "DIALECT", "2"}
		},
	}
	elements = holder{
		name:   "vectorset",
		prefix: "e",
		add:    func(i int, v string) []any { return []any{"VADD", "set", "FP32", v, fmt.Sprint("e", i)} },
		ask:    func(q string) []any { return []any{"VSIM", "set", "FP32", q, "COUNT", "10"} },
	}
)

// restart is how long a start takes with many vectors.
func (b *bench) restart(spec peer.Spec, h holder) error {
	p, err := b.open(spec, h.name, "--appendonly", "yes")
	if err != nil {
		return err
	}
	defer func() { p.Close() }()
	if h.create != nil {
		if _, err := p.Ctl.Do(h.create(b.dim)...); err != nil {
			fmt.Fprintf(b.out, "%-9s %-10s has none: %v\n", h.name, p.Name, err)
			return nil
		}
	}
	rnd := rand.New(rand.NewPCG(4, 5))
	centres := make([][]float32, 200)
	vector := func(rnd *rand.Rand, near []float32) []float32 {
		v := make([]float32, b.dim)
		for i := range v {
			v[i] = float32(rnd.NormFloat64())
			if near != nil {
				v[i] = near[i] + v[i]/2
			}
		}
		return v
	}
	for i := range centres {
		centres[i] = vector(rnd, nil)
	}
	queries := make([]string, 100)
	found := make([]nearest, len(queries))
	for i := range queries {
		q := vector(rnd, centres[rnd.IntN(len(centres))])
		queries[i], found[i].to = blob(q), q
	}
	member := func(i int) []float32 {
		rnd := rand.New(rand.NewPCG(6, uint64(i)))
		return vector(rnd, centres[rnd.IntN(len(centres))])
	}
	start := time.Now()
	if err := p.Fill(b.vectors, func(i int) []any {
		return h.add(i, blob(member(i)))
	}); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "%-9s %-10s %d of %d components written in %v\n", h.name, p.Name, b.vectors, b.dim, time.Since(start).Round(time.Millisecond))
	for i := range b.vectors { // what is right
		v := member(i)
		length := math.Sqrt(dot(v, v))
		for j := range found {
			found[j].offer(dot(found[j].to, v)/length, i)
		}
	}
	ask := func(q string) (string, error) {
		v, err := p.Ctl.Do(h.ask(q)...)
		return v.String(), err
	}
	all := func() (answers []string, recall float64, err error) {
		for i, q := range queries {
			s, err := ask(q)
			if err != nil {
				return nil, 0, err
			}
			answers = append(answers, s)
			recall += found[i].recall(s, h.prefix) / float64(len(queries))
		}
		return answers, recall, nil
	}
	before, recallBefore, err := all()
	if err != nil {
		return err
	}
	if _, err := p.Ctl.Do("SAVE"); err != nil {
		return err
	}
	p.Close()
	start = time.Now()
	if p, err = b.open(spec, h.name, "--appendonly", "yes"); err != nil {
		return err
	}
	if _, err := ask(queries[0]); err != nil {
		return err
	}
	took := time.Since(start)
	after, recall, err := all()
	if err != nil {
		return err
	}
	same := 0
	for i, s := range after {
		if s == before[i] {
			same++
		}
	}
	fmt.Fprintf(b.out, "%-9s %-10s first answer %v after the start; %d of %d answers are those of before; recall %.4f, before %.4f; %d MB on disk\n", h.name, p.Name, took.Round(time.Millisecond), same, len(queries), recall, recallBefore, folderSize(b.folder(spec, h.name))>>20)
	return nil
}

// nearest are the ten members nearest to a query by cosine, the best first.
type nearest struct {
	to []float32
	by []float64 // similarity
	of []int
}

func (n *nearest) offer(by float64, of int) {
	if len(n.by) == 10 && by <= n.by[9] {
		return
	}
	at, _ := slices.BinarySearchFunc(n.by, by, func(x, by float64) int { return cmp.Compare(by, x) })
	n.by, n.of = slices.Insert(n.by, at, by), slices.Insert(n.of, at, of)
	if len(n.by) > 10 {
		n.by, n.of = n.by[:10], n.of[:10]
	}
}

// recall is the part of them that an answer names.
func (n *nearest) recall(answer, prefix string) float64 {
	there := 0
	for _, word := range strings.FieldsFunc(answer, func(r rune) bool { return strings.ContainsRune(" ,[]()\"", r) }) {
		if i, err := strconv.Atoi(strings.TrimPrefix(word, prefix)); err == nil && strings.HasPrefix(word, prefix) && slices.Contains(n.of, i) {
			there++
		}
	}
	return float64(there) / float64(len(n.of))
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
