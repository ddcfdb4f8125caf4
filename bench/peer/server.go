package peer

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nearcache/nearcache/resp/client"
)

// Server is a server that is up.
type Server struct {
	Name    string
	Addr    string
	Version string
	Started string       // the arguments, when this program started it
	Ctl     *client.Conn // for questions beside the load
	cmd     *exec.Cmd
	dir     string
	tail    *tail
}

// tail keeps the last bytes that a server wrote, for the error message.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 4<<10 {
		t.b = append(t.b[:0], t.b[len(t.b)-2<<10:]...)
	}
	return len(p), nil
}

// startTime is how long a started server may take until it answers.
const startTime = 30 * time.Second

// Open connects to the server of spec and starts it where spec says how:
// root is the checkout that ours is built from, tmp a folder for what they write.
func Open(ctx context.Context, spec Spec, root, tmp string) (*Server, error) {
	p := &Server{Name: spec.Name, Addr: spec.Addr}
	if spec.Argv != nil {
		if err := p.start(ctx, spec, root, tmp); err != nil {
			p.Close()
			return nil, fmt.Errorf("%s: %w", spec.Name, err)
		}
	}
	var err error
	for end := time.Now().Add(startTime); ; time.Sleep(50 * time.Millisecond) {
		if p.Ctl, err = client.Dial(ctx, p.Addr, client.Options{Proto: 2, Timeout: 5 * time.Minute}); err == nil {
			if _, err = p.Ctl.Do("PING"); err == nil {
				break
			}
			p.Ctl.Close()
			p.Ctl = nil
		}
		if p.cmd == nil || time.Now().After(end) || ctx.Err() != nil {
			p.Close()
			if p.tail != nil {
				err = fmt.Errorf("%w; it said: %s", err, bytes.TrimSpace(p.tail.b))
			}
			return nil, fmt.Errorf("%s: %w", spec.Name, err)
		}
	}
	info := p.Info()
	p.Version = info["redis_version"]
	if v := info["nearcache_version"]; v != "" {
		p.Version = v
	}
	return p, nil
}

func (p *Server) start(ctx context.Context, spec Spec, root, tmp string) error {
	bin := spec.Argv[0]
	if spec.Own {
		bin = filepath.Join(tmp, "nearcache")
	}
	if _, err := os.Stat(bin); spec.Own && err != nil { // built once a run
		build := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/nearcache")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	dir, err := os.MkdirTemp(tmp, spec.Name)
	if err != nil {
		return err
	}
	p.dir = dir
	port, err := FreePort()
	if err != nil {
		return err
	}
	p.Addr = net.JoinHostPort("127.0.0.1", port)
	r := strings.NewReplacer("{port}", port, "{dir}", dir)
	args := make([]string, len(spec.Argv)-1)
	for i, a := range spec.Argv[1:] {
		args[i] = r.Replace(a)
	}
	p.Started = CommandLine(filepath.Base(spec.Argv[0]), spec.Argv[1:])
	p.tail = &tail{}
	p.cmd = exec.Command(bin, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout = p.tail
	p.cmd.Stderr = p.tail
	if err := pinned(spec.CPUs, p.cmd.Start); err != nil {
		p.cmd = nil
		return err
	}
	return nil
}

// FreePort is a port of 127.0.0.1 that nobody listens to.
func FreePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, err
}

// Fill sends n commands to the server, many at a time.
func (p *Server) Fill(n int, command func(i int) []any) error {
	for i := 0; i < n; {
		pipe := p.Ctl.Pipeline()
		for range min(1000, n-i) {
			pipe.Add(command(i)...)
			i++
		}
		if _, err := pipe.Run(); err != nil {
			return err
		}
	}
	return nil
}

// Close ends a server that this program started.
func (p *Server) Close() {
	if p.Ctl != nil {
		p.Ctl.Close()
	}
	if p.cmd == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // by a signal: always an error
		close(done)
	}()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		select {
		case <-done:
			return
		case <-time.After(5 * time.Second):
		}
	}
	_ = p.cmd.Process.Kill() // it may have ended just now
	<-done
}

// Info is INFO as a map; empty when the server has none.
func (p *Server) Info() map[string]string {
	m := map[string]string{}
	v, err := p.Ctl.Do("INFO")
	if err != nil {
		return m
	}
	sc := bufio.NewScanner(strings.NewReader(v.Str))
	for sc.Scan() {
		if k, val, ok := strings.Cut(strings.TrimSpace(sc.Text()), ":"); ok {
			m[k] = val
		}
	}
	return m
}

// CPU is the processor time that the server took so far, in seconds; negative
// when it cannot be known.
func (p *Server) CPU() float64 {
	if p.cmd != nil {
		if s, err := ProcessCPU(p.cmd.Process.Pid); err == nil {
			return s
		}
	}
	info := p.Info()
	user, err1 := strconv.ParseFloat(info["used_cpu_user"], 64)
	sys, err2 := strconv.ParseFloat(info["used_cpu_sys"], 64)
	if err1 != nil || err2 != nil {
		return -1
	}
	return user + sys
}

// RSS is the memory that the server holds, in bytes; 0 when it cannot be known.
func (p *Server) RSS() int64 {
	if p.cmd != nil {
		if n, err := ProcessRSS(p.cmd.Process.Pid); err == nil {
			return n
		}
	}
	n, err := strconv.ParseInt(p.Info()["used_memory_rss"], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// PID is the process of a server that this program started, 0 otherwise.
func (p *Server) PID() int {
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// OpenAll opens the servers in order; on an error those that are up are closed.
func OpenAll(ctx context.Context, specs []Spec, root, tmp string) (servers []*Server, err error) {
	for _, spec := range specs {
		p, err := Open(ctx, spec, root, tmp)
		if err != nil {
			CloseAll(servers)
			return nil, err
		}
		servers = append(servers, p)
	}
	return servers, nil
}

// CloseAll closes servers.
func CloseAll(servers []*Server) {
	for _, p := range servers {
		p.Close()
	}
}
