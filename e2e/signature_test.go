package e2e_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// A signed is what receiver_signed.mjs prints of a request: by the scheme of its
// signatures how many verified, and how many there were.
type signed struct {
	Kind    string
	Schemes map[string]int
	Count   int
}

// TestSignaturesVerify has both schemes verified by other people's software,
// and a secret replaced with an overlap and without.
func TestSignaturesVerify(t *testing.T) {
	t.Parallel()
	node := testkit.Hark(t)
	r := receive(t, "receiver_signed.mjs")
	secrets, ids := make(map[string]string), make(map[string]string)
	for _, signature := range []string{"HMAC_SHA256", "ED25519"} {
		made := testkit.MustCall[struct {
			CreateEventSubscription struct {
				SigningSecret     string
				EventSubscription struct{ ID string }
			}
		}](t, node.Admin(), `mutation($input: CreateEventSubscriptionInput!) {
			createEventSubscription(input: $input) { signingSecret eventSubscription { id } }
		}`, testkit.Vars{"input": testkit.Vars{
			"eventDefinitionIds": []string{secretUpdate}, "subscriberService": signature, "deliveryEndpoint": r.Endpoint + "/" + signature,
			"signature": signature, "auth": testkit.Vars{"apiKey": testkit.Vars{"key": "key"}}, "retryPolicy": testkit.Vars{"scheduleSeconds": []int{}},
		}}).CreateEventSubscription
		secrets[signature], ids[signature] = made.SigningSecret, made.EventSubscription.ID
	}
	trust := func(secret string) {
		t.Helper()
		body, _ := json.Marshal(map[string]string{"secret": secret, "jwks": node.URL() + "/.well-known/hark/jwks.json"})
		answer, err := http.Post(r.Endpoint+"/trust", "application/json", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	rotate := func(grace int) (secret string) {
		t.Helper()
		return testkit.MustCall[struct {
			RotateSigningSecret struct{ SigningSecret string }
		}](t, node.Admin(),
			`mutation($id: UUID!, $grace: Int!) { rotateSigningSecret(id: $id, graceSeconds: $grace) { signingSecret } }`,
			testkit.Vars{"id": ids["HMAC_SHA256"], "grace": grace}).RotateSigningSecret.SigningSecret
	}
	// next publishes an event and gives what came of it.
	requests := 0
	next := func() map[string]signed {
		t.Helper()
		publishUpdate(t, node, `{"b":1.0,"a":"<ä>"}`)
		requests += len(ids)
		r.shows(`"kind":`, requests)
		got := make(map[string]signed)
		for _, line := range r.lines() {
			var s signed
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				t.Fatal(err)
			}
			got[strings.TrimPrefix(s.Kind, "/")] = s
		}
		return got
	}
	check := func(when, kind string, got signed, want map[string]int, count int) {
		t.Helper()
		if !maps.Equal(got.Schemes, want) || got.Count != count {
			t.Errorf("%s: %s: %v of %d signatures verify, want %v of %d", when, kind, got.Schemes, got.Count, want, count)
		}
	}

	trust(secrets["HMAC_SHA256"])
	got := next()
	check("as created", "HMAC_SHA256", got["HMAC_SHA256"], map[string]int{"v1": 1}, 1)
	check("as created", "ED25519", got["ED25519"], map[string]int{"v1a": 1}, 1)

	second := rotate(3600)
	check("the old secret in the overlap", "HMAC_SHA256", next()["HMAC_SHA256"], map[string]int{"v1": 1}, 2)
	trust(second)
	check("the new secret in the overlap", "HMAC_SHA256", next()["HMAC_SHA256"], map[string]int{"v1": 1}, 2)
	rotate(0)
	check("replaced without overlap", "HMAC_SHA256", next()["HMAC_SHA256"], map[string]int{"v1": 0}, 1)
}
