package commands

import (
	"strconv"
	"strings"

	"github.com/nearcache/nearcache/index"
	agg "github.com/nearcache/nearcache/index/aggregate"
	"github.com/nearcache/nearcache/index/search"
	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/args"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store/catalog"
)

func parseFTInfo(a *args.Parser) string { return a.String() }

// runFTInfo answers as RediSearch 8.2 does. RedisVL reads index_definition and
// the attributes by position, so their order is part of the format.
func runFTInfo(c *command.Ctx, name string) error {
	ix, err := openIndex(c, name)
	if err != nil {
		return errUnknownIndex
	}
	s := ix.Search()
	schema, info := s.Schema(), s.Info()
	share, indexing := ix.Progress()

	body := bodies.Get().(*resp.Writer)
	defer bodies.Put(body)
	body.Reset()
	body.SetProto(c.W.Proto())
	w := pairs{Writer: body}
	w.key("index_name")
	w.BulkString(ix.Name)
	w.key("index_options")
	options := schemaOptions(schema)
	w.Array(len(options))
	for _, o := range options {
		w.BulkString(o)
	}
	w.key("index_definition")
	writeDefinition(body, ix)
	w.key("attributes")
	w.Array(len(schema.Fields))
	for i := range schema.Fields {
		writeAttribute(body, &schema.Fields[i])
	}

	const mb = 1 << 20
	docs := float64(max(1, info.NumDocs))
	recs := float64(max(1, info.NumRecords))
	w.num("num_docs", info.NumDocs)
	w.num("max_doc_id", info.MaxDocID)
	w.num("num_terms", info.NumTerms)
	w.num("num_records", info.NumRecords)
	w.double("inverted_sz_mb", float64(info.InvertedBytes)/mb)
	w.double("vector_index_sz_mb", float64(info.VectorBytes)/mb)
	w.num("total_inverted_index_blocks", info.NumTerms)
	w.double("offset_vectors_sz_mb", float64(info.OffsetBytes)/mb)
	w.double("doc_table_size_mb", float64(info.DocTableBytes)/mb)
	w.double("sortable_values_size_mb", float64(info.SortableBytes)/mb)
	w.double("key_table_size_mb", float64(info.KeyTableBytes)/mb)
	w.double("tag_overhead_sz_mb", float64(info.TagBytes)/mb)
	w.double("numeric_overhead_sz_mb", float64(info.NumericBytes)/mb)
	w.double("total_index_memory_sz_mb", float64(info.Bytes())/mb)
	w.double("geoshapes_sz_mb", float64(info.ShapeBytes)/mb)
	w.double("records_per_doc_avg", float64(info.NumRecords)/docs)
	w.double("bytes_per_record_avg", float64(info.InvertedBytes)/recs)
	w.double("offsets_per_term_avg", float64(info.TextTokens)/recs)
	w.double("offset_bits_per_record_avg", 8*float64(info.OffsetBytes)/recs)
	w.num("hash_indexing_failures", info.Failures)
	w.double("total_indexing_time", float64(info.IndexingTime.Microseconds())/1000)
	w.num("indexing", boolInt(indexing))
	w.double("percent_indexed", share)
	w.num("number_of_uses", ix.Uses.Load())
	w.num("cleaning", 0)
	w.figures("gc_stats", // nothing is collected: postings are updated in place
		"bytes_collected", 0, "total_ms_run", 0, "total_cycles", 0, "average_cycle_time_ms", 0,
		"last_run_time_ms", 0, "gc_numeric_trees_missed", 0, "gc_blocks_denied", 0)
	all, idle, of := c.Catalog.Cursors.Len(ix.Name)
	w.figures("cursor_stats", "global_idle", idle, "global_total", all, "index_capacity", agg.MaxCursors, "index_total", of)
	w.figures("dialect_stats", "dialect_1", ix.InDialect(1), "dialect_2", ix.InDialect(2), "dialect_3", ix.InDialect(3), "dialect_4", ix.InDialect(4))
	w.key("Index Errors")
	writeIndexErrors(body, info.Failures, info.LastError.Last, info.LastError.LastKey)
	w.key("field statistics")
	w.Array(len(info.Fields))
	for i, f := range info.Fields {
		w.Map(3)
		w.BulkString("identifier")
		w.BulkString(schema.Fields[i].Identifier)
		w.BulkString("attribute")
		w.BulkString(schema.Fields[i].Name)
		w.BulkString("Index Errors")
		writeIndexErrors(body, f.Failures, f.Last, f.LastKey)
	}
	c.W.Map(w.n)
	c.W.Raw(body.Bytes())
	return nil
}

