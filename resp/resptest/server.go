package resptest

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nearcache/nearcache/resp/server"
)

// Server is a nearcache that runs inside the test.
type Server struct {
	*server.Server
	Dir string // the data folder

	stop context.CancelFunc
	done chan error
	once sync.Once
	err  error
}

// Start runs nearcache on a free port of 127.0.0.1 until the test ends, in a
// folder of its own and without a log, unless settings ("--appendonly", "yes")
// say otherwise.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s := &Server{Dir: tb.TempDir(), done: make(chan error, 1)}
	args := append([]string{
		"--bind", "127.0.0.1", "--port", "0", "--dir", s.Dir, "--appendonly", "no", "--save", "",
	}, settings...)
	cfg, err := server.LoadConfig(args, func(string) string { return "" })
	if err != nil {
		tb.Fatal(err)
	}
	cfg.SetLogger(slog.New(slog.NewTextHandler(testLog{tb}, &slog.HandlerOptions{Level: slog.LevelWarn})))
	s.Server = server.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-s.done:
		cancel()
		tb.Fatalf("the server does not start: %v", err)
	case <-time.After(Timeout):
		cancel()
		tb.Fatal("the server does not start")
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Errorf("the server stopped with %v", err)
		}
	})
	return s
}

// Stop ends the server and waits until it is gone.
func (s *Server) Stop() error {
	s.stop()
	return s.Ended()
}

// Ended waits until the server is gone, which something else ends.
func (s *Server) Ended() error {
	s.once.Do(func() {
		s.err = <-s.done
		s.stop()
	})
	return s.err
}

// testLog writes the server's warnings into the test's output.
type testLog struct{ tb testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.tb.Logf("server: %s", strings.TrimSpace(string(b)))
	return len(b), nil
}
