package server

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/index"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/evict"
	"github.com/nearcache/nearcache/store/semcache/embed"
	"github.com/nearcache/nearcache/store/squeeze"
	"github.com/nearcache/nearcache/store/types/stream"
	"github.com/nearcache/nearcache/store/vfs"
)

// Setting is a row of the table of settings. Names, defaults and ranges are
// those of Redis, unless Help says otherwise.
type Setting struct {
	Name      string
	Alias     string // another name that Redis knows it by
	Kind      Kind
	Default   string
	Min, Max  int64    // of a number
	Words     []string // of an enumeration
	Immutable bool     // only at start, as in Redis
	Fixed     bool     // Redis can change it at run time, this server cannot
	Protected bool     // at run time only with enable-protected-configs
	Multi     bool     // takes several words, CONFIG GET joins them with spaces
	Secret    bool     // is not shown in logs
	Help      string

	Field func(*Config) *Value
	// Parse replaces the parsing by Kind: it returns the value as a number, where
	// that has a meaning, and as canonical text, for the words given and the
	// text before.
	Parse func(words []string, old string) (int64, string, error)
	// Apply makes a new value work once the server runs. Settings without it
	// are read from the Config where they matter.
	Apply func(*Server, *Config) error
}

// Settings lists all settings, in the order that --help and the documentation
// show them.
var Settings = []*Setting{
	{
		Name: "bind", Kind: String, Default: "127.0.0.1 -::1", Multi: true, Fixed: true, Parse: parseBind,
		Help:  "addresses to listen on; * is every one; one with - in front may be missing. Redis without a file listens on all: here that must be asked for",
		Field: func(c *Config) *Value { return &c.bindAddrs },
	},
	{
		Name: "port", Kind: Int, Default: "6379", Max: 65535, Fixed: true,
		Help:  "TCP port; 0 for none beside a unix socket, otherwise for one that the system chooses",
		Field: func(c *Config) *Value { return &c.port },
	},
	{
		Name: "unixsocket", Kind: String, Immutable: true,
		Help:  "path of a unix socket to listen on as well",
		Field: func(c *Config) *Value { return &c.unixSocket },
	},
	{
		Name: "unixsocketperm", Kind: Octal, Default: "0", Max: 0o777, Immutable: true,
		Help:  "its permissions in octal; 0 leaves them to the umask",
		Field: func(c *Config) *Value { return &c.unixSocketPerm },
	},
	{
		Name: "protected-mode", Kind: Bool, Default: "yes",
		Help:  "refuse clients from other machines while there is no password",
		Field: func(c *Config) *Value { return &c.protectedMode },
	},
	{
		Name: "requirepass", Kind: String, Secret: true,
		Help:  "password that clients must give with AUTH or HELLO",
		Field: func(c *Config) *Value { return &c.requirePass },
	},
	{
		Name: "maxclients", Kind: Int, Default: "10000", Min: 1, Max: 1<<32 - 1,
		Help:  "how many clients may be connected",
		Field: func(c *Config) *Value { return &c.maxClients },
	},
	{
		Name: "timeout", Kind: Int, Default: "0", Max: maxInt32,
		Help:  "seconds after which an idle client is closed; 0 for never",
		Field: func(c *Config) *Value { return &c.timeout },
	},
	{
		Name: "tcp-keepalive", Kind: Int, Default: "300", Max: maxInt32,
		Help:  "seconds between probes of idle TCP connections; 0 for none",
		Field: func(c *Config) *Value { return &c.keepAlive },
	},
	{
		Name: "tcp-backlog", Kind: Int, Default: "511", Max: maxInt32, Immutable: true,
		Help:  "accepted for Redis' sake: the system's own limit (somaxconn) is used",
		Field: func(c *Config) *Value { return &c.backlog },
	},
	{
		Name: "io-threads", Kind: Int, Default: "0", Max: 128, Immutable: true,
		Help:  "how many loops serve the clients; 0 for one per core. In Redis they only read and write, here they run commands too",
		Field: func(c *Config) *Value { return &c.ioThreads },
	},
	{
		Name: "databases", Kind: Int, Default: "16", Min: store.Databases, Max: store.Databases, Immutable: true,
		Help:  "number of databases; it is fixed",
		Field: func(c *Config) *Value { return &c.databases },
	},

	{
		Name: "pidfile", Kind: String, Immutable: true,
		Help:  "file that has the process ID while the server runs; where it cannot be written that is logged",
		Field: func(c *Config) *Value { return &c.pidFile },
	},
	{
		Name: "dir", Kind: String, Default: "nearcache-data", Fixed: true, Protected: true, Parse: parseDir,
		Help:  "folder of all data files; it is made where it is missing",
		Field: func(c *Config) *Value { return &c.dir },
	},
	{
		Name: "dbfilename", Kind: String, Default: "dump.rdb", Fixed: true, Protected: true,
		Help:  "accepted for Redis' sake: no file of that kind is written",
		Field: func(c *Config) *Value { return &c.dbFilename },
	},
	{
		Name: "appendonly", Kind: Bool, Default: "yes",
		Help:  "keep a log of all changes in dir, and load it at start. Redis' default is no",
		Field: func(c *Config) *Value { return &c.appendOnly },
		Apply: func(s *Server, c *Config) error { return s.setAppendOnly() },
	},
	{
		Name: "appendfsync", Kind: Enum, Default: "everysec", Words: []string{"everysec", "always", "no"},
		Help:  "when the log is forced to the disk: before each reply, every second, or when the system likes",
		Field: func(c *Config) *Value { return &c.appendFsync },
		Apply: func(s *Server, c *Config) error { s.setFsync(); return nil },
	},
	{
		Name: "save", Kind: String, Multi: true, Parse: parseSave,
		Help:  "seconds and changes, any number of pairs: a snapshot is taken when so many seconds have passed and there were so many changes, and at the end. Redis' default is 3600 1 300 100 60 10000; here the log holds every change",
		Field: func(c *Config) *Value { return &c.save },
	},
	{
		Name: "stop-writes-on-bgsave-error", Kind: Bool, Default: "yes",
		Help:  "refuse writes after a snapshot of save has failed, until one succeeds",
		Field: func(c *Config) *Value { return &c.stopOnSaveError },
	},
	{
		Name: "auto-aof-rewrite-percentage", Kind: Int, Default: "100", Max: maxInt32,
		Help:  "the log is rewritten in the background when it has grown by so much since the last time; 0 for never",
		Field: func(c *Config) *Value { return &c.rewritePercent },
	},
	{
		Name: "auto-aof-rewrite-min-size", Kind: Memory, Default: "64mb", Max: maxInt64,
		Help:  "but not before it has so many bytes",
		Field: func(c *Config) *Value { return &c.rewriteMin },
	},
	{
		Name: "disk-reserve", Kind: Memory, Default: "256mb", Max: maxInt64,
		Help:  "the most that is kept free, by a file of zeros, for a rewrite of the log when the disk is full: as much as the data takes, if it is not more; 0 for nothing",
		Field: func(c *Config) *Value { return &c.diskReserve },
	},
	{
		Name: "rdbcompression", Kind: Bool, Default: "yes",
		Help:  "accepted for Redis' sake: compression says what is compressed",
		Field: func(c *Config) *Value { return &c.idle.rdbCompression },
	},
	{
		Name: "rdb-save-incremental-fsync", Kind: Bool, Default: "yes",
		Help:  "accepted for Redis' sake: a base is forced to the disk piece by piece as it is written",
		Field: func(c *Config) *Value { return &c.idle.rdbSaveSync },
	},
	{
		Name: "rdb-del-sync-files", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: a copy leaves no file of Redis' kind",
		Field: func(c *Config) *Value { return &c.idle.rdbDelSync },
	},
	{
		Name: "rdbchecksum", Kind: Bool, Default: "yes", Immutable: true,
		Help:  "accepted for Redis' sake: all files have checksums",
		Field: func(c *Config) *Value { return &c.idle.rdbChecksum },
	},
	{
		Name: "appendfilename", Kind: String, Default: "appendonly.aof", Immutable: true,
		Help:  "accepted for Redis' sake: the files of the log have names of their own",
		Field: func(c *Config) *Value { return &c.idle.appendFile },
	},
	{
		Name: "appenddirname", Kind: String, Default: "appendonlydir", Immutable: true,
		Help:  "accepted for Redis' sake: the log is in dir itself",
		Field: func(c *Config) *Value { return &c.idle.appendDir },
	},
	{
		Name: "aof-use-rdb-preamble", Kind: Bool, Default: "yes",
		Help:  "accepted for Redis' sake: a log always begins with a snapshot",
		Field: func(c *Config) *Value { return &c.idle.aofPreamble },
	},
	{
		Name: "aof-load-truncated", Kind: Bool, Default: "yes",
		Help:  "accepted for Redis' sake: an incomplete record at the end, as after a power cut, is always cut off and kept beside",
		Field: func(c *Config) *Value { return &c.idle.aofTruncated },
	},
	{
		Name: "aof-load-corrupt-tail-max-size", Kind: Int, Default: "0", Max: maxInt64,
		Help:  "accepted for Redis' sake: nearcache check --repair mends what a start refuses",
		Field: func(c *Config) *Value { return &c.idle.aofCorruptTail },
	},
	{
		Name: "aof-rewrite-incremental-fsync", Kind: Bool, Default: "yes",
		Help:  "accepted for Redis' sake: a base is forced to the disk piece by piece as it is written",
		Field: func(c *Config) *Value { return &c.idle.aofRewriteSync },
	},
	{
		Name: "aof-timestamp-enabled", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: all records have their time",
		Field: func(c *Config) *Value { return &c.idle.aofTimes },
	},
	{
		Name: "no-appendfsync-on-rewrite", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: the log is forced to the disk as appendfsync says, at all times",
		Field: func(c *Config) *Value { return &c.idle.noSyncOnRewrite },
	},

	{
		Name: "maxmemory", Kind: Memory, Default: "0", Max: maxInt64,
		Help:  "bytes that data may take, as in 512mb; 0 for no limit",
		Field: func(c *Config) *Value { return &c.maxMemory },
		Apply: func(s *Server, c *Config) error { s.ks.SetMaxMemory(c.maxMemory.Int()); return nil },
	},
	{
		Name: "maxmemory-policy", Kind: Enum, Default: "noeviction", Words: policyWords(),
		Help:  "which keys go when maxmemory is reached: Redis' policies, and lhd, which learns what is worth keeping from size, cost and use",
		Field: func(c *Config) *Value { return &c.policy },
		Apply: applyEviction,
	},
	{
		Name: "maxmemory-samples", Kind: Int, Default: "5", Min: 1, Max: 64,
		Help:  "how many keys an eviction chooses from",
		Field: func(c *Config) *Value { return &c.samples },
		Apply: applyEviction,
	},
	{
		Name: "maxmemory-eviction-tenacity", Kind: Int, Default: "10", Max: 100,
		Help:  "how long a command may evict before it runs: 10 is half a millisecond, each step more 15% longer, 100 as long as it takes",
		Field: func(c *Config) *Value { return &c.tenacity },
		Apply: func(s *Server, c *Config) error { s.ks.SetTenacity(int(c.tenacity.Int())); return nil },
	},
	{
		Name: "maxmemory-clients", Kind: Memory, Default: "0", Parse: parseClientMemory, Max: maxInt64,
		Help:  "bytes that clients' buffers may take together, or a part of maxmemory as in 5%; beyond it the largest clients are closed. 0 for no limit",
		Field: func(c *Config) *Value { return &c.clientMemory },
	},
	{
		Name: "maxmemory-costs", Kind: Enum, Default: "measured", Words: []string{"measured", "hinted", "ignored"},
		Help:  "what lhd takes for the cost of a key: the time from a miss to its insertion, or what NC.COST says; only the latter; or nothing",
		Field: func(c *Config) *Value { return &c.costs },
		Apply: applyEviction,
	},
	{
		Name: "lfu-log-factor", Kind: Int, Default: "10", Max: maxInt32,
		Help:  "how much use it takes to raise the counter of an lfu policy",
		Field: func(c *Config) *Value { return &c.lfuLogFactor },
		Apply: applyEviction,
	},
	{
		Name: "lfu-decay-time", Kind: Int, Default: "1", Max: maxInt32,
		Help:  "minutes after which that counter loses a point; 0 for never",
		Field: func(c *Config) *Value { return &c.lfuDecayTime },
		Apply: applyEviction,
	},

	{
		Name: "compression", Kind: Enum, Default: "cold", Words: []string{"no", "cold", "all"},
		Help:  "which values are kept compressed, with a dictionary made of them: none, those that are not used for compression-min-idle, or all. It is done in the background, and commands do not see it",
		Field: func(c *Config) *Value { return &c.compression },
		Apply: applyCompression,
	},
	{
		Name: "compression-min-size", Kind: Memory, Default: "256", Min: squeeze.MinLen, Max: maxCompressed,
		Help:  "the smallest value that is compressed, in bytes",
		Field: func(c *Config) *Value { return &c.compressMin },
		Apply: applyCompression,
	},
	{
		Name: "compression-max-size", Kind: Memory, Default: "128kb", Min: squeeze.MinLen, Max: maxCompressed,
		Help:  "the largest value that is compressed, in bytes: reading it takes its decompression, about 1 ms for 1mb",
		Field: func(c *Config) *Value { return &c.compressMax },
		Apply: applyCompression,
	},
	{
		Name: "compression-min-idle", Kind: Int, Default: "60", Max: maxInt32,
		Help:  "seconds without use after which a value is cold. One that is used twice within them is kept uncompressed again. The lrm policies do not know when a key was read: under them nothing is cold",
		Field: func(c *Config) *Value { return &c.compressIdle },
		Apply: applyCompression,
	},
	{
		Name: "compression-types", Kind: String, Default: "string hash", Multi: true, Parse: parseCompressed,
		Help:  "types whose values are compressed, of " + strings.Join(compressible(), ", ") + ". Of those with parts only small ones are, which lie in one piece",
		Field: func(c *Config) *Value { return &c.compressTypes },
		Apply: applyCompression,
	},

	{
		Name: "proto-max-bulk-len", Kind: Memory, Default: "512mb", Min: 1 << 20, Max: maxInt64,
		Help:  "largest single argument of a command, in bytes; for clients that connect from then on",
		Field: func(c *Config) *Value { return &c.maxBulk },
	},
	{
		Name: "busy-reply-threshold", Alias: "lua-time-limit", Kind: Int, Default: "5000", Max: maxInt64,
		Help:  "after how many milliseconds of a script others are told that it is busy, and it may be killed; 0 for never",
		Field: func(c *Config) *Value { return &c.busyAfter },
		Apply: func(s *Server, c *Config) error {
			s.env.Scripts.SetBusyAfter(time.Duration(min(c.busyAfter.Int(), maxInt64/int64(time.Millisecond))) * time.Millisecond)
			return nil
		},
	},
	{
		Name: "script-memory-limit", Kind: Memory, Default: "256mb", Min: 1 << 20, Max: maxInt64,
		Help:  "how much all scripts that run at a time may hold in bytes; one that wants more ends with an error. Redis has no such limit",
		Field: func(c *Config) *Value { return &c.scriptMemory },
		Apply: func(s *Server, c *Config) error { s.env.Scripts.SetMemoryLimit(c.scriptMemory.Int()); return nil },
	},
	{
		Name: "stream-idmp-duration", Kind: Int, Default: strconv.Itoa(stream.DefaultDuration), Min: 1, Max: stream.MaxDuration,
		Help:  "seconds for which streams made from then on remember the idempotent IDs of producers; XCFGSET changes it for one",
		Field: func(c *Config) *Value { return &c.idmpDuration },
		Apply: applyStreams,
	},
	{
		Name: "stream-idmp-maxsize", Kind: Int, Default: strconv.Itoa(stream.DefaultMaxIIDs), Min: 1, Max: stream.MaxMaxIIDs,
		Help:  "how many of each producer they remember",
		Field: func(c *Config) *Value { return &c.idmpMaxSize },
		Apply: applyStreams,
	},
	{
		Name: "client-query-buffer-limit", Kind: Memory, Default: "1gb", Min: 1 << 20, Max: maxInt64,
		Help:  "largest command, or MULTI, of a client in bytes; for clients that connect from then on",
		Field: func(c *Config) *Value { return &c.queryLimit },
	},
	{
		Name: "client-output-buffer-limit", Kind: String, Multi: true,
		Default: "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", Parse: parseOutputLimits,
		Help:  "class, hard limit, soft limit and seconds; a client is closed for which more messages and invalidations wait than pubsub allows, more replies than normal, or as a replica more of the stream than slave. Without a limit for replies nothing is run for a client that does not read them",
		Field: func(c *Config) *Value { return &c.outputLimit },
		Apply: func(_ *Server, c *Config) error { c.applyOutputLimits(); return nil },
	},
	{
		Name: "tracking-table-max-keys", Kind: Int, Default: "1000000", Max: maxInt64,
		Help:  "keys that CLIENT TRACKING remembers; 0 for no limit",
		Field: func(c *Config) *Value { return &c.trackingKeys },
		Apply: func(s *Server, c *Config) error { s.env.Tracking.SetMaxKeys(c.trackingKeys.Int()); return nil },
	},
	{
		Name: "tracking-table-max-items", Kind: Int, Default: "20000000", Max: maxInt64,
		Help:  "pairs of a key and a client that CLIENT TRACKING remembers; 0 for no limit",
		Field: func(c *Config) *Value { return &c.trackingItems },
		Apply: func(s *Server, c *Config) error { s.env.Tracking.SetMaxItems(c.trackingItems.Int()); return nil },
	},
	{
		Name: "search-tracking", Kind: Bool, Default: "no",
		Help:  "CLIENT TRACKING registers searches too: replies of FT.SEARCH name a pseudo-key, which is invalidated when a write makes the answer another one",
		Field: func(c *Config) *Value { return &c.searchTracking },
		Apply: func(s *Server, c *Config) error { s.env.Tracking.Searches.Store(c.searchTracking.Bool()); return nil },
	},
	{
		Name: "notify-keyspace-events", Kind: String, Parse: parseNotify,
		Help:  "which changes are published: K and E for the two kinds of channel, then letters for the events, A for most",
		Field: func(c *Config) *Value { return &c.notify },
		Apply: func(s *Server, c *Config) error { c.notifier.set(uint32(c.notify.Int()), s.ks); return nil },
	},
	{
		Name: "slowlog-log-slower-than", Kind: Int, Default: "10000", Min: -1, Max: maxInt64,
		Help:  "microseconds from which on SLOWLOG lists a command; -1 for none, and below 1000 every command is measured",
		Field: func(c *Config) *Value { return &c.slowerThan },
		Apply: func(s *Server, c *Config) error {
			s.env.Table.Observer.SetSlowThreshold(c.slowerThan.Int())
			return nil
		},
	},
	{
		Name: "slowlog-max-len", Kind: Int, Default: "128", Max: maxInt64,
		Help:  "how many slow commands are kept",
		Field: func(c *Config) *Value { return &c.slowLen },
		Apply: applySlowLog,
	},
	{
		Name: "slowlog-entry-max-argc", Kind: Int, Default: "32", Min: 2, Max: maxInt32,
		Help:  "how many arguments of each",
		Field: func(c *Config) *Value { return &c.slowArgs },
		Apply: applySlowLog,
	},
	{
		Name: "slowlog-entry-max-string-len", Kind: Int, Default: "128", Min: 1, Max: maxInt64,
		Help:  "how many bytes of each argument",
		Field: func(c *Config) *Value { return &c.slowBytes },
		Apply: applySlowLog,
	},
	{
		Name: "latency-monitor-threshold", Kind: Int, Default: "0", Max: maxInt64,
		Help:  "milliseconds from which on LATENCY keeps what took so long; 0 for none, otherwise every command is measured",
		Field: func(c *Config) *Value { return &c.spikes },
		Apply: func(s *Server, c *Config) error { s.env.Table.Observer.SetSpikeThreshold(c.spikes.Int()); return nil },
	},
	{
		Name: "latency-tracking", Kind: Bool, Default: "yes",
		Help:  "keep histograms of the times of commands, for LATENCY HISTOGRAM and INFO",
		Field: func(c *Config) *Value { return &c.histograms },
		Apply: func(s *Server, c *Config) error {
			s.env.Table.Observer.Histograms.Store(c.histograms.Bool())
			return nil
		},
	},
	{
		Name: "latency-tracking-info-percentiles", Kind: String, Default: "50 99 99.9", Multi: true, Parse: parsePercentiles,
		Help:  "which percentiles of them INFO shows",
		Field: func(c *Config) *Value { return &c.percentiles },
	},

	{
		Name: "embed", Kind: String, Multi: true, Fixed: true, Parse: parseEmbed,
		Help: "what embeds prompts that come without a vector, the default first: openai:MODEL (asked of embed-url), local:FOLDER (a sentence-transformers model of the BERT kind), " +
			"lexical[:DIMENSIONS] (letters and words, no model); NAME=… names one. Empty for lexical, with a warning",
		Field: func(c *Config) *Value { return &c.embed },
	},
	{
		Name: "embed-url", Kind: String, Default: embed.DefaultURL,
		Help:  "API with POST /embeddings as OpenAI, Ollama, vLLM or TEI have it, up to its v1",
		Field: func(c *Config) *Value { return &c.embedURL },
		Apply: applyEmbed,
	},
	{
		Name: "embed-key", Kind: String, Secret: true,
		Help:  "key for it; where it is empty and embed-url is OpenAI's, the variable OPENAI_API_KEY",
		Field: func(c *Config) *Value { return &c.embedKey },
		Apply: applyEmbed,
	},
	{
		Name: "embed-dimensions", Kind: Int, Default: "0", Max: index.MaxDim,
		Help:  "length of the vectors to ask of it; 0 for the model's own",
		Field: func(c *Config) *Value { return &c.embedDim },
		Apply: applyEmbed,
	},
	{
		Name: "embed-timeout", Kind: Int, Default: "10000", Min: 1, Max: maxInt32,
		Help:  "milliseconds that a request to it may take, repetitions included",
		Field: func(c *Config) *Value { return &c.embedTimeout },
		Apply: applyEmbed,
	},
	{
		Name: "embed-batch", Kind: Int, Default: "64", Min: 1, Max: 10000,
		Help:  "how many texts go in one request to it",
		Field: func(c *Config) *Value { return &c.embedBatch },
		Apply: applyEmbed,
	},
	{
		Name: "embed-cache", Kind: Memory, Default: "64mb", Max: maxInt64,
		Help:  "bytes of vectors that each model remembers, by their texts",
		Field: func(c *Config) *Value { return &c.embedCache },
		Apply: applyEmbed,
	},

	{
		Name: "http", Kind: String, Fixed: true, Parse: parseHTTP,
		Help:  "port, or address:port, to serve HTTP on: LangCache's API, a caching proxy for OpenAI's, /metrics. A port alone is one of this machine. Empty for none",
		Field: func(c *Config) *Value { return &c.http },
	},
	{
		Name: "http-keys", Kind: String, Multi: true, Secret: true, Parse: parseHTTPKeys,
		Help: "who may come in with Authorization: Bearer KEY, as user:KEY or user:KEY:field=value,… with the scope of what the key stores and sees (its user, where none is given; * for everything). " +
			"KEY may be # and its SHA-256. Without keys requirepass is one, and without that anybody on this machine comes in",
		Field: func(c *Config) *Value { return &c.httpKeys },
		Apply: applyHTTP,
	},
	{
		Name: "http-upstream", Kind: String, Default: "https://api.openai.com/v1", Parse: parseUpstream,
		Help:  "API that the proxy asks for what is not in the cache, up to its v1; empty for none",
		Field: func(c *Config) *Value { return &c.httpUpstream },
		Apply: applyHTTP,
	},
	{
		Name: "http-upstream-key", Kind: String, Secret: true,
		Help:  "key for it; without one it gets the client's, unless that is one of ours",
		Field: func(c *Config) *Value { return &c.httpUpstreamKey },
		Apply: applyHTTP,
	},
	{
		Name: "http-namespace", Kind: String, Default: "proxy", Parse: parseNamespace,
		Help:  "namespace of the semantic cache that keeps the proxy's answers; it is made where it is missing",
		Field: func(c *Config) *Value { return &c.httpNamespace },
		Apply: applyHTTP,
	},
	{
		Name: "http-timeout", Kind: Int, Default: "600", Min: 1, Max: 86400,
		Help:  "seconds that upstream may take for an answer, and others wait who ask the same",
		Field: func(c *Config) *Value { return &c.httpTimeout },
		Apply: applyHTTP,
	},
	{
		Name: "http-max-body", Kind: Memory, Default: "4mb", Min: 1 << 10, Max: 1 << 30,
		Help:  "largest request, and largest answer that is kept, in bytes",
		Field: func(c *Config) *Value { return &c.httpMaxBody },
		Apply: applyHTTP,
	},

	{
		Name: "enable-debug-command", Kind: Enum, Default: "no", Words: protectedWords, Immutable: true,
		Help:  "allow DEBUG: to nobody, to all, or to clients on this machine",
		Field: func(c *Config) *Value { return &c.enableDebug },
	},
	{
		Name: "replicaof", Alias: "slaveof", Kind: String, Multi: true, Immutable: true, Parse: parseReplicaOf,
		Help:  "host and port of a nearcache or Redis that this server follows: it takes all its keys, and then each change",
		Field: func(c *Config) *Value { return &c.replicaOf },
	},
	{
		Name: "masteruser", Kind: String,
		Help:  "name with which a replica authenticates to its master; the default user where it is empty",
		Field: func(c *Config) *Value { return &c.masterUser },
	},
	{
		Name: "masterauth", Kind: String, Secret: true,
		Help:  "password with which a replica authenticates to its master",
		Field: func(c *Config) *Value { return &c.masterAuth },
	},
	{
		Name: "replica-read-only", Alias: "slave-read-only", Kind: Bool, Default: "yes",
		Help:  "clients may not write to a replica, but for commands of indexes",
		Field: func(c *Config) *Value { return &c.replicaReadOnly },
	},
	{
		Name: "replica-serve-stale-data", Alias: "slave-serve-stale-data", Kind: Bool, Default: "yes",
		Help:  "a replica answers while its link to the master is down, or not: MASTERDOWN",
		Field: func(c *Config) *Value { return &c.serveStale },
	},
	{
		Name: "replica-priority", Alias: "slave-priority", Kind: Int, Default: "100", Max: maxInt32,
		Help:  "what INFO says of it, for those who choose a new master: the lowest first, 0 for never",
		Field: func(c *Config) *Value { return &c.replicaPriority },
	},
	{
		Name: "repl-timeout", Kind: Int, Default: "60", Min: 1, Max: maxInt32,
		Help:  "seconds without a word of the master after which a replica connects anew, and of a replica after which it is cut off",
		Field: func(c *Config) *Value { return &c.replTimeout },
	},
	{
		Name: "enable-replicas", Kind: Enum, Default: "no", Words: protectedWords, Immutable: true,
		Help:  "let others be replicas of this server (PSYNC, SYNC): nobody, all, or those on this machine. A replica gets all keys; Redis always allows it",
		Field: func(c *Config) *Value { return &c.enableReplicas },
	},
	{
		Name: "repl-backlog-size", Kind: Memory, Default: "1mb", Min: 1, Max: maxInt64,
		Help:  "how much of what replicas are sent is kept in bytes, for those that were cut off for a while",
		Field: func(c *Config) *Value { return &c.backlogSize },
		Apply: func(s *Server, c *Config) error { s.source.backlog.SetSize(c.backlogSize.Int()); return nil },
	},
	{
		Name: "repl-backlog-ttl", Kind: Int, Default: "3600", Max: maxInt32,
		Help:  "seconds without a replica after which it is kept no more; 0 for ever",
		Field: func(c *Config) *Value { return &c.backlogTTL },
	},
	{
		Name: "repl-ping-replica-period", Alias: "repl-ping-slave-period", Kind: Int, Default: "10", Min: 1, Max: maxInt32,
		Help:  "seconds after which replicas are sent a PING, so that they know that somebody is there",
		Field: func(c *Config) *Value { return &c.pingPeriod },
	},
	{
		Name: "shutdown-timeout", Kind: Int, Default: "10", Max: maxInt32,
		Help:  "seconds for which the end of the server waits for replicas that lag; 0 for not at all",
		Field: func(c *Config) *Value { return &c.shutdownTimeout },
	},
	{
		Name: "min-replicas-to-write", Alias: "min-slaves-to-write", Kind: Int, Default: "0", Max: maxInt32,
		Help:  "replicas that must be connected, and not behind, for writes to be taken; 0 for none",
		Field: func(c *Config) *Value { return &c.minReplicas },
	},
	{
		Name: "min-replicas-max-lag", Alias: "min-slaves-max-lag", Kind: Int, Default: "10", Max: maxInt32,
		Help:  "seconds since a replica was last heard of from which on it does not count for that",
		Field: func(c *Config) *Value { return &c.maxLag },
	},
	{
		Name: "enable-outgoing-connections", Kind: Enum, Default: "no", Words: protectedWords, Immutable: true,
		Help:  "allow commands that have this server connect to another one (MIGRATE, REPLICAOF) likewise. Redis always allows them",
		Field: func(c *Config) *Value { return &c.enableOutgoing },
	},
	{
		Name: "enable-protected-configs", Kind: Enum, Default: "no", Words: protectedWords, Immutable: true,
		Help:  "allow CONFIG SET of protected settings likewise",
		Field: func(c *Config) *Value { return &c.enableProtected },
	},
	{
		Name: "loglevel", Kind: Enum, Default: "notice", Words: []string{"debug", "verbose", "notice", "warning", "nothing"},
		Help:  "how much is logged",
		Field: func(c *Config) *Value { return &c.logLevel },
		Apply: func(_ *Server, c *Config) error { c.applyLogLevel(); return nil },
	},
	{
		Name: "logfile", Kind: String, Immutable: true,
		Help:  "file to append the log to; standard error where it is empty",
		Field: func(c *Config) *Value { return &c.logFile },
	},
	{
		Name: "hz", Kind: Int, Default: "10", Max: maxInt32,
		Help:  "accepted for Redis' sake: expired keys are looked for ten times a second",
		Field: func(c *Config) *Value { return &c.hz },
	},
	{
		Name: "lazyfree-lazy-eviction", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: what is evicted is freed one way",
		Field: func(c *Config) *Value { return &c.idle.lazyEvict },
	},
	{
		Name: "lazyfree-lazy-expire", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: what has expired is freed one way",
		Field: func(c *Config) *Value { return &c.idle.lazyExpire },
	},
	{
		Name: "lazyfree-lazy-server-del", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: what RENAME and its like replace is freed one way",
		Field: func(c *Config) *Value { return &c.idle.lazyServerDel },
	},
	{
		Name: "lazyfree-lazy-user-del", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: what DEL takes, as what UNLINK takes, is freed one way",
		Field: func(c *Config) *Value { return &c.idle.lazyDel },
	},
	{
		Name: "lazyfree-lazy-user-flush", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: what FLUSHALL and FLUSHDB take is freed one way",
		Field: func(c *Config) *Value { return &c.idle.lazyFlush },
	},
	{
		Name: "replica-lazy-flush", Alias: "slave-lazy-flush", Kind: Bool, Default: "no",
		Help:  "accepted for Redis' sake: what a full copy replaces is freed one way",
		Field: func(c *Config) *Value { return &c.idle.lazyReplica },
	},
	{
		Name: "activerehashing", Kind: Bool, Default: "yes",
		Help:  "accepted for Redis' sake: tables grow as keys come, whatever it says",
		Field: func(c *Config) *Value { return &c.idle.rehashing },
	},
	{
		Name: "dynamic-hz", Kind: Bool, Default: "yes",
		Help:  "accepted for Redis' sake, as hz",
		Field: func(c *Config) *Value { return &c.idle.dynamicHz },
	},
}

