package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestTailOutlivesTheServer restarts the server, once in order and once by a
// crash, while events are published: tail prints each once, in order.
func TestTailOutlivesTheServer(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	env := []string{"HARK_URL=" + n.URL(), "HARK_TOKEN=" + testkit.AdminToken}
	type data struct {
		PublishEvents struct{ Events []struct{ Cursor string } }
	}
	const mutation = `mutation($input: [PublishEventInput!]!) { publishEvents(input: $input) { events { cursor } } }`
	vars := testkit.Vars{"input": []json.RawMessage{json.RawMessage(event("/a")), json.RawMessage(event("/b"))}}
	first := testkit.MustCall[data](t, n.Admin(), mutation, vars).PublishEvents.Events[0].Cursor

	cmd := testkit.Command(t.Context(), t, env, "tail", "--after="+first)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := 2
	// read reads the lines of n events.
	read := func(n int) {
		t.Helper()
		for range n {
			if !lines.Scan() {
				t.Fatalf("tail ended: %v %s", lines.Err(), errs.String())
			}
			var e struct{ Sequence int }
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Sequence != next {
				t.Fatalf("%v: %s\nwant the event %d", err, lines.Text(), next)
			}
			if !strings.HasSuffix(lines.Text(), `"payload":{"z":1.0,"a":"<"}}`) {
				t.Errorf("the payload was changed: %s", lines.Text())
			}
			next++
		}
	}
	read(1)
	for _, end := range []func(){n.Kill, func() { n.Stop() }} {
		_ = testkit.MustCall[data](t, n.Admin(), mutation, vars) // perhaps not heard before the end
		end()
		n.Start()
		_ = testkit.MustCall[data](t, n.Admin(), mutation, vars)
		read(4)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Errorf("tail printed more: %s", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("tail that is interrupted: %v", err)
	}
	if !strings.Contains(errs.String(), "connecting again") {
		t.Errorf("tail does not say that it lost its server: %q", errs.String())
	}
}

func TestTailRefused(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	url, token := "HARK_URL="+n.URL(), "HARK_TOKEN="+testkit.AdminToken
	for name, tt := range map[string]struct {
		env  []string
		args []string
		says string
	}{
		"no token":        {[]string{url}, nil, "token"},
		"wrong token":     {[]string{url, "HARK_TOKEN=planted"}, nil, "token"},
		"unknown project": {[]string{url, token}, []string{"--project=nowhere"}, "project"},
		"unknown event":   {[]string{url, token}, []string{"--event=secret"}, "secret"},
		"bad cursor":      {[]string{url, token}, []string{"--after=nonsense"}, "cursor"},
		"bad glob":        {[]string{url, token}, []string{"--path=/["}, "glob"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := hark(t, tt.env, "", append([]string{"tail"}, tt.args...)...)
			r.wants(t, 1, tt.says)
			if r.out != "" || strings.Contains(r.err, "planted") {
				t.Errorf("stdout %q, stderr %q", r.out, r.err)
			}
		})
	}
}
