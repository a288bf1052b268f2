package testkit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const (
	startDeadline = 30 * time.Second // until a server answers
	stopDeadline  = 40 * time.Second // until it is killed: hark drains for 30 s at most
	pollEvery     = 10 * time.Millisecond
)

// errExited is what a server that ends before it answers is known by: most
// often another process has its port.
var errExited = errors.New("the server ended before it answered")

// A process is a running child. It is killed when this process dies, however
// that happens.
type process struct {
	*os.Process
	exited chan struct{} // closed once it has been waited for
	state  *os.ProcessState
}

// startProcess runs cmd with its output in the file logPath, appended.
func startProcess(cmd *exec.Cmd, logPath string, onDeath syscall.Signal) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	dieWithParent(cmd.SysProcAttr, onDeath)

	p := &process{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal comes when the thread that started the child ends, so
		// this one must stay as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
			p.state = cmd.ProcessState
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.Process = cmd.Process
	return p, nil
}

// signal sends sig, unless the process has ended.
func (p *process) signal(sig syscall.Signal) {
	_ = p.Signal(sig) // os.ErrProcessDone is as good
}

// stop sends sig and waits until the process has ended.
func (p *process) stop(sig syscall.Signal) {
	p.signal(sig)
	select {
	case <-p.exited:
	case <-time.After(stopDeadline):
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}

// ready polls until the server answers, ends, or takes too long.
func (p *process) ready(answers func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startDeadline)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("the server did not answer within %v: %w", startDeadline, err)
		}
	}
}

// onFreePort calls start with free ports, until one is not taken meanwhile.
func onFreePort(start func(port int) error) error {
	var err error
	for range 10 {
		// Below the range that systems give to outgoing connections: a client that
		// dials a server which is down cannot get the server's port as its own.
		port := 12000 + rand.IntN(18000)
		l, busy := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if busy != nil {
			err = busy
			continue
		}
		l.Close()
		if err = start(port); !errors.Is(err, errExited) {
			return err
		}
	}
	return err
}

// logTail is the end of a server's log, for the message of a failed start.
func logTail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}