const (
	maxInt32 = 1<<31 - 1
	maxInt64 = 1<<63 - 1
)

var protectedWords = []string{"no", "yes", "local"}

func policyWords() []string {
	var l []string
	for _, p := range evict.All {
		l = append(l, p.Name)
	}
	return l
}

func applyEviction(s *Server, c *Config) error {
	s.ks.SetEviction(func(e *evict.Setup) {
		e.Policy, e.Samples = evict.Find(c.policy.String()), int(c.samples.Int())
		e.LogFactor, e.DecayTime = int(c.lfuLogFactor.Int()), int(c.lfuDecayTime.Int())
		e.Costs = evict.Costs(c.costs.Int())
	})
	return nil
}

func applyStreams(s *Server, c *Config) error {
	s.env.Streams.Set(c.idmpDuration.Int(), c.idmpMaxSize.Int())
	return nil
}

func applySlowLog(s *Server, c *Config) error {
	s.env.Table.Observer.Slow.SetLimits(c.slowLen.Int(), c.slowArgs.Int(), c.slowBytes.Int())
	return nil
}

// Config holds the value of every setting. All methods may be called from any
// goroutine.
type Config struct {
	bindAddrs, port, unixSocket, unixSocketPerm, protectedMode, requirePass               Value
	maxClients, timeout, keepAlive, backlog, databases, ioThreads                         Value
	dir, dbFilename, appendOnly, appendFsync, save                                        Value
	stopOnSaveError, rewritePercent, rewriteMin, diskReserve                              Value
	maxMemory, policy, samples, tenacity, costs, lfuLogFactor, lfuDecayTime, clientMemory Value
	compression, compressMin, compressMax, compressIdle, compressTypes                    Value
	pidFile, idmpDuration, idmpMaxSize                                                    Value
	busyAfter, scriptMemory                                                               Value
	maxBulk, queryLimit, outputLimit, trackingKeys, trackingItems, searchTracking, notify Value
	slowerThan, slowLen, slowArgs, slowBytes, spikes, histograms, percentiles             Value
	replicaOf, masterUser, masterAuth, replicaReadOnly, replTimeout                       Value
	serveStale, replicaPriority                                                           Value
	enableReplicas, backlogSize, backlogTTL, pingPeriod, minReplicas, maxLag              Value
	shutdownTimeout                                                                       Value
	enableDebug, enableOutgoing, enableProtected, logLevel, logFile, hz                   Value
	embed, embedURL, embedKey, embedDim, embedTimeout, embedBatch, embedCache             Value
	http, httpKeys, httpUpstream, httpUpstreamKey, httpNamespace, httpTimeout             Value
	httpMaxBody                                                                           Value

	// idle are those of Redis' files, which are set and read and do nothing.
	idle struct {
		rdbCompression, rdbSaveSync, rdbDelSync, rdbChecksum, appendFile, appendDir          Value
		aofPreamble, aofTruncated, aofCorruptTail, aofRewriteSync, aofTimes, noSyncOnRewrite Value
		lazyEvict, lazyExpire, lazyServerDel, lazyDel, lazyFlush, lazyReplica                Value
		rehashing, dynamicHz                                                                 Value
	}

	// File is the configuration file that was read, as an absolute path.
	File string
	// Ignored lists what the file sets that Redis knows and that means nothing
	// here.
	Ignored []string
	// Args are the arguments that LoadConfig has read.
	Args []string

	// Clock is what the keyspace goes by; nil for the system's.
	Clock store.Clock
	// Files are where the data folder is; nil for the system's.
	Files vfs.FS

	notifier     Notifier
	outputLimits atomic.Pointer[session.Limits]
	level        slog.LevelVar
	logger       atomic.Pointer[slog.Logger]

	mu struct {
		sync.Mutex
		server *Server // set by bind
	}
}

