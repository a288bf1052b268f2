package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestListen has a running hark bring an event by each protocol to hark listen,
// which fails the first attempts: each comes again, signed and with its credential.
func TestListen(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	addr := freeAddr(t)
	type data struct {
		CreateEventSubscription struct{ SigningSecret string }
	}
	var secrets []string
	for endpoint, protocol := range map[string]testkit.Vars{
		"http://" + addr:            {"callbackProtocol": "HTTP"},
		"http://" + addr + "/soap":  {"callbackProtocol": "SOAP"},
		"http://" + addr + "/soap2": {"callbackProtocol": "SOAP", "soapVersion": "V1_2"},
		"grpc://" + addr:            {"callbackProtocol": "GRPC"},
		"ws://" + addr:              {"callbackProtocol": "WEBSOCKET"},
	} {
		input := testkit.Vars{
			"eventDefinitionIds": []string{"01980000-0000-7000-8000-000000000011"}, "subscriberService": endpoint, "deliveryEndpoint": endpoint,
			"auth":        testkit.Vars{"apiKey": testkit.Vars{"headerName": "X-API-Key", "key": "key of listen"}},
			"retryPolicy": testkit.Vars{"scheduleSeconds": []int{1, 1, 1}},
		}
		maps.Copy(input, protocol)
		secrets = append(secrets, testkit.MustCall[data](t, n.Admin(), `mutation($input: CreateEventSubscriptionInput!) { createEventSubscription(input: $input) { signingSecret } }`,
			testkit.Vars{"input": input}).CreateEventSubscription.SigningSecret)
	}

	env := []string{"HARK_SIGNING_SECRET=" + strings.Join(secrets, ","), "HARK_CREDENTIAL=X-API-Key: key of listen"}
	cmd := testkit.Command(t.Context(), t, env, "listen", "--addr="+addr, "--fail=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if r := hark(t, []string{"HARK_URL=" + n.URL(), "HARK_TOKEN=" + testkit.AdminToken}, event("/a"), "publish"); r.code != 0 {
		t.Fatal(r.err)
	}
	got := map[string]int{} // lines by what they say
	lines := bufio.NewScanner(out)
	for range 2 * len(secrets) {
		if !lines.Scan() {
			t.Fatalf("listen ended: %v %s", lines.Err(), errs.String())
		}
		var line struct {
			Protocol, Signature string
			Status              int
			Message             struct {
				Attempt, Sequence int
				EventType         string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Message.Sequence != 1 || line.Message.EventType != "secret:update" {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if !strings.HasSuffix(lines.Text(), `"payload":{"z":1.0,"a":"<"}}}`) {
			t.Errorf("the payload was changed: %s", lines.Text())
		}
		if line.Signature != "verified" {
			t.Errorf("%s", lines.Text())
		}
		got[fmt.Sprint(line.Protocol, " ", line.Status)]++
	}
	if want := map[string]int{"HTTP 503": 1, "HTTP 200": 1, "SOAP 503": 2, "SOAP 200": 2, "GRPC 503": 1, "GRPC 200": 1, "WEBSOCKET 503": 1, "WEBSOCKET 200": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Errorf("listen printed more: %s", lines.Text())
	}
	if err := cmd.Wait(); err != nil || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("listen that is interrupted: %v %s", err, errs.String())
	}
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
