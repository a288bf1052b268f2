package e2e_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// onSOAP runs a test for both versions, each on a hark and a receiver of npm
// soap, generated from the WSDL of that hark.
func onSOAP(t *testing.T, test func(t *testing.T, node *testkit.Node, r *receiver, version string)) {
	t.Parallel()
	for _, version := range []string{"V1_1", "V1_2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			node := testkit.Hark(t)
			test(t, node, receive(t, "receiver_soap.mjs", node.URL(), version), version)
		})
	}
}

// TestSOAPCallbacks brings an event with all that XML and its parsers change
// where they may, with each kind of credentials.
func TestSOAPCallbacks(t *testing.T) {
	onSOAP(t, func(t *testing.T, node *testkit.Node, r *receiver, version string) {
		const payload = `{"b":1.0,"a":"<![CDATA[&amp;]]> ä \ufffe \u0000 \"", "c":[ ]}`
		subscriptions := make(map[string]*subscription)
		for _, kind := range []string{"basic", "jwt", "oauth2", "apiKey"} {
			subscriptions[kind] = r.subscribe(node, "SOAP", kind, testkit.Vars{"soapVersion": version})
		}
		publishUpdate(t, node, payload)
		want := map[string]string{"content-type": "text/xml; charset=utf-8", "soapaction": `"urn:hark:v1/Deliver"`}
		if version == "V1_2" {
			want = map[string]string{"content-type": `application/soap+xml; charset=utf-8; action="urn:hark:v1/Deliver"`, "soapaction": ""}
		}
		for kind, s := range subscriptions {
			s.settled(t, node, 1)
			d := s.Deliveries.Nodes[0]
			if len(d.Attempts) != 1 || *d.Attempts[0].StatusCode != 200 || !strings.Contains(d.Attempts[0].ResponseBody, "ack") {
				t.Errorf("%s: %+v", kind, d)
			}
			got := r.deliveries()[kind]
			if got.DeliveryID != d.ID || got.EventType != "secret:update" || got.Attempt != 1 || got.Payload != payload || got.Headers["webhook-id"] != d.ID {
				t.Errorf("%s: the receiver took %+v", kind, got)
			}
			for name, value := range want {
				if got.Headers[name] != value {
					t.Errorf("%s: %s is %q; want %q", kind, name, got.Headers[name], value)
				}
			}
		}
	})
}

// TestSOAPFaults shows what becomes of a delivery that is answered by a Fault:
// whomever it blames and under whatever status, it is tried again by the
// schedule, unless the receiver says that it will never take it.
func TestSOAPFaults(t *testing.T) {
	onSOAP(t, func(t *testing.T, node *testkit.Node, r *receiver, version string) {
		receiverFault, senderFault := "Fault Server: ", "Fault Client: "
		if version == "V1_2" {
			receiverFault, senderFault = "Fault Receiver: ", "Fault Sender: "
		}
		type want struct {
			status   string
			attempts []string // their errors
		}
		wants, ids := map[string]want{
			"/once":   {"SUCCEEDED", []string{"answered 500: " + receiverFault + "once", ""}},
			"/server": {"FAILED", []string{"answered 500: " + receiverFault + "try <later>", "answered 500: " + receiverFault + "try <later>"}},
			"/client": {"FAILED", []string{"answered 500: " + senderFault + "who are you?", "answered 500: " + senderFault + "who are you?"}},
			"/quiet":  {"FAILED", []string{"answered 200: " + receiverFault + "under 200", "answered 200: " + receiverFault + "under 200"}},
			"/abort":  {"FAILED", []string{"answered 500, abort-message: " + senderFault + "never"}},
		}, map[string]string{}
		for path := range wants {
			ids[path] = r.subscribe(node, "SOAP", "apiKey", testkit.Vars{
				"soapVersion": version, "deliveryEndpoint": r.Endpoint + path, "retryPolicy": testkit.Vars{"scheduleSeconds": []int{1}},
			}).ID
		}
		publishUpdate(t, node, "1")
		for path, want := range wants {
			var got callback
			until(t, path+" is under way", func(ctx context.Context) bool {
				var found struct{ EventSubscription subscription }
				if err := node.Admin().Call(ctx, `query($id: UUID!) { eventSubscription(id: $id) { deliveries { nodes { status attempts { error } } } } }`,
					testkit.Vars{"id": ids[path]}, &found); err != nil {
					t.Fatal(err)
				}
				got = found.EventSubscription.Deliveries.Nodes[0]
				return got.Status == "SUCCEEDED" || got.Status == "FAILED"
			})
			var errs []string
			for _, a := range got.Attempts {
				errs = append(errs, a.Error)
			}
			if got.Status != want.status || show(errs) != show(want.attempts) {
				t.Errorf("%s: %s after %s; want %+v", path, got.Status, show(errs), want)
			}
		}
	})
}

func show(v any) string {
	b, _ := json.Marshal(v) // strings alone
	return string(b)
}
