package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nearcache/nearcache/index/kinds"
	"github.com/nearcache/nearcache/resp/blocking"
	"github.com/nearcache/nearcache/resp/command"
	"github.com/nearcache/nearcache/resp/commands"
	"github.com/nearcache/nearcache/resp/observe"
	"github.com/nearcache/nearcache/resp/pubsub"
	"github.com/nearcache/nearcache/resp/reactor"
	"github.com/nearcache/nearcache/resp/script"
	"github.com/nearcache/nearcache/resp/session"
	"github.com/nearcache/nearcache/resp/tracking"
	"github.com/nearcache/nearcache/store"
	"github.com/nearcache/nearcache/store/catalog"
	"github.com/nearcache/nearcache/store/persist"
	"github.com/nearcache/nearcache/store/semcache"
)

// Server is one nearcache process. Make it with New, then Run it once.
type Server struct {
	cfg      *Config
	env      command.Env
	ks       *store.Keyspace
	aof      atomic.Pointer[persist.Log] // nil without appendonly, and while it is loaded
	files    atomic.Pointer[persist.Log] // the data folder: aof, or where snapshots go; nil before the first
	saves    saver
	loading  loading
	disk     disk
	reserve  reserve
	ending   ending
	ctx      context.Context
	clock    *observe.Clock
	stats    Stats
	clients  clientMemory
	pause    pause
	gc       collector
	embed    models
	replica  replica
	source   source
	web      web
	nextID   atomic.Uint64
	wg       sync.WaitGroup
	reactors *reactor.Pool // nil: each client has a goroutine
	stop     context.CancelFunc
	stopped  atomic.Bool
	started  time.Time
	ready    chan struct{} // closed when Addr is known
	mu       struct {
		sync.Mutex
		listeners []net.Listener
	}
}

// New builds the server from its settings. Nothing is opened yet.
func New(cfg *Config) *Server {
	s := &Server{gc: newCollector(), cfg: cfg, ready: make(chan struct{}), started: time.Now()}
	s.clock = observe.NewClock(cfg.Clock)
	s.embed = newModels(cfg)
	s.ks = store.New(store.Options{Clock: s.clock.Now})
	clients := &session.Registry{}
	s.env = command.Env{
		Keyspace: s.ks,
		Catalog:  catalog.New(s.ks, kinds.In(cfg.Dir())),
		Table:    command.NewTable(commands.All()...),
		Clients:  clients,
		Tracking: tracking.New(clients),
		PubSub:   &pubsub.Broker{},
		Clock:    s.clock,
		Server:   s,
	}
	s.env.Semantic = semcache.New(s.ks, s.env.Catalog)
	s.env.Semantic.SetEmbedders(s.embed.find)
	s.env.Blocking = blocking.New(s.env.ServeLate)
	s.env.Scripts = script.New(script.Options{Logger: cfg.Logger, Keys: s.env.Table.KeysOf})
	s.initSource()
	s.initEnding()
	s.ks.Observe(logObserver{s})
	s.ks.Observe(sourceObserver{s})
	s.ks.Observe(s.env.Tracking)
	s.ks.Observe(s.env.Blocking)
	s.ks.CountMemory(func() int64 { return s.env.Tracking.Stats().Bytes })
	s.ks.CountMemory(func() int64 { return s.clients.bytes.Load() - s.clients.sole.Load() }) // the keyspace finds that itself
	s.ks.CountMemory(s.env.HotKeys.Bytes)
	s.ks.CountMemory(func() int64 {
		kept, _ := s.replicaMemory() // counting what waits would evict, and so make more wait
		return kept
	})
	s.initSaver()
	cfg.bind(s)
	return s
}

