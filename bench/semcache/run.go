package semcache

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nearcache/nearcache/bench/peer"
	"github.com/nearcache/nearcache/bench/plot"
	"github.com/nearcache/nearcache/datasets"
	"github.com/nearcache/nearcache/store/semcache/judge"
)

// bounds are the shares of wrong hits at which rules are compared.
var bounds = []float64{0.02, 0.05, 0.10, 0.20}

// report is what a run found out.
type report struct {
	Date     string   `json:"date"`
	CPU      string   `json:"cpu"`
	PerPair  float64  `json:"us_per_pair"`  // parse one prompt, compare, score
	PerMatch float64  `json:"us_per_match"` // compare and score
	Sets     []result `json:"sets"`
	Traces   []traced `json:"traces"`
	Talks    []talked `json:"conversations"`
}

// result is one set's.
type result struct {
	Name     string           `json:"name"`
	Same     int              `json:"same"`
	Other    int              `json:"other"`
	Trained  []string         `json:"trained_on"` // never the set itself
	Fixed    []fixed          `json:"fixed"`
	Cosine   []point          `json:"-"`
	Model    []point          `json:"-"`
	Kinds    map[string]share `json:"kinds,omitempty"`
	Cal      []calibration    `json:"calibration"`
	Off      float64          `json:"calibration_error"`
	AtCosine []point          `json:"at_cosine"` // at each of the bounds
	AtModel  []point          `json:"at_model"`
}

// fixed is a rule of a product, or of ours, without a choice.
type fixed struct {
	Rule string `json:"rule"`
	point
}

// share is how many pairs of a kind are served by each rule, at 5% wrong of the whole set.
type share struct {
	Pairs  int     `json:"pairs"`
	Label  int     `json:"label"`
	Cosine float64 `json:"cosine"`
	Model  float64 `json:"model"`
}

// Run carries out the command `nearcache bench semcache`.
func Run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench semcache", flag.ContinueOnError)
	fs.SetOutput(stderr)
	doTrain := fs.Bool("train", false, "train on every set of datasets and write the model that nearcache comes with")
	model := fs.String("model", "store/semcache/judge/model.json", "where -train writes")
	extra := fs.String("pairs", "", "judge these pairs, too: a, b, label (0 or 1) and cosine of the embeddings, a JSON object a line")
	out := fs.String("out", "", "write table, JSON and plots into this folder, too")
	l := live{out: stdout, log: stderr}
	onServer := fs.Bool("live", false, "ask servers (-nearcache, or -peer) with SEM.GET: latency end to end, and many clients that miss at once")
	fs.IntVar(&l.entries, "entries", 100_000, "with -live: how many are stored")
	fs.IntVar(&l.stampede, "clients", 1000, "with -live: how many miss at once")
	fs.DurationVar(&l.time, "time", 5*time.Second, "with -live: for each row")
	l.servers.Flags(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("bench semcache: nothing follows the flags")
	}
	if *onServer {
		r, err := l.run()
		if err == nil && *out != "" {
			err = errors.Join(os.MkdirAll(*out, 0o755), writeLive(filepath.Join(*out, "semcache-live.json"), r))
		}
		if err != nil {
			return fmt.Errorf("bench semcache: %w", err)
		}
		return nil
	}
	if err := run(*doTrain, *model, *extra, *out, stdout, stderr); err != nil {
		return fmt.Errorf("bench semcache: %w", err)
	}
	return nil
}

