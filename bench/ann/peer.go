package ann

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errThreads is an engine's answer where it can only use one thread.
var errThreads = errors.New("it has one thread only")

// peer is an engine in a process of its own. It is told one command a line and
// answers with a line of JSON; labels and latencies travel in files. malloc is
// told to ask for huge pages, and the peer itself collapses what has none.
//
//	build THREADS        {"seconds", "cpu", "before", "after", "huge": memory}
//	save FILE, load FILE
//	search EF THREADS
type peer struct {
	o    *options
	what string
	dir  string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader

	cache string // file of the saved index, "" for none
}

type answer struct {
	timing
	Error         string `json:"error"`
	Before, After memory
	Huge          memory `json:"huge"`
}

// startPeer runs command with the folder of the data and what describes the index.
func startPeer(o *options, s *set, what string, command ...string) (_ *peer, err error) {
	e := &peer{o: o, what: what}
	if e.dir, err = s.files(); err != nil {
		return nil, err
	}
	if e.dir, err = os.MkdirTemp(e.dir, "peer"); err != nil {
		return nil, err
	}
	for _, f := range []string{"train.f32", "query.f32"} {
		if err := os.Symlink(filepath.Join("..", f), filepath.Join(e.dir, f)); err != nil {
			return nil, err
		}
	}
	args := append(command[1:], e.dir, fmt.Sprint(s.dim), fmt.Sprint(o.k), fmt.Sprint(o.m), fmt.Sprint(o.efc),
		fmt.Sprint(o.seed), strings.ToLower(o.metric.String()))
	e.cmd = exec.Command(command[0], args...)
	// OpenBLAS is to choose by the processor, whatever the environment says.
	e.cmd.Env = append(os.Environ(), "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "OPENBLAS_CORETYPE=", "OPENBLAS_L2_SIZE=")
	e.cmd.Stderr = os.Stderr
	if e.in, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.out = bufio.NewReader(out)
	return e, e.cmd.Start()
}

func (e *peer) version() string { return e.what }
func (e *peer) exact() bool     { return false }
func (e *peer) pid() int        { return e.cmd.Process.Pid }

// hello reads what a peer in Python says at its start: its version.
func (e *peer) hello() (string, error) {
	var a struct{ Version string }
	b, err := e.out.ReadBytes('\n')
	if err != nil {
		return "", fmt.Errorf("it has ended at once: %w", err)
	}
	err = json.Unmarshal(b, &a)
	return a.Version + " from PyPI, huge pages", err
}

func (e *peer) ask(command string, args ...any) (a answer, err error) {
	line := strings.TrimSpace(command + " " + fmt.Sprintln(args...))
	if _, err := fmt.Fprintln(e.in, line); err != nil {
		return a, fmt.Errorf("%s: %w", command, err)
	}
	b, err := e.out.ReadBytes('\n')
	if err != nil {
		return a, fmt.Errorf("%s: the peer has ended: %w", command, err)
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("%s: %w", command, err)
	}
	if a.Error == errThreads.Error() {
		return a, errThreads
	}
	if a.Error != "" {
		return a, fmt.Errorf("%s: %s", command, a.Error)
	}
	return a, nil
}

func (e *peer) build(_ *set, threads int) (b built, err error) {
	side := e.cache + ".json"
	if e.cache != "" && threads == 1 {
		if j, err := os.ReadFile(side); err == nil && json.Unmarshal(j, &b) == nil {
			if _, err := e.ask("load", e.cache); err == nil {
				b.Cached = true
				return b, nil
			}
		}
	}
	a, err := e.ask("build", threads)
	if err != nil {
		return b, err
	}
	b.timing, b.Memory = a.timing, a.After.minus(a.Before)
	b.Memory.Huge = a.Huge.minus(a.Before).Huge
	if e.cache != "" && threads == 1 {
		if _, err := e.ask("save", e.cache); err != nil {
			return b, err
		}
		j, err := json.Marshal(b)
		return b, errors.Join(err, os.WriteFile(side, j, 0o600))
	}
	return b, nil
}

func (e *peer) search(s *set, ef, threads int) (p pass, err error) {
	a, err := e.ask("search", ef, threads)
	if err != nil {
		return p, err
	}
	p.queries, p.timing = s.queries, a.timing
	labels, err := os.ReadFile(filepath.Join(e.dir, "labels"))
	if err != nil {
		return p, err
	}
	if len(labels) != 4*s.queries*e.o.k {
		return p, fmt.Errorf("%d bytes of results", len(labels))
	}
	p.labels = make([]int32, s.queries*e.o.k)
	if err := binary.Read(bytes.NewReader(labels), binary.LittleEndian, p.labels); err != nil {
		return p, err
	}
	micros, err := os.ReadFile(filepath.Join(e.dir, "micros"))
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	for b := micros; len(b) >= 4; b = b[4:] {
		p.micros = append(p.micros, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return p, err
}

func (e *peer) close() {
	if e.in != nil {
		e.in.Close()
	}
	if e.cmd != nil && e.cmd.Process != nil {
		_ = e.cmd.Wait() // it ends with its input
	}
	os.RemoveAll(e.dir)
}