// Run opens the data folder, loads it, and serves until SHUTDOWN, or ctx ends: then it waits
// for replicas that lag, see shutdown.go.
// Clients are let in at once, and are told that it is loading until it has. When Run
// returns, every goroutine it has started is gone and the log is closed.
func (s *Server) Run(ctx context.Context) error {
	told := ctx
	ctx, s.stop = context.WithCancel(context.WithoutCancel(told))
	defer s.stop()
	defer s.source.end()
	s.ctx = ctx
	defer s.embed.Close()
	if err := s.embed.Open(); err != nil {
		return err
	}
	s.loading.begin()
	if err := s.listen(); err != nil {
		return err
	}
	if err := s.listenHTTP(); err != nil {
		s.closeListeners()
		return err
	}
	if err := s.openReactors(); err != nil {
		s.closeListeners()
		return err
	}
	defer s.writePID()()
	for _, l := range s.mu.listeners {
		s.wg.Go(func() { s.accept(ctx, l) })
	}
	if s.web.listener != nil {
		s.wg.Go(func() { s.serveHTTP(ctx) })
	}
	loaded := context.AfterFunc(told, s.stop)
	err := s.openData(ctx)
	loaded()
	if err == nil {
		s.env.Semantic.Loaded()
		s.loading.end()
		close(s.ready)
		for _, l := range s.mu.listeners {
			s.cfg.Logger().Info("ready to accept connections", "addr", l.Addr().String())
		}
		s.wg.Go(func() { s.expireLoop(ctx) })
		s.wg.Go(func() { s.upkeepLoop(ctx) })
		s.wg.Go(func() { s.collectLoop(ctx) })
		s.wg.Go(func() { s.evictLoop(ctx) })
		s.wg.Go(func() { s.compressLoop(ctx) })
		s.wg.Go(func() { s.sweepLoop(ctx) })
		s.startReplica()
		s.wg.Go(func() { s.endWith(told) })
		<-ctx.Done()
	} else if s.stop(); ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // asked to end while it was loading
	}
	s.mu.Lock()
	s.stopped.Store(true)
	s.mu.Unlock()
	s.env.Scripts.Stop() // a link may wait for one
	s.endReplica()
	s.Unpause()
	s.embed.Close() // who waits for a vector hears it
	s.env.Semantic.Stop()
	s.closeListeners()
	s.dropCopies()
	for _, c := range s.env.Clients.All() {
		if !c.Replica.Load() { // for letReplicasGo
			c.Kill()
		}
	}
	s.wg.Wait()
	if s.reactors != nil {
		s.reactors.Close()
	}
	if err == nil && !s.loading.on() {
		s.env.Semantic.Keep(s.env.Semantic.Begin(context.Background()))
	}
	s.letReplicasGo()
	if err == nil && !s.loading.on() {
		err = s.saveAtEnd()
		s.placeAtEnd()
		if log := s.aof.Load(); log != nil {
			_ = log.Flush() // first what nothing else has; Close reports errors
			s.saveGraphs()
		}
	}
	s.env.Catalog.Close()
	s.env.Tracking.Release()
	return errors.Join(err, s.closeFiles())
}

// writePID writes the pidfile, if there is to be one; remove takes it away.
func (s *Server) writePID() (remove func()) {
	path := s.cfg.pidFile.String()
	if path == "" {
		return func() {}
	}
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
		s.cfg.Logger().Warn("the pidfile cannot be written", "error", err)
		return func() {}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			s.cfg.Logger().Warn("the pidfile cannot be removed", "error", err)
		}
	}
}

func (s *Server) closeListeners() {
	for _, l := range s.mu.listeners {
		_ = l.Close()
	}
	if s.web.listener != nil {
		_ = s.web.listener.Close()
	}
}

// spawn runs f on a goroutine that Run waits for. While the server ends it runs here, where
// its context says so to it.
func (s *Server) spawn(f func()) { s.spawnIn(&s.wg, f) }

func (s *Server) spawnIn(wg *sync.WaitGroup, f func()) {
	s.mu.Lock()
	stopped := s.stopped.Load()
	if !stopped {
		wg.Go(f)
	}
	s.mu.Unlock()
	if stopped {
		f()
	}
}