func writeDefinition(w *resp.Writer, ix *catalog.Index) {
	language := ix.Language
	if language == "english" {
		language = "" // it is the default of all
	}
	optional := []struct{ name, value string }{
		{"filter", ix.Filter},
		{"default_language", language},
		{"language_field", ix.LanguageField},
		{"score_field", ix.ScoreField},
		{"payload_field", ix.PayloadField},
	}
	n := 4
	for _, o := range optional {
		n += int(boolInt(o.value != ""))
	}
	write := func(from, to int) {
		for _, o := range optional[from:to] {
			if o.value != "" {
				w.BulkString(o.name)
				w.BulkString(o.value)
			}
		}
	}
	w.Map(n)
	w.BulkString("key_type")
	if ix.JSON {
		w.BulkString("JSON")
	} else {
		w.BulkString("HASH")
	}
	w.BulkString("prefixes")
	w.Array(len(ix.Prefixes))
	for _, p := range ix.Prefixes {
		w.BulkString(p)
	}
	write(0, 3)
	w.BulkString("default_score")
	w.Double(ix.Score)
	write(3, len(optional))
	w.BulkString("indexes_all")
	w.BulkString(strconv.FormatBool(ix.All))
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func writeIndexErrors(w *resp.Writer, n int64, last, key string) {
	if last == "" {
		last, key = "N/A", "N/A"
	}
	w.Map(3)
	w.BulkString("indexing failures")
	w.Int(n)
	w.BulkString("last indexing error")
	w.BulkString(last)
	w.BulkString("last indexing error key")
	w.BulkString(key)
}

func schemaOptions(s *search.Schema) []string {
	var l []string
	for _, o := range []struct {
		on   bool
		name string
	}{
		{s.NoFreqs, "NOFREQS"},
		{s.NoHL, "NOHL"},
		{s.NoOffsets, "NOOFFSETS"},
		{s.NoFields, "NOFIELDS"},
		{s.MaxTextFields, "MAXTEXTFIELDS"},
	} {
		if o.on {
			l = append(l, o.name)
		}
	}
	return l
}

// writeAttribute writes one field: name and value pairs, then flags; in RESP3
// a map with the flags as a list.
func writeAttribute(w *resp.Writer, f *search.Field) {
	type pair struct{ k, v any }
	p := []pair{{"identifier", f.Identifier}, {"attribute", f.Name}, {"type", f.Type.String()}}
	switch f.Type {
	case search.TypeText:
		p = append(p, pair{"WEIGHT", f.Weight})
	case search.TypeTag:
		p = append(p, pair{"SEPARATOR", strings.Trim(string(f.Separator), "\x00")})
	case search.TypeShape:
		system := "SPHERICAL"
		if f.Flat {
			system = "FLAT"
		}
		p = append(p, pair{"coord_system", system})
	case search.TypeVector:
		v := f.Vector
		p = append(p, pair{"algorithm", f.Algorithm}, pair{"data_type", v.Element.String()},
			pair{"dim", v.Dim}, pair{"distance_metric", v.Metric.String()})
		switch f.Algorithm {
		case "HNSW":
			p = append(p, pair{"M", v.M}, pair{"ef_construction", v.EFConstruction})
			if v.Quant != index.QuantAuto {
				p = append(p, pair{"compression", v.Quant.String()})
			}
		case "SVS-VAMANA":
			p = append(p, pair{"graph_max_degree", 2 * v.M}, pair{"construction_window_size", v.EFConstruction})
			if f.SVS.Compression == "" {
				p = append(p, pair{"compression", "NO_COMPRESSION"})
				break
			}
			p = append(p, pair{"compression", f.SVS.Compression}, pair{"training_threshold", f.SVS.TrainingThreshold})
			if f.SVS.Reduce > 0 {
				p = append(p, pair{"reduced_dim", f.SVS.Reduce})
			}
		}
	}
	var flags []string
	for _, o := range []struct {
		on   bool
		name string
	}{
		{f.CaseSensitive, "CASESENSITIVE"},
		{f.Sortable, "SORTABLE"},
		{f.Sortable && f.UNF, "UNF"},
		{f.NoStem, "NOSTEM"},
		{f.NoIndex, "NOINDEX"},
		{f.SuffixTrie, "WITHSUFFIXTRIE"},
		{f.IndexEmpty, "INDEXEMPTY"},
		{f.IndexMissing, "INDEXMISSING"},
	} {
		if o.on {
			flags = append(flags, o.name)
		}
	}
	if w.Proto() == 3 {
		w.Map(len(p) + 1)
	} else {
		w.Array(2*len(p) + len(flags))
	}
	for _, kv := range p {
		w.BulkString(kv.k.(string))
		switch v := kv.v.(type) {
		case string:
			w.BulkString(v)
		case int:
			w.Int(int64(v))
		case float64:
			w.Double(v)
		}
	}
	if w.Proto() == 3 {
		w.BulkString("flags")
		w.Array(len(flags))
	}
	for _, s := range flags {
		w.BulkString(s)
	}
}

// pairs counts the fields of a map while they are written.
type pairs struct {
	*resp.Writer
	n int
}

func (p *pairs) key(k string) {
	p.n++
	p.BulkString(k)
}

// figures writes a map of names and numbers, given in turn. go-redis reads some
// of them by position, so all of RediSearch's stand there.
func (p *pairs) figures(k string, l ...any) {
	p.key(k)
	p.Map(len(l) / 2)
	for i := 0; i < len(l); i += 2 {
		p.BulkString(l[i].(string))
		p.Int(int64(l[i+1].(int)))
	}
}

func (p *pairs) num(k string, v int64)      { p.key(k); p.Int(v) }
func (p *pairs) double(k string, v float64) { p.key(k); p.Double(v) }