func run(doTrain bool, model, extra, out string, stdout, stderr io.Writer) error {
	start := time.Now()
	say := func(format string, a ...any) {
		fmt.Fprintf(stderr, "%4.0f s: %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, a...))
	}
	say("reading the pairs")
	m, v, err := open()
	if err != nil {
		return err
	}
	sets, err := load(m, v)
	if err != nil {
		return err
	}
	c := &course{say: say}
	if c.traces, err = traces(m, v); err != nil {
		return err
	}
	for _, s := range sets {
		c.sets = append(c.sets, weigh(s))
	}
	if doTrain {
		m := c.train(c.sets)
		c.look(m, "")
		return write(model, m, c.sets)
	}
	targets := c.sets
	if extra != "" {
		x, err := external(extra)
		if err != nil {
			return err
		}
		targets = append(targets[:len(targets):len(targets)], weigh(x))
	}
	machine := peer.ThisMachine()
	r := report{Date: time.Now().UTC().Format(time.DateOnly), CPU: fmt.Sprintf("%s, %d cores", machine.CPU, machine.Cores)}
	r.PerPair, r.PerMatch = cost(c.sets[0])
	for _, target := range targets {
		say("judging %s by a model of the others", target.name)
		r.Sets = append(r.Sets, assess(target, c.trained(target.name), c.without(target.name)))
	}
	for _, t := range c.traces {
		if t.learned {
			continue
		}
		m := c.trained(t.name)
		c.look(m, t.name)
		lengths := []int{1500, 3000}
		say("replaying %s", t.name)
		s := t.around(slices.Max(lengths), maxNear)
		kept := promises(t, lengths, m)
		for i, n := range lengths {
			x := follow(t.name, s.first(n), m, c.without(t.name))
			x.Kept = kept[i]
			r.Traces = append(r.Traces, x)
		}
	}
	for _, of := range []string{"banking", "hwu"} {
		say("conversations about %s", of)
		r.Talks = append(r.Talks, c.talk(of))
	}
	say("done")
	var table strings.Builder
	r.print(&table)
	if _, err := io.WriteString(stdout, table.String()); err != nil || out == "" {
		return err
	}
	return r.write(out, table.String())
}

func names(sets []judged) string { return strings.Join(nameList(sets), ", ") }

func nameList(sets []judged) (l []string) {
	for _, s := range sets {
		l = append(l, s.name)
	}
	return l
}

// external reads pairs of the user's.
func external(path string) (set, error) {
	p, err := datasets.LoadJSONL[pair](path, datasets.Limits{})
	if err != nil {
		return set{}, err
	}
	for i := range p {
		if p[i].Label != 0 && p[i].Label != 1 || p[i].Cosine < -1.01 || p[i].Cosine > 1.01 {
			return set{}, fmt.Errorf("%s: row %d: label is 0 or 1, cosine between -1 and 1", path, i+1)
		}
	}
	return set{strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), p}, nil
}

// cost is the time of judging a pair in microseconds, over all pairs of a set.
func cost(s judged) (perPair, perMatch float64) {
	m := judge.Default()
	var e judge.Evidence
	parsed := make([]*judge.Prompt, len(s.pairs))
	for i, p := range s.pairs {
		parsed[i] = judge.Parse(p.A)
	}
	const rounds = 20
	each := func(f func(i int)) float64 {
		best := time.Duration(1 << 62)
		for range rounds {
			start := time.Now()
			for i := range s.pairs {
				f(i)
			}
			best = min(best, time.Since(start))
		}
		return float64(best.Nanoseconds()) / 1e3 / float64(len(s.pairs))
	}
	score := func(i int, b *judge.Prompt) {
		e = judge.Compare(parsed[i], b, s.pairs[i].Cosine, e[:0])
		m.Confidence(e)
	}
	return each(func(i int) { score(i, judge.Parse(s.pairs[i].B)) }), each(func(i int) { score(i, parsed[(i+1)%len(parsed)]) })
}

func assess(s judged, m *judge.Model, trained []judged) result {
	r := result{Name: s.name, Trained: nameList(trained), Kinds: map[string]share{}}
	r.Same, r.Other = s.count()
	score := make([]float64, len(s.pairs))
	for i := range score {
		score[i] = m.Confidence(s.evidence[i])
	}
	r.Cosine = curve(s.set, func(i int) float64 { return s.pairs[i].Cosine })
	r.Model = curve(s.set, func(i int) float64 { return score[i] })
	for _, b := range bounds {
		r.AtCosine, r.AtModel = append(r.AtCosine, at(r.Cosine, b)), append(r.AtModel, at(r.Model, b))
	}
	for _, rule := range []struct {
		name   string
		cosine float64
		strict bool
	}{
		{products[0].name, products[0].least, false},
		{products[1].name, products[1].least, false},
		{products[2].name, products[2].least, false},
		{"cosine .90, STRICT", .90, true},
		{"cosine .80, STRICT", .80, true},
	} {
		r.Fixed = append(r.Fixed, fixed{rule.name, served(s.set, func(i int) bool {
			return s.pairs[i].Cosine >= rule.cosine && (!rule.strict || len(judge.Fired(s.evidence[i])) == 0)
		})})
	}
	cut, cutCosine := at(r.Model, .05).Threshold, at(r.Cosine, .05).Threshold
	for i, p := range s.pairs {
		k := r.Kinds[p.Kind]
		k.Pairs++
		k.Label = p.Label
		if p.Cosine >= cutCosine {
			k.Cosine++
		}
		if score[i] >= cut {
			k.Model++
		}
		r.Kinds[p.Kind] = k
	}
	for name, k := range r.Kinds {
		k.Cosine /= float64(k.Pairs)
		k.Model /= float64(k.Pairs)
		r.Kinds[name] = k
	}
	r.Cal, r.Off = reliability(s.set, score, r.Same, r.Other)
	return r
}

