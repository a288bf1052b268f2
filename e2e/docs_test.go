package e2e_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestCallbackDocs runs the receivers that docs/CALLBACKS.md shows, and brings
// each an event whose signature it verifies. A receiver with another secret
// takes none.
func TestCallbackDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/CALLBACKS.md")
	if err != nil {
		t.Fatal(err)
	}
	contract, err := os.ReadFile("../proto/hark/v1/hark.proto")
	if err != nil {
		t.Fatal(err)
	}
	dir := artifacts(t)
	if err := os.WriteFile(filepath.Join(dir, "hark.proto"), contract, 0o600); err != nil {
		t.Fatal(err)
	}
	node := testkit.Hark(t)
	for name, scheme := range map[string]string{"grpc": "grpc", "websocket": "ws"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := freeAddr(t)
			_, port, _ := strings.Cut(addr, ":")
			m := regexp.MustCompile("(?ms)^```js receiver=" + name + "\n(.*?)^```$").FindSubmatch(text)
			if m == nil {
				t.Fatal("the page has no such receiver")
			}
			script := strings.NewReplacer("127.0.0.1:9000", addr, "port: 9000", "port: "+port).Replace(string(m[1]))
			if err := os.WriteFile(filepath.Join(dir, name+".mjs"), []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			s := (&receiver{terminal: &terminal{t: t}, Endpoint: scheme + "://" + addr}).subscribe(node, strings.ToUpper(name), "jwt",
				testkit.Vars{"retryPolicy": testkit.Vars{"scheduleSeconds": slices.Repeat([]int{1}, 20)}})
			run := func(secret string) *terminal {
				cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "node", name+".mjs") // ended by open
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "SIGNING_SECRET="+secret)
				term := open(t, name, cmd)
				until(t, "the receiver does not listen", func(ctx context.Context) bool {
					conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
					return err == nil && conn.Close() == nil
				})
				return term
			}

			other := run("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
			publishUpdate(t, node, `{"from":"the docs"}`)
			s.failed(t, node, map[string]string{"grpc": "answered PERMISSION_DENIED", "websocket": "answered 403"}[name])
			other.interrupt()

			r := run(s.signingSecret)
			r.shows("secret:update { from: 'the docs' }", 1)
		})
	}
}

// failed waits until an attempt of the subscription has failed in these words.
func (s *subscription) failed(t *testing.T, node *testkit.Node, words string) {
	t.Helper()
	until(t, "no attempt fails with "+words, func(ctx context.Context) bool {
		var found struct{ EventSubscription subscription }
		if err := node.Admin().Call(ctx, `query($id: UUID!) { eventSubscription(id: $id) { deliveries { nodes { attempts { error } } } } }`,
			testkit.Vars{"id": s.ID}, &found); err != nil {
			t.Fatal(err)
		}
		for _, d := range found.EventSubscription.Deliveries.Nodes {
			for _, a := range d.Attempts {
				if a.Error == words {
					return true
				}
			}
		}
		return false
	})
}
