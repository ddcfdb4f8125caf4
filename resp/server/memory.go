package server

import (
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"strings"

	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/store"
)

// memory is a look at who holds how much.
type memory struct {
	used, peak, rss   int64 // used is what is accounted: the process itself is not
	clients, tracking int64
	search            int64
	hotKeys, policy   int64
	texts             int64 // of compression: dictionaries, samples and tables
	log               int64 // of persist, what is not written yet
	stream, replicas  int64 // what is kept for replicas in any case, and what they wait for beyond that
	keys              int64
	dbs               []dbMemory // those that have keys
	goUsed, goHeld    int64      // of the Go heap: objects, and what the process has of the system
}

type dbMemory struct {
	db             int
	keys, volatile int
}

// overhead is what is held beside the data, for clients and tables.
func (m *memory) overhead() int64 {
	return m.clients + m.tracking + m.stream + m.replicas + m.hotKeys + m.policy + m.texts
}

func (m *memory) dataset() int64 { return max(0, m.used-m.overhead()) }

// ratio is a by b, and 1 where there is nothing to compare.
func ratio(a, b int64) float64 {
	if b <= 0 {
		return 1
	}
	return float64(a) / float64(b)
}

func percent(part, whole int64) float64 { return 100 * ratio(part, max(whole, 1)) }

func (s *Server) memory() *memory {
	m := &memory{
		used: s.ks.Used(), rss: residentBytes(), clients: s.clients.bytes.Load(), tracking: s.env.Tracking.Stats().Bytes,
		search: s.env.Catalog.Bytes(), hotKeys: s.env.HotKeys.Bytes(), policy: s.ks.EvictionBytes(),
		texts: s.ks.CompressionStats().Overhead,
	}
	if log := s.aof.Load(); log != nil {
		m.log = log.Stats().Backlog
	}
	m.stream, m.replicas = s.replicaMemory()
	s.stats.sawMemory(m.used)
	m.peak = s.stats.peak.Load()
	var tx store.Tx
	tx.Begin(s.ks, 0, 0)
	for db := range store.Databases {
		if keys, volatile := tx.Len(db); keys > 0 {
			m.dbs = append(m.dbs, dbMemory{db, keys, volatile})
			m.keys += int64(keys)
		}
	}
	tx.End()
	m.goUsed, m.goHeld = goMemory()
	return m
}

// goMemory is what the objects of the Go heap take, dead ones that were not
// collected yet included, and what the runtime holds of the system.
func goMemory() (used, held int64) {
	l := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(l)
	return int64(l[0].Value.Uint64()), int64(l[1].Value.Uint64() - l[2].Value.Uint64())
}

// infoMemory writes the fields of Redis that have a meaning here, and those that
// clients read without one.
func (s *Server) infoMemory(t *infoText) {
	m := s.memory()
	limit := s.ks.MaxMemory()
	t.bytes("used_memory", m.used)
	t.bytes("used_memory_rss", m.rss)
	t.bytes("used_memory_peak", m.peak)
	t.field("used_memory_peak_time", s.stats.peakTime.Load())
	t.field("used_memory_peak_perc", fmt.Sprintf("%.2f%%", percent(m.used, m.peak)))
	t.field("used_memory_overhead", m.overhead())
	t.field("used_memory_startup", 0)
	t.field("used_memory_dataset", m.dataset())
	t.field("used_memory_dataset_perc", fmt.Sprintf("%.2f%%", percent(m.dataset(), m.used)))
	t.field("allocator_allocated", m.used)
	t.field("allocator_active", max(m.used, m.rss))
	t.field("allocator_resident", m.rss)
	t.field("allocator_muzzy", 0)
	scripts := s.env.Scripts.Stats()
	t.bytes("used_memory_lua", scripts.RunBytes)
	t.field("used_memory_vm_eval", scripts.RunBytes)
	t.field("used_memory_scripts_eval", scripts.ScriptBytes)
	t.field("number_of_cached_scripts", scripts.Scripts)
	t.field("number_of_functions", scripts.Functions)
	t.field("number_of_libraries", scripts.Libraries)
	t.field("used_memory_vm_functions", 0) // functions run on the machines of scripts
	t.bytes("used_memory_vm_total", scripts.RunBytes)
	t.field("used_memory_functions", scripts.FunctionBytes)
	t.bytes("used_memory_scripts", scripts.ScriptBytes+scripts.FunctionBytes)
	t.bytes("total_system_memory", systemMemory())
	t.bytes("maxmemory", limit)
	t.field("maxmemory_policy", s.ks.Eviction().Name)
	t.field("allocator_frag_ratio", "1.00")
	t.field("allocator_frag_bytes", 0)
	t.field("allocator_rss_ratio", fmt.Sprintf("%.2f", ratio(m.rss, m.used)))
	t.field("allocator_rss_bytes", m.rss-m.used)
	t.field("rss_overhead_ratio", "1.00")
	t.field("rss_overhead_bytes", 0)
	t.field("mem_fragmentation_ratio", fmt.Sprintf("%.2f", ratio(m.rss, m.used)))
	t.field("mem_fragmentation_bytes", m.rss-m.used)
	t.field("mem_clients_normal", m.clients)
	t.field("mem_clients_normal_shared", s.clients.shared.Load())
	t.field("mem_clients_normal_unshared", s.clients.sole.Load())
	t.field("mem_clients_slaves", m.replicas)
	t.field("mem_replication_backlog", m.stream)
	t.field("mem_total_replication_buffers", m.stream+m.replicas)
	t.field("mem_not_counted_for_evict", m.replicas)
	t.field("mem_aof_buffer", m.log)
	t.field("mem_allocator", "go")
	t.field("mem_tracking_table", m.tracking)
	t.field("mem_search_indexes", m.search)
	t.field("mem_eviction_policy", m.policy)
	t.field("mem_hotkeys", m.hotKeys)
	t.field("mem_go_heap", m.goUsed)
	t.field("mem_go_held", m.goHeld)
	t.field("mem_slab_slack", s.ks.Slack())
	s.infoCompression(t)
}

