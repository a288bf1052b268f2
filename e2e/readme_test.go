package e2e_test

import (
	"bytes"
	"context"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A walk is what a reader of the README copies: its fenced blocks that are
// named by walk=NAME.
type walk struct {
	t      *testing.T
	blocks map[string]string
	used   map[string]bool
	env    []string
	addr   string // of hark
	dir    string // where the reader's files are
}

var walkBlock = regexp.MustCompile("(?ms)^```[a-z]+ walk=(\\S+)\n(.*?)^```$")

// newWalk reads the README. So that the walk does not meet a hark that runs
// already, it has ports and a database of its own.
func newWalk(t *testing.T) *walk {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := artifacts(t)
	addr, receiver := freeAddr(t), freeAddr(t)
	ports := strings.NewReplacer("127.0.0.1:8080", addr, "127.0.0.1:9000", receiver)
	w := &walk{t: t, blocks: map[string]string{}, used: map[string]bool{}, addr: addr, dir: dir}
	for _, m := range walkBlock.FindAllSubmatch(text, -1) {
		w.blocks[string(m[1])] = ports.Replace(string(m[2]))
	}
	w.env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HARK_") })
	w.env = append(w.env, "HARK_ADDR="+addr, "HARK_DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "hark.db"))
	return w
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func (w *walk) block(name string) string {
	w.t.Helper()
	if w.blocks[name] == "" {
		w.t.Fatalf("the README has no block walk=%s", name)
	}
	w.used[name] = true
	return w.blocks[name]
}

// command is a block as it is pasted into a terminal, in the top folder.
func (w *walk) command(name string) *exec.Cmd {
	w.t.Helper()
	script := w.block(name)
	if name != "serve" {
		script = w.block("setup") + script
	}
	cmd := exec.CommandContext(context.WithoutCancel(w.t.Context()), "bash", "-euc", script) // ended by open
	cmd.Dir, cmd.Env = "..", w.env
	return cmd
}

// run runs a command to its end and gives what it wrote on stdout.
func (w *walk) run(name string) string {
	w.t.Helper()
	cmd := w.command(name)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("%s: %v\n%s%s", name, err, &stdout, &stderr)
	}
	return stdout.String()
}

// open runs a command that stays.
func (w *walk) open(name string) *terminal { return open(w.t, name, w.command(name)) }

// script saves a block as a file and runs, beside it, the command that uses it.
func (w *walk) script(file, name string) *terminal {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, file), []byte(w.block(file)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	cmd := w.command(name)
	cmd.Dir = w.dir
	return open(w.t, name, cmd)
}

// TestReadme takes the README's first walk, in its order.
func TestReadme(t *testing.T) {
	t.Parallel()
	w := newWalk(t)

	w.open("serve").shows("playground  http://", 1)

	listen := w.open("listen")
	listeners(t, w.addr, 1)
	if answer := w.run("publish"); !strings.Contains(answer, `"sequence":1`) {
		t.Fatalf("the first publish answers %s", answer)
	}
	listen.shows(w.block("frame"), 1)

	receive := w.open("receive")
	receive.shows("listening on", 1)
	if answer := w.run("subscribe"); !strings.Contains(answer, `"signingSecret":"whsec_`) {
		t.Fatalf("createEventSubscription answers %s", answer)
	}
	w.run("publish")
	receive.shows(`"attempt":1,"test":false`, 1)
	receive.shows(`"secretKey": "SECRET_KEY1"`, 1)

	node := w.script("listen.mjs", "node")
	tail := w.open("tail")
	listeners(t, w.addr, 3)
	if answer := w.run("pipe"); !strings.Contains(answer, `"sequence":3`) {
		t.Fatalf("hark publish prints %s", answer)
	}
	const payload = `"payload":[{"secretKey":"SECRET_KEY2"}]`
	listen.shows(payload, 1)
	receive.shows(payload, 1)
	tail.shows(payload, 1)
	node.shows(payload, 1)

	for name := range maps.Keys(w.blocks) {
		if !w.used[name] {
			t.Errorf("the block walk=%s of the README was not tried", name)
		}
	}
}
