package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
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

// peer is a server that is up.
type peer struct {
	name    string
	addr    string
	version string
	started string // the arguments, when this program started it
	cmd     *exec.Cmd
	dir     string
	tail    *tail
	ctl     *client.Conn
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

// open connects to the server of spec and starts it where spec says how.
func open(ctx context.Context, spec peerSpec, root, tmp string) (*peer, error) {
	p := &peer{name: spec.name, addr: spec.addr}
	if spec.argv != nil {
		if err := p.start(ctx, spec, root, tmp); err != nil {
			p.close()
			return nil, fmt.Errorf("%s: %w", spec.name, err)
		}
	}
	var err error
	for end := time.Now().Add(stall); ; time.Sleep(50 * time.Millisecond) {
		if p.ctl, err = client.Dial(ctx, p.addr, client.Options{Proto: 2, Timeout: 5 * time.Minute}); err == nil {
			if _, err = p.ctl.Do("PING"); err == nil {
				break
			}
			p.ctl.Close()
			p.ctl = nil
		}
		if p.cmd == nil || time.Now().After(end) || ctx.Err() != nil {
			p.close()
			if p.tail != nil {
				err = fmt.Errorf("%w; it said: %s", err, bytes.TrimSpace(p.tail.b))
			}
			return nil, fmt.Errorf("%s: %w", spec.name, err)
		}
	}
	info := p.info()
	p.version = info["redis_version"]
	if v := info["nearcache_version"]; v != "" {
		p.version = v
	}
	return p, nil
}

func (p *peer) start(ctx context.Context, spec peerSpec, root, tmp string) error {
	bin := spec.argv[0]
	if spec.own {
		bin = filepath.Join(tmp, "nearcache")
		build := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/nearcache")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	dir, err := os.MkdirTemp(tmp, spec.name)
	if err != nil {
		return err
	}
	p.dir = dir
	port, err := freePort()
	if err != nil {
		return err
	}
	p.addr = net.JoinHostPort("127.0.0.1", port)
	r := strings.NewReplacer("{port}", port, "{dir}", dir)
	args := make([]string, len(spec.argv)-1)
	for i, a := range spec.argv[1:] {
		args[i] = r.Replace(a)
	}
	p.started = strings.TrimPrefix(commandLine(append([]string{filepath.Base(spec.argv[0])}, spec.argv[1:]...)), "go run ./bench/load ")
	p.tail = &tail{}
	p.cmd = exec.Command(bin, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout = p.tail
	p.cmd.Stderr = p.tail
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil
		return err
	}
	return nil
}

func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, err
}

func (p *peer) close() {
	if p.ctl != nil {
		p.ctl.Close()
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

// info is INFO as a map; empty when the server has none.
func (p *peer) info() map[string]string {
	m := map[string]string{}
	v, err := p.ctl.Do("INFO")
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

// cpu is the processor time that the server took so far, in seconds; negative
// when it cannot be known.
func (p *peer) cpu() float64 {
	if p.cmd != nil {
		if s, err := processCPU(p.cmd.Process.Pid); err == nil {
			return s
		}
	}
	info := p.info()
	user, err1 := strconv.ParseFloat(info["used_cpu_user"], 64)
	sys, err2 := strconv.ParseFloat(info["used_cpu_sys"], 64)
	if err1 != nil || err2 != nil {
		return -1
	}
	return user + sys
}

// rss is the memory that the server holds, in bytes; 0 when it cannot be known.
func (p *peer) rss() int64 {
	if p.cmd != nil {
		if n, err := processRSS(p.cmd.Process.Pid); err == nil {
			return n
		}
	}
	n, err := strconv.ParseInt(p.info()["used_memory_rss"], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// fill empties the server and stores what w needs. It returns the number of
// commands and the time they took.
func (p *peer) fill(w *workload, m *material) (int, time.Duration, error) {
	// Only servers with search know the first; it fails where there is no index.
	_, err := p.ctl.Do("FT.DROPINDEX", "bench")
	if err != nil && !errors.As(err, new(client.Error)) {
		return 0, 0, err
	}
	if _, err := p.ctl.Do("FLUSHALL"); err != nil {
		return 0, 0, err
	}
	pipe := p.ctl.Pipeline()
	n := 0
	start := time.Now()
	err = w.fill(pipe, m, func(atLeast int) error {
		if pipe.Len() < atLeast {
			return nil
		}
		replies, err := pipe.Run()
		if err != nil {
			return err
		}
		n += len(replies)
		for _, v := range replies {
			if err := v.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	return n, time.Since(start), err
}
