package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// command is a hark that talks to the node.
func command(t *testing.T, node *testkit.Node, args ...string) *exec.Cmd {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // a terminal is interrupted, not killed
	return testkit.Command(ctx, t, []string{"HARK_URL=" + node.URL(), "HARK_TOKEN=" + testkit.AdminToken}, args...)
}

// publish gives lines to hark publish, and what it answers.
func publish(t *testing.T, node *testkit.Node, lines ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(t, node, "publish")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func event(path, payload string) string {
	return fmt.Sprintf(`{"sourceService":"secret-manager","resourceType":"secret","operationType":"update","environment":"staging","path":%q,"payload":%s}`, path, payload)
}

// TestPublishAndTail shows that hark tail prints payloads byte for byte, and
// goes on where it was when the server comes back from a crash.
func TestPublishAndTail(t *testing.T) {
	t.Parallel()
	node := testkit.Hark(t)
	if out, errs, code := publish(t, node, event("/a", `{"b":1.0,"a":"<"}`), event("/b", `2`)); code != 0 || strings.Count(out, "\n") != 2 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}

	tail := open(t, "tail", command(t, node, "tail"))
	after := open(t, "tail --after", command(t, node, "tail", "--after="+cursorOf(t, node, 1), "--path=/{a,b,c,d}"))
	after.shows(`"payload":2}`, 1)
	listeners(t, strings.TrimPrefix(node.URL(), "http://"), 2)
	publish(t, node, event("/c", `3`))
	tail.shows(`"payload":3}`, 1)
	after.shows(`"payload":3}`, 1)

	node.Kill()
	tail.shows("connecting again", 1)
	node.Start()
	publish(t, node, event("/d", `{"b":1.0,"a":"<"}`))
	for term, want := range map[*terminal]int{tail: 2, after: 3} {
		term.shows(`"payload":{"b":1.0,"a":"<"}}`, 1)
		if text, _ := term.read(); strings.Count(text, `"sequence":`) != want {
			t.Errorf("%s printed other than %d events:\n%s", term.name, want, text)
		}
	}
}

// cursorOf is the cursor of an event of the project "default".
func cursorOf(t *testing.T, node *testkit.Node, sequence int) string {
	t.Helper()
	type events struct {
		Events struct {
			Nodes []struct {
				Sequence int
				Cursor   string
			}
		}
	}
	for _, e := range testkit.MustCall[events](t, node.Admin(), `{ events(filter: {}) { nodes { sequence cursor } } }`, nil).Events.Nodes {
		if e.Sequence == sequence {
			return e.Cursor
		}
	}
	t.Fatalf("there is no event %d", sequence)
	return ""
}

// TestPublishIsAllOrNothing shows that one bad line keeps the others out, and
// that it is named.
func TestPublishIsAllOrNothing(t *testing.T) {
	t.Parallel()
	node := testkit.Hark(t)
	for _, c := range []struct{ name, line, want string }{
		{"no JSON", `{"sourceService":`, "line 2"},
		{"a field is wrong", event("no slash", "1"), "line 2: path"},
		{"no such definition", strings.Replace(event("/", "1"), "update", "rename", 1), "line 2"},
	} {
		out, errs, code := publish(t, node, event("/", "1"), c.line)
		if code != 1 || out != "" || !strings.Contains(errs, "nothing was published: "+c.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", c.name, code, out, errs)
		}
	}
	if out, _, _ := publish(t, node, event("/", "1")); !strings.Contains(out, `"sequence":1`) {
		t.Errorf("after three refused inputs the first event is %s", out)
	}
}