// bind applies every setting to the server. From then on changes are applied as
// they are made.
func (c *Config) bind(s *Server) {
	c.notifier.broker = s.env.PubSub
	s.ks.Notify(&c.notifier)
	s.stats.probe = func() (int64, traffic) { return s.ks.Used(), s.traffic() }
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.server = s
	if len(c.Ignored) > 0 {
		c.Logger().Warn("the configuration file sets what has no meaning here", "file", c.File, "settings", strings.Join(c.Ignored, " "))
	}
	for _, x := range Settings {
		if x.Apply == nil {
			continue
		}
		if err := x.Apply(s, c); err != nil {
			c.Logger().Error("setting does not apply", "name", x.Name, "error", err)
		}
	}
}

// Value is the value of a setting. Reading it takes no lock.
type Value struct {
	n atomic.Int64
	s atomic.Pointer[string]
}

// Int is a number, or an enumeration's place in its list of words.
func (v *Value) Int() int64 { return v.n.Load() }

// Bool is a yes or no.
func (v *Value) Bool() bool { return v.n.Load() != 0 }

// String is the value as CONFIG GET shows it.
func (v *Value) String() string {
	if p := v.s.Load(); p != nil {
		return *p
	}
	return ""
}

func (v *Value) store(n int64, s string) {
	v.n.Store(n)
	v.s.Store(&s)
}