// reliability is what became of the pairs by their confidence, with both labels weighing the same.
func reliability(s set, score []float64, same, other int) (out []calibration, off float64) {
	var by tenths
	for i, p := range s.pairs {
		w := 1 / float64(max(other, 1))
		if p.Label == 1 {
			w = 1 / float64(max(same, 1))
		}
		by.add(score[i], w, p.Label == 1)
	}
	return by.calibrations()
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "# How often a semantic hit is right\n\n%s, %s. Judging a candidate takes %.1f us, %.1f us of it without taking its text apart.\n\n", r.Date, r.CPU, r.PerPair, r.PerMatch)
	fmt.Fprintf(w, "Hits: share of the pairs with the same answer that are served, at 2, 5, 10 and 20%% of the other pairs served.\nThe model has never seen the set that it judges.\n\n")
	fmt.Fprintf(w, "| pairs | rule | 2%% | 5%% | 10%% | 20%% |\n|---|---|--:|--:|--:|--:|\n")
	for _, s := range r.Sets {
		row := func(name, rule string, p []point) {
			fmt.Fprintf(w, "| %s | %s |", name, rule)
			for _, x := range p {
				fmt.Fprintf(w, " %.3f |", x.Hits)
			}
			fmt.Fprintln(w)
		}
		row(fmt.Sprintf("%s (%d and %d)", s.Name, s.Same, s.Other), "cosine", s.AtCosine)
		row("", "judge", s.AtModel)
	}
	fmt.Fprintf(w, "\nRules without a choice, hits / wrong:\n\n| pairs |")
	for _, f := range r.Sets[0].Fixed {
		fmt.Fprintf(w, " %s |", f.Rule)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("--:|", len(r.Sets[0].Fixed)))
	for _, s := range r.Sets {
		fmt.Fprintf(w, "| %s |", s.Name)
		for _, f := range s.Fixed {
			fmt.Fprintf(w, " %.3f / %.3f |", f.Hits, f.Wrong)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nBy kind, at 5%% wrong of the set:\n\n| pairs | kind | same answer | number | cosine serves | judge serves |\n|---|---|---|--:|--:|--:|\n")
	for _, s := range r.Sets {
		for _, k := range slices.Sorted(maps.Keys(s.Kinds)) {
			if k == "" {
				continue
			}
			x := s.Kinds[k]
			fmt.Fprintf(w, "| %s | %s | %s | %d | %.3f | %.3f |\n", s.Name, k, [2]string{"no", "yes"}[x.Label], x.Pairs, x.Cosine, x.Model)
		}
	}
	fmt.Fprintf(w, "\nWhat the confidence is worth, were one pair in two the same (said → right):\n\n")
	for _, s := range r.Sets {
		fmt.Fprintf(w, "- %s, off by %.3f in the mean:", s.Name, s.Off)
		for _, c := range s.Cal {
			fmt.Fprintf(w, " %.2f → %.2f;", c.Said, c.Right)
		}
		fmt.Fprintln(w)
	}
	r.printTraces(w)
}

// printTraces writes the part of the report about replayed traces.
func (r *report) printTraces(w io.Writer) {
	if len(r.Traces) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## Replayed traces\n\nThe cache is empty at first; what is not served is stored. Which answers are the same is seen from the answers.\nShare of all requests served with at most so many of all requests served wrongly:\n\n| trace | requests | rule |")
	for _, x := range wrongs {
		fmt.Fprintf(w, " %.1f%% |", x*100)
	}
	fmt.Fprintf(w, "\n|---|--:|---|%s\n", strings.Repeat("--:|", len(wrongs)))
	for _, t := range r.Traces {
		for i, rule := range t.Rules {
			name, n := t.Name, fmt.Sprint(t.Requests)
			if i > 0 {
				name, n = "", ""
			}
			fmt.Fprintf(w, "| %s | %s | %s |", name, n, rule.Rule)
			for _, o := range rule.AtWrong {
				fmt.Fprintf(w, " %.3f |", o.Hits)
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintf(w, "\nThe rules of others on the same embeddings, as they come (the products' own thresholds; vCache's as published, by its bound), served / wrong of all requests:\n\n| trace | requests |")
	for _, o := range r.Traces[0].Others {
		fmt.Fprintf(w, " %s |", o.Rule)
	}
	fmt.Fprintf(w, "\n|---|--:|%s\n", strings.Repeat("--:|", len(r.Traces[0].Others)))
	for _, t := range r.Traces {
		fmt.Fprintf(w, "| %s | %d |", t.Name, t.Requests)
		for _, o := range t.Others {
			fmt.Fprintf(w, " %.3f / %.3f |", o.Hits, o.Wrong)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nWhat a bound on the wrong ones among the hits came to, in %d orders of the trace (bound → wrong in the mean, at worst, in how many orders more than the bound, of how many requests served):\n\n", orders)
	for _, t := range r.Traces {
		fmt.Fprintf(w, "- %s, %d:", t.Name, t.Requests)
		for _, k := range t.Kept {
			fmt.Fprintf(w, " %.2f → %.3f, %.3f, %d over, of %.3f;", k.MaxWrong, k.Wrong, k.Worst, k.Over, k.Hits)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nWhat the confidence was worth of the hits that were served under the widest of these bounds (said → right, of how many hits of all orders); it says no more than is likely:\n\n")
	for _, t := range r.Traces {
		k := t.Kept[len(t.Kept)-1]
		fmt.Fprintf(w, "- %s, %d, off by %.3f in the mean:", t.Name, t.Requests, k.Off)
		for _, c := range k.Cal {
			fmt.Fprintf(w, " %.2f → %.2f of %d;", c.Said, c.Right, c.Pairs)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\n## Conversations\n\nReal follow-ups (\"explain further\", \"please repeat that\") behind real questions: what is right depends on what came before.\nNo two contexts are equal, so a hash of them serves nothing. Share of the requests served / wrong of those, in %d orders:\n\n", orders)
	fmt.Fprintf(w, "| about | requests | rule | served | wrong |\n|---|--:|---|--:|--:|\n")
	for _, t := range r.Talks {
		for _, k := range t.Rules {
			fmt.Fprintf(w, "| %s | %d | %s | %.3f | %.3f |\n", t.About, t.Requests, k.Rule, k.Hits, k.Wrong)
		}
	}
}

func (r *report) write(dir, table string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	g := plot.Graph{
		Title: "Hits against wrong hits", Subtitle: "by threshold; the model has never seen the set it judges",
		XLabel: "share of pairs with another answer that are served", YLabel: "share of pairs with the same answer that are served",
	}
	for _, s := range r.Sets {
		g.Lines = append(g.Lines, line(s.Name+", cosine", s.Cosine), line(s.Name+", judge", s.Model))
	}
	files := map[string][]byte{"semcache.md": []byte(table), "semcache.json": append(b, '\n'), "semcache.svg": plot.Lines(g)}
	for _, t := range r.Traces {
		files[fmt.Sprintf("semcache-%s-%d.svg", t.Name, t.Requests)] = plot.Lines(t.graph())
	}
	files["semcache-confidence.svg"] = plot.Lines(r.reliability())
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// reliability is the share that was right by the confidence: of pairs that the model has not seen, were one in two
// the same, and of the hits of replayed traces.
func (r *report) reliability() plot.Graph {
	g := plot.Graph{
		Title: "What a confidence is worth", Subtitle: "the model has seen none of it; pairs: were one in two the same; traces: of the hits served",
		XLabel: "confidence", YLabel: "share that was right",
		Lines: []plot.Line{{Name: "as said", X: []float64{0, 1}, Y: []float64{0, 1}}},
	}
	add := func(name string, l []calibration) {
		x := plot.Line{Name: name}
		for _, c := range l {
			if c.Pairs >= leastToSay {
				x.X, x.Y = append(x.X, c.Said), append(x.Y, c.Right)
			}
		}
		g.Lines = append(g.Lines, x)
	}
	for _, s := range r.Sets {
		add("pairs: "+s.Name, s.Cal)
	}
	for _, t := range r.Traces {
		add(fmt.Sprintf("hits: %s, %d", t.Name, t.Requests), t.Kept[len(t.Kept)-1].Cal)
	}
	return g
}

// leastToSay is of how many a share is worth a point.
const leastToSay = 20

// graph is hits against wrong ones by threshold, the rules of others beside it.
func (t *traced) graph() plot.Graph {
	g := plot.Graph{
		Title:    fmt.Sprintf("A replayed trace: %s, %d requests", t.Name, t.Requests),
		Subtitle: "by threshold, from an empty cache; the model has seen none of it; a single point is a rule of others as it comes",
		XLabel:   "share of all requests that are served wrongly", YLabel: "share of all requests that are served",
	}
	for _, r := range t.Rules {
		l := plot.Line{Name: r.Rule}
		for _, o := range r.All {
			if o.Wrong <= 0.15 {
				l.X, l.Y = append(l.X, o.Wrong), append(l.Y, o.Hits)
			}
		}
		g.Lines = append(g.Lines, l)
	}
	for _, o := range t.Others {
		if o.Wrong <= 0.15 {
			g.Lines = append(g.Lines, plot.Line{Name: o.Rule, X: []float64{o.Wrong}, Y: []float64{o.Hits}})
		}
	}
	return g
}

// line is a curve up to 30% wrong, at most 100 points of it.
func line(name string, c []point) plot.Line {
	l := plot.Line{Name: name}
	last := -1.0
	for _, p := range c {
		if p.Wrong > 0.3 {
			break
		}
		if p.Wrong-last >= 0.003 {
			l.X, l.Y, last = append(l.X, p.Wrong), append(l.Y, p.Hits), p.Wrong
		}
	}
	return l
}