// MemoryStats implements command.Server: the names and the order are Redis'.
func (s *Server) MemoryStats() []command.Figure {
	m := s.memory()
	var l []command.Figure
	put := func(name string, v int64) { l = append(l, command.Figure{Name: name, Value: v}) }
	part := func(name string, v float64) { l = append(l, command.Figure{Name: name, Value: v}) }
	put("peak.allocated", m.peak)
	put("total.allocated", m.used)
	put("startup.allocated", 0)
	put("replication.backlog", m.stream)
	put("replica.fullsync.buffer", 0)
	put("clients.slaves", m.replicas)
	put("clients.normal", m.clients)
	put("clients.normal.shared", s.clients.shared.Load())
	put("clients.normal.unshared", s.clients.sole.Load())
	put("cluster.links", 0)
	put("aof.buffer", m.log)
	scripts := s.env.Scripts.Stats()
	put("lua.caches", scripts.ScriptBytes)
	put("functions.caches", scripts.FunctionBytes)
	put("script.VMs", scripts.RunBytes)
	put("hash.templates", 0)
	for _, x := range m.dbs {
		l = append(l, command.Figure{Name: fmt.Sprint("db.", x.db), Value: []command.Figure{
			{Name: "overhead.hashtable.main", Value: int64(x.keys) * tableBytes},
			{Name: "overhead.hashtable.expires", Value: int64(x.volatile) * tableBytes},
		}})
	}
	put("overhead.db.hashtable.lut", m.keys*tableBytes)
	put("overhead.db.hashtable.rehashing", 0)
	put("overhead.total", m.overhead())
	put("db.dict.rehashing.count", 0)
	put("keys.count", m.keys)
	put("keys.bytes-per-key", m.dataset()/max(1, m.keys))
	put("dataset.bytes", m.dataset())
	part("dataset.percentage", percent(m.dataset(), m.used))
	part("peak.percentage", percent(m.used, m.peak))
	put("allocator.allocated", m.used)
	put("allocator.active", max(m.used, m.rss))
	put("allocator.resident", m.rss)
	put("allocator.muzzy", 0)
	part("allocator-fragmentation.ratio", 1)
	put("allocator-fragmentation.bytes", 0)
	part("allocator-rss.ratio", ratio(m.rss, m.used))
	put("allocator-rss.bytes", m.rss-m.used)
	part("rss-overhead.ratio", 1)
	put("rss-overhead.bytes", 0)
	part("fragmentation", ratio(m.rss, m.used))
	put("fragmentation.bytes", m.rss-m.used)
	return l
}

// tableBytes is what the tables take for a key: a slot of eight bytes in a table
// that is four fifths full.
const tableBytes = 10

// PurgeMemory implements command.Server: the collector runs, and what is free
// goes back to the system.
func (s *Server) PurgeMemory() { debug.FreeOSMemory() }