// Bind lists the addresses to listen on; one with - in front is optional.
func (c *Config) Bind() []string { return strings.Fields(c.bindAddrs.String()) }

// Port is the TCP port, 0 for one that the system chooses, -1 for none.
func (c *Config) Port() int { return int(c.port.Int()) }

// UnixSocket is the path of the unix socket, empty for none.
func (c *Config) UnixSocket() string { return c.unixSocket.String() }

// UnixSocketPerm is the mode of the unix socket, 0 to leave it to the umask.
func (c *Config) UnixSocketPerm() os.FileMode { return os.FileMode(c.unixSocketPerm.Int()) }

// ProtectedMode reports whether strangers from other machines are refused
// while there is no password.
func (c *Config) ProtectedMode() bool { return c.protectedMode.Bool() && c.requirePass.String() == "" }

// RequirePass is the password, empty for none.
func (c *Config) RequirePass() string { return c.requirePass.String() }

// MaxClients is how many clients may be connected.
func (c *Config) MaxClients() int { return int(c.maxClients.Int()) }

// Timeout is after how long an idle client is closed, 0 for never.
func (c *Config) Timeout() time.Duration { return time.Duration(c.timeout.Int()) * time.Second }

// IOThreads is how many reactors there are.
func (c *Config) IOThreads() int {
	if n := int(c.ioThreads.Int()); n > 0 {
		return n
	}
	return index.Processors()
}

