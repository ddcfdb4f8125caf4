package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	nethttp "net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nearcache/nearcache/resp/http"
)

// parseHTTP reads an address: a port alone is one of this machine.
func parseHTTP(words []string, _ string) (int64, string, error) {
	if len(words) != 1 {
		return 0, "", errors.New("wrong number of arguments")
	}
	addr := words[0]
	if addr == "" {
		return 0, "", nil
	}
	if !strings.Contains(addr, ":") {
		addr = "127.0.0.1:" + addr
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, "", errors.New("argument must be a port, or address:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return 0, "", errors.New("argument must end in a port, 0 to 65535")
	} else {
		return int64(n), addr, nil
	}
}

// parseHTTPKeys keeps the keys' hashes, not the keys.
func parseHTTPKeys(words []string, _ string) (int64, string, error) {
	var l []string
	for _, w := range words {
		for _, w := range strings.Fields(w) {
			k, err := http.ParseKey(w)
			if err != nil {
				return 0, "", err
			}
			l = append(l, k.String())
		}
	}
	return int64(len(l)), strings.Join(l, " "), nil
}

func parseUpstream(words []string, _ string) (int64, string, error) {
	if len(words) != 1 {
		return 0, "", errors.New("wrong number of arguments")
	}
	if words[0] == "" {
		return 0, "", nil
	}
	u, err := url.Parse(words[0])
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return 0, "", errors.New("argument must be an address that begins with http:// or https://")
	}
	return 0, strings.TrimRight(words[0], "/"), nil
}

func parseNamespace(words []string, _ string) (int64, string, error) {
	if len(words) != 1 || words[0] == "" || len(words[0]) > 128 || strings.ContainsAny(words[0], "{} ") {
		return 0, "", errors.New("argument must be a name without braces and spaces")
	}
	return 0, words[0], nil
}

// web is the server's HTTP side.
type web struct {
	settings atomic.Pointer[http.Settings] // replaced as a whole
	listener net.Listener                  // nil: no HTTP
}

func applyHTTP(s *Server, c *Config) error {
	set := &http.Settings{
		Upstream: c.httpUpstream.String(), UpstreamKey: c.httpUpstreamKey.String(), Namespace: c.httpNamespace.String(),
		Timeout: time.Duration(c.httpTimeout.Int()) * time.Second, MaxBody: c.httpMaxBody.Int(),
	}
	for _, w := range strings.Fields(c.httpKeys.String()) {
		k, err := http.ParseKey(w)
		if err != nil {
			return err
		}
		set.Keys = append(set.Keys, k)
	}
	s.web.settings.Store(set)
	return nil
}

// currentHTTP adds what has rows of its own.
func (s *Server) currentHTTP() *http.Settings {
	set := *s.web.settings.Load()
	set.Password = s.cfg.RequirePass()
	set.Protected = s.cfg.ProtectedMode()
	set.MaxRequests = s.cfg.MaxClients()
	return &set
}

// HTTPAddr is the address that HTTP is served on, empty if it is not. It is known
// once Ready is closed.
func (s *Server) HTTPAddr() string {
	if s.web.listener == nil {
		return ""
	}
	return s.web.listener.Addr().String()
}

// listenHTTP opens the address of HTTP, if there is one.
func (s *Server) listenHTTP() (err error) {
	addr := s.cfg.http.String()
	if addr == "" {
		return nil
	}
	if s.web.listener, err = net.Listen("tcp", addr); err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	return nil
}

// Limits of HTTP connections.
const (
	headerTime  = 10 * time.Second // for the header of a request
	bodyTime    = 60 * time.Second // for all of it
	idleTime    = 2 * time.Minute
	maxHeader   = 64 << 10
	shutdownMax = 5 * time.Second // for requests that are under way
)

// serveHTTP serves until ctx ends; then requests have a moment to end.
func (s *Server) serveHTTP(ctx context.Context) {
	h := http.New(http.Options{
		Keyspace: s.ks, Cache: s.env.Semantic, Models: s.embed.Set, Settings: s.currentHTTP, Logger: s.cfg.Logger,
		Refused: s.WriteError,
		Full:    func() bool { return s.ks.MaxMemory() > 0 && s.ks.FreeMemory() != nil },
		Durable: s.waitDurable,
		Loading: s.loading.on,
		Info:    func(sections ...string) string { return s.Info(sections) },
	})
	defer h.Close()
	srv := &nethttp.Server{
		Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.cfg.Logger().Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(s.web.listener) }()
	s.cfg.Logger().Info("ready to serve HTTP", "addr", s.HTTPAddr())
	select {
	case err := <-served:
		s.cfg.Logger().Error("HTTP is not served any more", "error", err)
		return
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), shutdownMax)
	defer cancel()
	if srv.Shutdown(end) != nil {
		_ = srv.Close()
	}
	<-served
}

// waitDurable waits until what was committed is as safe as appendfsync says.
func (s *Server) waitDurable() error {
	log := s.aof.Load()
	if log == nil {
		return nil
	}
	if lsn := log.Appended(); log.Pending(lsn) {
		return log.Wait(lsn)
	}
	return nil
}
