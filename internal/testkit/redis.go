package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// A RedisServer is a redis-server without persistence, on a loopback port of
// its own. Its methods are for the goroutine of its test.
type RedisServer struct {
	t     testing.TB
	bin   string
	dir   string
	flags []string
	port  int
	proc  *process
}

// Redis starts a server that is stopped with the test. Without redis-server on
// the PATH the test fails.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	return newRedis(t)
}

func newRedis(t testing.TB, flags ...string) *RedisServer {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not on the PATH: install Redis 7 or newer (Debian: apt-get install redis-server)")
	}
	r := &RedisServer{t: t, bin: bin, dir: t.TempDir(), flags: flags}
	t.Cleanup(r.Stop)
	if err := onFreePort(r.start); err != nil {
		t.Fatalf("start redis-server: %v\n%s", err, logTail(r.log()))
	}
	return r
}

// URL is redis://127.0.0.1:port, the same after Stop and Start.
func (r *RedisServer) URL() string { return "redis://" + r.addr() }

// Stop ends the server at once: connections break, and all that it knew is gone.
func (r *RedisServer) Stop() {
	if r.proc != nil {
		r.proc.stop(syscall.SIGKILL)
	}
}

// Start starts the server again after Stop, empty, on the same port.
func (r *RedisServer) Start() {
	r.t.Helper()
	if err := r.start(r.port); err != nil {
		r.t.Fatalf("start redis-server again: %v\n%s", err, logTail(r.log()))
	}
}

// Pause makes the server hang: connections stay, and nothing is answered.
func (r *RedisServer) Pause() { r.proc.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (r *RedisServer) Resume() { r.proc.signal(syscall.SIGCONT) }

func (r *RedisServer) log() string  { return filepath.Join(r.dir, "redis.log") }
func (r *RedisServer) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

func (r *RedisServer) start(port int) (err error) {
	r.port = port
	args := []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.dir}
	cmd := exec.Command(r.bin, append(args, r.flags...)...)
	if r.proc, err = startProcess(cmd, r.log(), syscall.SIGKILL); err != nil {
		return err
	}
	return r.proc.ready(r.answers)
}

// answers asks who listens on the port: it may be another test's server.
func (r *RedisServer) answers(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", r.addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a TCP connection always can
	}
	if _, err := conn.Write([]byte("INFO server\r\n")); err != nil {
		return err
	}
	b := make([]byte, 0, 8<<10)
	for !bytes.Contains(b, []byte("\nprocess_id:")) || !bytes.HasSuffix(b, []byte("\r\n")) {
		if len(b) == cap(b) {
			return errors.New("no process_id in INFO server")
		}
		n, err := conn.Read(b[len(b):cap(b)])
		if err != nil {
			return err
		}
		b = b[:len(b)+n]
	}
	if !bytes.Contains(b, fmt.Appendf(nil, "\nprocess_id:%d\r", r.proc.Pid)) {
		return errors.New("another server has the port")
	}
	return nil
}