// KeepAlive is the time between TCP probes, 0 for none.
func (c *Config) KeepAlive() time.Duration { return time.Duration(c.keepAlive.Int()) * time.Second }

// Dir is the folder of the data files, an absolute path.
func (c *Config) Dir() string { return c.dir.String() }

// AppendOnly reports whether there is a log.
func (c *Config) AppendOnly() bool { return c.appendOnly.Bool() }

// AppendFsync is always, everysec or no.
func (c *Config) AppendFsync() string { return c.appendFsync.String() }

// FsyncAlways reports whether replies wait for the disk.
func (c *Config) FsyncAlways() bool { return c.appendFsync.Int() == 1 }

// MaxBulk is the size of the largest argument in bytes.
func (c *Config) MaxBulk() int64 { return c.maxBulk.Int() }

// QueryBufferLimit is the size of the largest command in bytes.
func (c *Config) QueryBufferLimit() int64 { return c.queryLimit.Int() }

// applyOutputLimits makes client-output-buffer-limit the limits of all clients.
func (c *Config) applyOutputLimits() {
	m := outputLimits(c.outputLimit.String())
	limit := func(class string) session.Limit {
		v := m[class]
		return session.Limit{Hard: int(v[0]), Soft: int(v[1]), For: time.Duration(min(v[2], maxInt32)) * time.Second}
	}
	c.outputLimits.Store(&session.Limits{Normal: limit("normal"), Push: limit("pubsub"), Stream: limit("slave")})
}

// DebugAllowed reports whether a client may use DEBUG; local says that it is
// on this machine.
func (c *Config) DebugAllowed(local bool) bool { return protectedAllowed(&c.enableDebug, local) }

// ReplTimeout is how long a replica waits for a word of its master.
func (c *Config) ReplTimeout() time.Duration { return time.Duration(c.replTimeout.Int()) * time.Second }

// ReplicasAllowed reports whether a client may become a replica.
func (c *Config) ReplicasAllowed(local bool) bool { return protectedAllowed(&c.enableReplicas, local) }

// ConnectAllowed reports whether a client may have the server connect to others.
func (c *Config) ConnectAllowed(local bool) bool { return protectedAllowed(&c.enableOutgoing, local) }

func protectedAllowed(v *Value, local bool) bool {
	return v.String() == "yes" || local && v.String() == "local"
}