// Ready is closed once the server accepts connections.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is the TCP address the server listens on, empty if it does not. It is
// known once Ready is closed.
func (s *Server) Addr() string {
	for _, l := range s.mu.listeners {
		if l.Addr().Network() == "tcp" {
			return l.Addr().String()
		}
	}
	return ""
}

// Keyspace is the server's data, for embedding and tests.
func (s *Server) Keyspace() *store.Keyspace { return s.ks }

func (s *Server) stopping() bool { return s.stopped.Load() }

// listen opens the addresses of bind and the unix socket. As in Redis, an
// address that begins with - may be missing on this machine, and port 0 beside a
// unix socket means no TCP. Without one, where Redis would be out of reach, the
// system chooses the port.
func (s *Server) listen() error {
	port := s.cfg.Port()
	for _, host := range s.cfg.Bind() {
		if port == 0 && s.cfg.UnixSocket() != "" {
			break
		}
		name := strings.TrimPrefix(host, "-")
		if name == "*" {
			name = ""
		}
		l, err := net.Listen("tcp", net.JoinHostPort(name, strconv.Itoa(port)))
		if err != nil {
			if name != host && !errors.Is(err, syscall.EADDRINUSE) {
				continue
			}
			return fmt.Errorf("listen on %s port %d: %w", name, port, err)
		}
		s.mu.listeners = append(s.mu.listeners, l)
		if port == 0 { // the other addresses share the port that was chosen
			port = l.Addr().(*net.TCPAddr).Port
		}
	}
	if path := s.cfg.UnixSocket(); path != "" {
		l, err := listenUnix(path, s.cfg.UnixSocketPerm())
		if err != nil {
			return err
		}
		s.mu.listeners = append(s.mu.listeners, l)
	}
	if len(s.mu.listeners) == 0 {
		return errors.New("nothing to listen on: set port or unixsocket")
	}
	return nil
}

func listenUnix(path string, perm os.FileMode) (net.Listener, error) {
	if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
		if c, err := net.Dial("unix", path); err == nil {
			_ = c.Close()
			return nil, fmt.Errorf("listen on %s: another server answers there", path)
		}
		_ = os.Remove(path) // left behind by a server that died
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if perm != 0 {
		if err := os.Chmod(path, perm); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// acceptPause is how long the listener rests after an error such as running
// out of file descriptors.
const acceptPause = 50 * time.Millisecond

func (s *Server) accept(ctx context.Context, l net.Listener) {
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		if err != nil {
			s.cfg.Logger().Warn("accept failed", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		if refusal := s.refusal(conn); refusal != "" {
			s.stats.Rejected.Add(1)
			_ = conn.SetWriteDeadline(time.Now().Add(acceptPause))
			_, _ = conn.Write([]byte(refusal))
			_ = conn.Close()
			continue
		}
		if t, ok := conn.(*net.TCPConn); ok && s.cfg.KeepAlive() > 0 {
			_ = t.SetKeepAlivePeriod(s.cfg.KeepAlive())
		}
		if s.reactors != nil {
			if err := s.adopt(conn); err != nil {
				s.cfg.Logger().Warn("accept failed", "error", err)
			}
			continue
		}
		s.wg.Go(func() { s.serve(conn) })
	}
}

// refusal is what a client is told that may not come in, empty for others.
func (s *Server) refusal(conn net.Conn) string {
	switch {
	case s.env.Clients.Len() >= s.cfg.MaxClients():
		return "-ERR max number of clients reached\r\n"
	case s.cfg.ProtectedMode() && !isLocal(conn.RemoteAddr()):
		return "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. " +
			"In this mode connections are only accepted from the loopback interface. Set a password (requirepass), " +
			"or, where only you can reach the port, start the server with --protected-mode no.\r\n"
	}
	return ""
}

// evictLoop evicts what commands leave over: they stop after a time, see
// maxmemory-eviction-tenacity.
func (s *Server) evictLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ks.Pressure():
			_ = s.ks.FreeMemory() // which asks for more where there is more to do
		}
	}
}