// MallocStats implements command.Server: what the Go runtime tells of its memory.
func (s *Server) MallocStats() string {
	var l []metrics.Sample
	for _, d := range metrics.All() {
		if strings.HasPrefix(d.Name, "/memory/") || strings.HasPrefix(d.Name, "/gc/") && d.Kind != metrics.KindFloat64Histogram {
			l = append(l, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(l)
	m := s.memory()
	var b strings.Builder
	fmt.Fprintf(&b, "___ Begin nearcache memory statistics ___\naccounted: %d\nresident: %d\n", m.used, m.rss)
	for _, x := range l {
		switch x.Value.Kind() {
		case metrics.KindUint64:
			fmt.Fprintf(&b, "%s %d\n", x.Name, x.Value.Uint64())
		case metrics.KindFloat64:
			fmt.Fprintf(&b, "%s %g\n", x.Name, x.Value.Float64())
		}
	}
	b.WriteString("--- End nearcache memory statistics ---\n")
	return b.String()
}

// The bounds of MEMORY DOCTOR. The first six are Redis'.
const (
	doctorEmpty     = 5 << 20 // less than this is nothing to look at
	doctorPeak      = 1.5
	doctorRSS       = 1.4
	doctorRSSBytes  = 10 << 20
	doctorClient    = 200 << 10 // bytes of each client, on average
	doctorTracking  = 0.2       // of all memory
	doctorBigKey    = 0.1       // of all memory
	doctorBigKeyMin = 16 << 20
)

// MemoryDoctor implements command.Server. Where there is nothing to say the words
// are Redis'; tools look for them.
func (s *Server) MemoryDoctor() string {
	m := s.memory()
	if m.used < doctorEmpty {
		return "Hi Sam, this instance is empty or is using very little memory, " +
			"my issues detector can't be used in these conditions. " +
			"Please, leave for your mission on Earth and fill it with some data. " +
			"The new Sam and I will be back to our programming as soon as I " +
			"finished rebooting.\n"
	}
	var issues []string
	say := func(when bool, format string, args ...any) {
		if when {
			issues = append(issues, fmt.Sprintf(format, args...))
		}
	}
	say(ratio(m.peak, m.used) > doctorPeak,
		"Peak memory: In the past this instance used %.1f times the memory that it is using now (%s). Memory that is free goes back to the system within seconds; if the resident set is larger than you would expect, MEMORY PURGE does so at once.",
		ratio(m.peak, m.used), human(m.peak))
	say(ratio(m.rss, m.used) > doctorRSS && m.rss-m.used > doctorRSSBytes,
		"High total RSS: The process takes %s, %.2f times what is accounted to data. %s of it is garbage, or room for it, of the Go heap; the rest are holes between values of different sizes, and memory that was free a moment ago.",
		human(m.rss), ratio(m.rss, m.used), human(max(0, m.goHeld-m.goUsed)))
	if n := int64(s.env.Clients.Len()); n > 0 {
		say(m.clients/n > doctorClient,
			"Big client buffers: Each of %d clients has buffers of %s, on average. They read slowly, or send very large pipelines: see CLIENT LIST, tot-mem. maxmemory-clients bounds them.",
			n, human(m.clients/n))
	}
	say(ratio(m.tracking, m.used) > doctorTracking,
		"Client tracking: %.0f%% of the memory is spent on remembering which client has read which key. tracking-table-max-keys bounds it, CLIENT TRACKING BCAST needs none.",
		percent(m.tracking, m.used))
	if limit := s.ks.MaxMemory(); limit > 0 {
		setup := s.ks.Eviction()
		say(setup.None && m.used > limit*9/10,
			"Near maxmemory: %s of %s are used, and maxmemory-policy is noeviction: writes will be refused. For a cache choose allkeys-lhd.",
			human(m.used), human(limit))
		say(m.search > limit/2,
			"Search indexes hold %s, more than half of maxmemory. COMPRESSION SQ8ONLY or BINARY in FT.CREATE takes a fraction of that.", human(m.search))
	}
	for _, k := range s.ks.BigKeys(1) {
		say(int64(k.Size) > doctorBigKeyMin && float64(k.Size) > doctorBigKey*float64(m.used),
			"A big key: the %s %q in database %d takes %s. See INFO bigkeys.", k.Type, clipKey(k.Key), k.DB, human(int64(k.Size)))
	}
	if len(issues) == 0 {
		return "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
	}
	return "Sam, I detected a few issues in this Redis instance memory implants:\n\n * " + strings.Join(issues, "\n\n * ") +
		"\n\nI'm here to keep you safe, Sam. I want to help you.\n"
}

// clipKey shortens a key for a report.
func clipKey(key string) string { return key[:min(len(key), 200)] }

// bigKeysShown is how many keys of each type INFO bigkeys names.
const bigKeysShown = 10

// infoBigKeys lists the largest keys of each type.
func (s *Server) infoBigKeys(t *infoText) {
	n := map[string]int{}
	for _, k := range s.ks.BigKeys(bigKeysShown) {
		n[k.Type]++
		t.field(fmt.Sprintf("bigkey_%s_%d", strings.ToLower(k.Type), n[k.Type]), fmt.Sprintf("db=%d,bytes=%d,key=%q", k.DB, k.Size, clipKey(k.Key)))
	}
}

func (s *Server) infoHotKeys(t *infoText) {
	if r, ok := s.env.HotKeys.Report(s.ks.Now()); ok {
		active := 0
		if r.Active {
			active = 1
		}
		t.field("hotkeys-tracking-active", active)
		t.field("hotkeys-cmd-cpu-time", r.Own.Milliseconds())
	}
}
