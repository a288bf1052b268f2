package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/hark-events/hark/bench/stock"
)

// A child is a limit server, or another to compare with: this program again, as
// a process of its own like the hark whose place it takes.
type child struct {
	addr  string
	pid   int
	cmd   *exec.Cmd
	stdin io.Closer
}

// startChild starts one on a core, or on any.
func startChild(ctx context.Context, core, kind string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := command(ctx, core, self, kind)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{pid: cmd.Process.Pid, cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the %s: %w", kind, err), c.stop())
	}
	c.addr = strings.TrimSpace(line)
	return c, nil
}

// stop ends the child: it lives as long as its stdin.
func (c *child) stop() error {
	if err := errors.Join(c.stdin.Close(), c.cmd.Wait()); err != nil {
		return fmt.Errorf("the limit's server: %w", err)
	}
	return nil
}

// serveLimit is the child: it prints its address and serves until stdin ends.
func serveLimit(kind string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	if kind == "stock" {
		go func() { _ = stock.Serve(ln) }() // for as long as the process lives
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	}
	serve := new(sink).serve
	switch kind {
	case "fan":
		serve = new(fan).serve
	case "receivers":
		serve = new(receivers).serve
	}
	go accept(ln, serve)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func accept(ln net.Listener, serve func(net.Conn) error) {
	var serving sync.WaitGroup
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		serving.Go(func() {
			_ = serve(c) // the peer hung up
			_ = c.Close()
		})
	}
}
