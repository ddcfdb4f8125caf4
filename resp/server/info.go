package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/pubsub"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
)

// Stats are the counters that INFO shows and CONFIG RESETSTAT zeroes. The zero
// value is ready.
type Stats struct {
	Connections atomic.Int64 // clients accepted
	Rejected    atomic.Int64 // clients refused over maxclients
	Commands    atomic.Int64 // commands run
	Hits        atomic.Int64 // look-ups that found their key
	Misses      atomic.Int64
	Strangers   atomic.Int64 // wrong passwords
	Slow        atomic.Int64 // clients closed over client-output-buffer-limit
	LongQueries atomic.Int64 // clients closed over client-query-buffer-limit
	ExpireTime  atomic.Int64 // ns that expiry in the background has taken

	peak     atomic.Int64                      // most memory seen
	peakTime atomic.Int64                      // when
	probe    func() (used int64, sent traffic) // memory and traffic by now

	mu struct {
		sync.Mutex
		samples [rateSamples]rateSample
		next    int
		last    rateSample
		at      time.Time
		gone    traffic // of clients that are not there any more
	}
}

const rateSamples = 16

// rateSample holds counts, or rates a second.
type rateSample struct{ commands, in, out float64 }

// reset zeroes the counters.
func (s *Stats) reset() {
	for _, n := range []*atomic.Int64{
		&s.Connections, &s.Rejected, &s.Commands, &s.Hits, &s.Misses, &s.Strangers, &s.Slow, &s.LongQueries, &s.ExpireTime, &s.peak,
	} {
		n.Store(0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.samples = [rateSamples]rateSample{}
	s.mu.last = rateSample{}
}

// tick takes a sample for the figures that are rates. The server calls it
// about ten times a second.
func (s *Stats) tick() {
	now := time.Now()
	cur := rateSample{commands: float64(s.Commands.Load())}
	if s.probe != nil {
		used, sent := s.probe()
		s.sawMemory(used)
		cur.in, cur.out = float64(sent.in), float64(sent.out)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dt := now.Sub(s.mu.at).Seconds()
	if l := s.mu.last; !s.mu.at.IsZero() && dt > 0 {
		s.mu.samples[s.mu.next] = rateSample{max(0, cur.commands-l.commands) / dt, max(0, cur.in-l.in) / dt, max(0, cur.out-l.out) / dt}
		s.mu.next = (s.mu.next + 1) % rateSamples
	}
	s.mu.at, s.mu.last = now, cur
}

func (s *Stats) sawMemory(used int64) {
	for p := s.peak.Load(); used > p; p = s.peak.Load() {
		if s.peak.CompareAndSwap(p, used) {
			s.peakTime.Store(time.Now().Unix())
			return
		}
	}
}

func (s *Stats) rates() rateSample {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum rateSample
	for _, x := range s.mu.samples {
		sum.commands += x.commands / rateSamples
		sum.in += x.in / rateSamples
		sum.out += x.out / rateSamples
	}
	return sum
}

// ConfigRewrite implements command.Server.
func (s *Server) ConfigRewrite() error { return s.cfg.Rewrite() }

// ConfigGet implements command.Server.
func (s *Server) ConfigGet(pattern string, f func(name, value string)) { s.cfg.Get(pattern, f) }

// ConfigSet implements command.Server.
func (s *Server) ConfigSet(c *command.Ctx, pairs [][2]string) error {
	return s.cfg.Set(pairs, c.S.Local)
}

// isLocal reports whether the other side is on this machine.
func isLocal(remote net.Addr) bool {
	switch a := remote.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// ConfigResetStat implements command.Server.
func (s *Server) ConfigResetStat() {
	s.stats.reset()
	s.resetTraffic()
	s.env.Table.Observer.Reset()
	s.clients.evicted.Store(0)
	s.ks.ResetStats()
	s.env.Tracking.ResetStats()
}

// DebugAllowed implements command.Server.
func (s *Server) DebugAllowed(c *command.Ctx) bool { return s.cfg.DebugAllowed(c.S.Local) }

// ConnectAllowed implements command.Server.
func (s *Server) ConnectAllowed(c *command.Ctx) bool { return s.cfg.ConnectAllowed(c.S.Local) }

// NeedsAuth implements command.Server.
func (s *Server) NeedsAuth() bool { return s.cfg.RequirePass() != "" }

// PasswordHash implements command.Server.
func (s *Server) PasswordHash() string {
	if !s.NeedsAuth() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.cfg.RequirePass()))
	return hex.EncodeToString(sum[:])
}

// Authenticate implements command.Server. There is one user, called default.
func (s *Server) Authenticate(user, password []byte) error {
	want := sha256.Sum256([]byte(s.cfg.RequirePass()))
	got := sha256.Sum256(password)
	same := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	if string(user) != "default" || s.NeedsAuth() && !same {
		s.stats.Strangers.Add(1)
		return resp.ErrWrongPass
	}
	return nil
}

// runID names this one run of the process.
var runID = sync.OnceValue(func() string {
	var b [20]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
})

// infoSections are the sections of INFO in their order. Those that are not
// extra make the default.
var infoSections = []struct {
	name  string
	extra bool
	write func(*Server, *infoText)
}{
	{"server", false, (*Server).infoServer},
	{"nearcache", false, (*Server).infoNearcache},
	{"clients", false, (*Server).infoClients},
	{"memory", false, (*Server).infoMemory},
	{"persistence", false, (*Server).infoPersistence},
	{"stats", false, (*Server).infoStats},
	{"replication", false, (*Server).infoReplication},
	{"cpu", false, (*Server).infoCPU},
	{"hotkeys", false, (*Server).infoHotKeys},
	{"bigkeys", true, (*Server).infoBigKeys},
	{"modules", false, (*Server).infoModules},
	{"search", true, (*Server).infoSearch},
	{"commandstats", true, (*Server).infoCommands},
	{"errorstats", false, (*Server).infoErrors},
	{"latencystats", true, (*Server).infoLatencies},
	{"cluster", false, (*Server).infoCluster},
	{"keyspace", false, (*Server).infoKeyspace},
}

// infoText collects the lines of INFO.
type infoText struct{ b []byte }

func (t *infoText) field(name string, v any) { t.b = fmt.Appendf(t.b, "%s:%v\r\n", name, v) }

func (t *infoText) bytes(name string, n int64) {
	t.field(name, n)
	t.field(name+"_human", human(n))
}

// human writes a number of bytes as Redis does.
func human(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < 4 {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.2f%c", f, "KMGTP"[unit])
}

// Info implements command.Server.
func (s *Server) Info(sections []string) string {
	want := map[string]bool{}
	all := false
	for _, name := range sections {
		name = strings.ToLower(name)
		if name == "all" || name == "everything" {
			all = true
		}
		want[name] = true
	}
	var t infoText
	for _, x := range infoSections {
		if all || want[x.name] || x.name == "search" && want["modules"] || !x.extra && (len(sections) == 0 || want["default"]) {
			if len(t.b) > 0 {
				t.b = append(t.b, "\r\n"...)
			}
			title := strings.ToUpper(x.name[:1]) + x.name[1:]
			if x.name == "cpu" {
				title = "CPU"
			}
			t.b = append(append(append(t.b, "# "...), title...), "\r\n"...)
			x.write(s, &t)
			t.writeAbsent(x.name)
		}
	}
	return string(t.b)
}

func (s *Server) infoServer(t *infoText) {
	now := time.Now()
	up := int64(now.Sub(command.Started).Seconds())
	exe, _ := os.Executable()
	t.field("redis_version", command.RedisVersion)
	t.field("redis_git_sha1", "00000000")
	t.field("redis_git_dirty", 0)
	t.field("redis_mode", "standalone")
	t.field("nearcache_version", command.Version)
	t.field("os", osName())
	t.field("arch_bits", 32<<(^uint(0)>>63))
	t.field("multiplexing_api", "go")
	t.field("process_id", os.Getpid())
	t.field("run_id", runID())
	port := strconv.Itoa(max(0, s.cfg.Port()))
	if _, p, err := net.SplitHostPort(s.Addr()); err == nil {
		port = p
	}
	t.field("tcp_port", port)
	t.field("server_time_usec", now.UnixMicro())
	t.field("uptime_in_seconds", up)
	t.field("uptime_in_days", up/86400)
	t.field("hz", 10)
	t.field("configured_hz", s.cfg.hz.String())
	t.field("lru_clock", now.Unix()&(1<<24-1))
	t.field("executable", exe)
	t.field("config_file", s.cfg.File)
	if until := s.ending.until.Load(); until != 0 {
		t.field("shutdown_in_milliseconds", until-now.UnixMilli())
	}
	for i, l := range s.listeners() {
		t.field(fmt.Sprintf("listener%d", i), l)
	}
}

// listeners describes what the server listens on.
func (s *Server) listeners() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l []string
	for _, x := range s.mu.listeners {
		if host, port, err := net.SplitHostPort(x.Addr().String()); err == nil && x.Addr().Network() == "tcp" {
			l = append(l, "name=tcp,bind="+host+",port="+port)
		} else {
			l = append(l, "name=unix,bind="+x.Addr().String())
		}
	}
	return l
}

func (s *Server) infoNearcache(t *infoText) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.field("nearcache_version", command.Version)
	t.field("go_version", runtime.Version())
	t.field("go_maxprocs", runtime.GOMAXPROCS(0))
	t.field("go_goroutines", runtime.NumGoroutine())
	t.field("go_heap_bytes", m.HeapAlloc)
	t.field("go_gc_cycles", m.NumGC)
	t.field("go_gc_pause_total_usec", m.PauseTotalNs/1000)
	t.field("commits", s.ks.Seq())
}

func (s *Server) infoClients(t *infoText) {
	clients := s.env.Clients.All()
	var pubsubClients, watching, watched, active int64
	now := s.ks.Now()
	for _, c := range clients {
		if c.InPubSub() {
			pubsubClients++
		}
		if n := c.Watching.Load(); n > 0 {
			watching++
			watched += int64(n)
		}
		if now-c.LastUse.Load() < 60_000 {
			active++
		}
	}
	t.field("connected_clients", len(clients))
	t.field("cluster_connections", 0)
	t.field("maxclients", s.cfg.MaxClients())
	in, out := s.clients.peaks.recent(s.ks.Now())
	t.field("client_recent_max_input_buffer", in)
	t.field("client_recent_max_output_buffer", out)
	t.field("blocked_clients", s.env.Blocking.Len())
	t.field("tracking_clients", s.env.Tracking.Stats().Clients)
	t.field("pubsub_clients", pubsubClients)
	t.field("watching_clients", watching)
	t.field("clients_in_timeout_table", s.env.Blocking.Timed())
	t.field("active_clients", active)
	t.field("total_watched_keys", watched)
	keys, gone := s.env.Blocking.Keys()
	t.field("total_blocking_keys", keys)
	t.field("total_blocking_keys_on_nokey", gone)
}

func (s *Server) infoStats(t *infoText) {
	st := &s.stats
	r := st.rates()
	tr := s.env.Tracking.Stats()
	sent := s.traffic()
	t.field("total_connections_received", st.Connections.Load())
	t.field("total_commands_processed", st.Commands.Load())
	t.field("instantaneous_ops_per_sec", int64(r.commands))
	t.field("total_net_input_bytes", sent.in)
	t.field("total_net_output_bytes", sent.out)
	t.field("instantaneous_input_kbps", fmt.Sprintf("%.2f", r.in/1024))
	t.field("instantaneous_output_kbps", fmt.Sprintf("%.2f", r.out/1024))
	t.field("rejected_connections", st.Rejected.Load())
	parts, active := s.ks.ExpiredParts()
	t.field("expired_subkeys", parts)
	t.field("expired_subkeys_active", active)
	t.field("expired_keys", s.ks.Expired())
	t.field("expired_keys_active", s.ks.ExpiredActive())
	t.field("expire_cycle_cpu_milliseconds", time.Duration(st.ExpireTime.Load()).Milliseconds())
	t.field("evicted_scripts", s.env.Scripts.Stats().Evicted)
	t.field("evicted_keys", s.ks.Evicted())
	t.field("evicted_clients", s.clients.evicted.Load())
	total, current := s.ks.EvictionExceeded()
	t.field("total_eviction_exceeded_time", total.Milliseconds())
	t.field("current_eviction_exceeded_time", current.Milliseconds())
	t.field("keyspace_hits", st.Hits.Load())
	t.field("keyspace_misses", st.Misses.Load())
	t.field("total_reads_processed", sent.reads)
	t.field("total_writes_processed", sent.writes)
	t.field("avg_pipeline_length_sum", sent.commands)
	t.field("avg_pipeline_length_cnt", sent.reads)
	t.field("avg_pipeline_length", fmt.Sprintf("%.2f", float64(sent.commands)/float64(max(sent.reads, 1))))
	t.field("sync_full", s.source.fulls.Load())
	t.field("sync_partial_ok", s.source.partials.Load())
	t.field("sync_partial_err", s.source.refused.Load())
	t.field("pubsub_channels", s.env.PubSub.Len(pubsub.Channel))
	t.field("pubsub_patterns", s.env.PubSub.Len(pubsub.Pattern))
	t.field("pubsubshard_channels", s.env.PubSub.Len(pubsub.Shard))
	t.field("tracking_total_keys", tr.Keys)
	t.field("tracking_total_items", tr.Items)
	t.field("tracking_total_prefixes", tr.Prefixes)
	t.field("total_error_replies", s.env.Table.Observer.Errors.Load())
	slow := s.env.Table.Observer.Slow.Figures()
	t.field("slowlog_commands_count", slow.Count)
	t.field("slowlog_commands_time_ms_max", fmt.Sprintf("%.2f", millis(slow.Longest)))
	t.field("slowlog_commands_time_ms_sum", fmt.Sprintf("%.2f", millis(slow.Nanos)))
	t.field("acl_access_denied_auth", st.Strangers.Load())
	t.field("client_query_buffer_limit_disconnections", st.LongQueries.Load())
	t.field("client_output_buffer_limit_disconnections", st.Slow.Load())
}

// CPUTime implements command.Server.
func (s *Server) CPUTime() (user, sys time.Duration) {
	u, k := cpuSeconds()
	return time.Duration(u * float64(time.Second)), time.Duration(k * float64(time.Second))
}

func (s *Server) infoCPU(t *infoText) {
	user, sys := cpuSeconds()
	t.field("used_cpu_sys", fmt.Sprintf("%.6f", sys))
	t.field("used_cpu_user", fmt.Sprintf("%.6f", user))
}

func (s *Server) infoModules(t *infoText) {
	for _, m := range command.Modules {
		t.field("module", fmt.Sprintf("name=%s,ver=%d,api=1,filters=0,usedby=[],using=[],options=[]", m.Name, m.Version))
	}
}

func (s *Server) infoSearch(t *infoText) {
	indexes, uses, docs := 0, int64(0), 0
	_ = s.env.Catalog.Each(func(ix *catalog.Index) error {
		indexes++
		uses += ix.Uses.Load()
		docs += ix.Search().Len()
		return nil
	})
	t.field("search_version", command.RedisVersion)
	t.field("search_number_of_indexes", indexes)
	t.field("search_number_of_active_indexes", indexes)
	t.field("search_total_num_docs_in_indexes", docs)
	t.field("search_used_memory_indexes", s.env.Catalog.Bytes())
	t.field("search_total_queries_processed", uses)
}

func (s *Server) infoCluster(t *infoText) { t.field("cluster_enabled", 0) }

func (s *Server) infoKeyspace(t *infoText) {
	var tx store.Tx
	tx.Begin(s.ks, 0, 0)
	defer tx.End()
	for db := range store.Databases {
		if keys, volatile := tx.Len(db); keys > 0 {
			t.field(fmt.Sprintf("db%d", db), fmt.Sprintf("keys=%d,expires=%d,avg_ttl=0,subexpiry=0", keys, volatile))
		}
	}
}
