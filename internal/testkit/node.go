package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hark-events/hark/internal/seal"
)

// AdminToken is the admin token of every Node.
const AdminToken = "testkit-admin-token-Zq7fK2mW9xT4"

// A Node is a `hark serve` of its own process, on a loopback port of its own.
// Its methods are for the goroutine of its test.
type Node struct {
	t      testing.TB
	number string // among the nodes on its data
	shared *data
	flags  []string
	port   int
	proc   *process
}

// data is what nodes side by side have in common.
type data struct {
	dir    string
	keyset string

	mu    sync.Mutex
	nodes int
}

// Hark starts a node with flags, which is stopped with the test. Unless flags
// say otherwise its database is a SQLite file in Dir; callbacks may go to
// 127.0.0.0/8, and the log has all levels. A node that ends with anything but 0
// when it is stopped, that races or that panics fails the test.
func Hark(t testing.TB, flags ...string) *Node {
	t.Helper()
	n := NewNode(t, flags...)
	n.Start()
	return n
}

// NewNode is Hark without the start.
func NewNode(t testing.TB, flags ...string) *Node {
	t.Helper()
	Binary(t)
	return newNode(t, &data{dir: t.TempDir(), keyset: seal.NewKeyset().Reveal()}, flags)
}

// Beside gives another node, not started, with the same flags on the same data.
func (n *Node) Beside() *Node { return newNode(n.t, n.shared, n.flags) }

func newNode(t testing.TB, d *data, flags []string) *Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nodes++
	n := &Node{t: t, number: strconv.Itoa(d.nodes), shared: d, flags: flags}
	t.Cleanup(func() {
		if n.running() {
			if code := n.Stop(); code != 0 {
				t.Errorf("node %s ended with exit code %d\n%s", n.number, code, logTail(n.logPath()))
			}
		}
		log := n.Log()
		for _, sign := range []string{"WARNING: DATA RACE", "\npanic: ", "\nfatal error: ", `"msg":"panic"`} {
			if i := strings.Index(log, sign); i >= 0 {
				t.Errorf("node %s raced or panicked:\n%.4000s", n.number, log[i:])
			}
		}
	})
	return n
}

// Start starts the node, again after Stop or Kill: on the same port and data.
func (n *Node) Start() {
	n.t.Helper()
	StartAll(n.t, n)
}

// StartAll starts nodes at once.
func StartAll(t testing.TB, nodes ...*Node) {
	t.Helper()
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { errs[i] = n.start() })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (n *Node) start() (err error) {
	if n.port == 0 {
		err = onFreePort(n.startOn)
	} else {
		err = n.startOn(n.port)
	}
	if err != nil {
		return fmt.Errorf("start hark: %w\n%s", err, logTail(n.logPath()))
	}
	return nil
}

func (n *Node) startOn(port int) (err error) {
	n.port = port
	flags := append([]string{
		"serve", "--addr=" + n.addr(), "--database-url=sqlite://" + filepath.Join(n.shared.dir, "hark.db"),
		"--delivery-allow=127.0.0.0/8", "--log-level=debug", "--log-format=json",
	}, n.flags...)
	cmd := exec.Command(built.path(), flags...)
	cmd.Dir = n.shared.dir
	cmd.Env = environ([]string{"HARK_ADMIN_TOKEN=" + AdminToken, "HARK_ENCRYPTION_KEYSET=" + n.shared.keyset})
	begin := len(n.Log())
	if n.proc, err = startProcess(cmd, n.logPath(), syscall.SIGKILL); err != nil {
		return err
	}
	return n.proc.ready(func(context.Context) error {
		if !listening(n.Log()[begin:]) {
			return errors.New("no log line says that it is listening")
		}
		return nil
	})
}

// listening looks for the log line that tells the address.
func listening(log string) bool {
	for line := range strings.Lines(log) {
		var l struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "listening" && l.Addr != "" {
			return true
		}
	}
	return false
}

// Kill ends the node as a crash does.
func (n *Node) Kill() { n.proc.stop(syscall.SIGKILL) }

// Terminate tells the node to drain and end; Wait waits for that.
func (n *Node) Terminate() { n.proc.signal(syscall.SIGTERM) }

// Wait gives the exit code; -1 if the node had to be killed, after 40 s.
func (n *Node) Wait() int {
	n.proc.stop(syscall.Signal(0)) // no signal: it only waits
	return n.proc.state.ExitCode()
}

// Stop is Terminate and Wait.
func (n *Node) Stop() int {
	n.Terminate()
	return n.Wait()
}

func (n *Node) running() bool {
	if n.proc == nil {
		return false
	}
	select {
	case <-n.proc.exited:
		return false
	default:
		return true
	}
}

// URL is http://127.0.0.1:port, the same after Start.
func (n *Node) URL() string { return "http://" + n.addr() }

// Admin calls the node as the built-in role admin.
func (n *Node) Admin() Client { return Client{URL: n.URL(), Token: AdminToken} }

// Env is what other commands need to open the node's SQLite database.
func (n *Node) Env() []string {
	return []string{
		"HARK_DATABASE_URL=sqlite://" + filepath.Join(n.shared.dir, "hark.db"),
		"HARK_ENCRYPTION_KEYSET=" + n.shared.keyset,
	}
}

// Dir holds the SQLite database and the logs of its nodes.
func (n *Node) Dir() string { return n.shared.dir }

// Log is all that the node has written to stdout and stderr so far.
func (n *Node) Log() string {
	b, err := os.ReadFile(n.logPath())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		n.t.Error(err)
	}
	return string(bytes.ToValidUTF8(b, nil))
}

func (n *Node) logPath() string { return filepath.Join(n.shared.dir, "node-"+n.number+".log") }
func (n *Node) addr() string    { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) }
