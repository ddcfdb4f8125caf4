package load

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// driveNet runs each connection in a goroutine of its own with blocking reads
// and writes. It works everywhere and costs more per reply than driveEpoll.
func driveNet(socks []net.Conn, conns []*conn, p *pace) error {
	if p != nil {
		return errors.New("an open loop needs epoll")
	}
	errs := make([]error, len(conns))
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() { errs[i] = loopNet(socks[i], c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func loopNet(nc net.Conn, c *conn) error {
	for clock() < c.win.until {
		c.fill(clock())
		if err := nc.SetDeadline(time.Now().Add(stall)); err != nil {
			return err
		}
		if _, err := nc.Write(c.out); err != nil {
			return err
		}
		for c.want > 0 {
			n, err := nc.Read(c.room())
			if err != nil {
				return fmt.Errorf("%d replies are missing: %w", c.want, err)
			}
			if err := c.consume(n, clock()); err != nil {
				return err
			}
		}
	}
	return nil
}
