package transfer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nearcache/nearcache/resp/client"
	"github.com/nearcache/nearcache/resp/server"
)

// end says which server data go to or come from.
type end struct {
	addr, dir, user, password string
}

func (e *end) flags(fs *flag.FlagSet, name string) {
	fs.StringVar(&e.addr, name, "127.0.0.1:6379", "HOST:PORT or unix socket of a running server")
	fs.StringVar(&e.dir, "dir", "", "data folder of a nearcache that does not run; instead of -"+name)
	fs.StringVar(&e.user, "user", "", "name for AUTH")
	fs.StringVar(&e.password, "password", os.Getenv("NEARCACHE_REQUIREPASS"), "password for AUTH; the default is $NEARCACHE_REQUIREPASS")
}

// patience is how long a server may take for a pipeline.
const patience = 5 * time.Minute

// open connects; stop must be called afterwards, and tells whether a folder's data
// are written.
func (e *end) open(ctx context.Context) (c *client.Conn, stop func() error, err error) {
	addr := e.addr
	stop = func() error { return nil }
	if e.dir != "" {
		if addr, stop, err = serve(ctx, e.dir); err != nil {
			return nil, nil, err
		}
	}
	o := client.Options{Proto: 2, Username: e.user, Password: e.password, Timeout: patience}
	if e.dir != "" {
		o.Username, o.Password = "", ""
	}
	if c, err = client.Dial(ctx, addr, o); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	down := stop
	return c, func() error { return errors.Join(c.Close(), down()) }, nil
}

// serve starts a server on a data folder, which only this process can reach.
func serve(ctx context.Context, dir string) (addr string, stop func() error, err error) {
	tmp, err := os.MkdirTemp("", "nearcache-")
	if err != nil {
		return "", nil, err
	}
	socket := filepath.Join(tmp, "socket")
	cfg, err := server.LoadConfig([]string{
		"--port", "0", "--unixsocket", socket, "--unixsocketperm", "600", "--dir", dir, "--appendonly", "yes", "--loglevel", "warning",
	}, func(string) string { return "" })
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(tmp))
	}
	// It must outlive ctx: what was entered is written when it ends.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := server.New(cfg)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = func() error {
		cancel()
		return errors.Join(<-ended, os.RemoveAll(tmp))
	}
	select {
	case <-s.Ready():
		return socket, stop, nil
	case err := <-ended:
		cancel()
		return "", nil, errors.Join(fmt.Errorf("data folder %s: %w", dir, err), os.RemoveAll(tmp))
	}
}

// progress tells about once a second how far a reader has come.
type progress struct {
	ctx  context.Context
	r    io.Reader
	w    io.Writer // nil: nobody wants to know
	name string
	n    int64
	of   int64 // bytes of the file, -1: unknown
	next time.Time
}

const progressEvery = time.Second

// Read implements io.Reader. It fails when ctx has ended.
func (p *progress) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	p.n += int64(n)
	if now := time.Now(); p.w != nil && now.After(p.next) {
		if !p.next.IsZero() && p.of > 0 {
			fmt.Fprintf(p.w, "%s: %d of %d MB, %d%%\n", p.name, p.n>>20, p.of>>20, 100*p.n/p.of)
		}
		p.next = now.Add(progressEvery)
	}
	return n, err
}

// Len is how many bytes are left, -1 where that is not known.
func (p *progress) Len() int { return int(max(p.of-p.n, -1)) }

// openFile opens a file for reading.
func openFile(ctx context.Context, path string, w io.Writer) (*progress, func() error, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	p := &progress{ctx: ctx, r: f, w: w, name: filepath.Base(path), of: -1}
	if fi, err := f.Stat(); err == nil && fi.Mode().IsRegular() {
		p.of = fi.Size()
	}
	return p, f.Close, nil
}

// writeFile has fill write a file, which takes its name when it is complete and on
// the disk.
func writeFile(path string, fill func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
