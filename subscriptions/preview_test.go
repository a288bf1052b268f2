package subscriptions_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
	"github.com/hark-events/hark/delivery/webhook"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/subscriptions"
)

// nobody fails the test when a request is made.
type nobody struct{ t *testing.T }

func (n nobody) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s was called", r.URL)
	return nil, http.ErrNotSupported
}

func TestPreview(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	client := &http.Client{Transport: nobody{t}}
	drivers := delivery.Drivers{hark.HTTP: webhook.New(client, delivery.NewAuthorizer(client), delivery.Signer{}, "hark/test")}
	n.Service = subscriptions.New(n.store, n.authority, drivers, nil, subscriptions.Config{CheckURL: func(string, ...string) error { return nil }})
	events := n.publish(t, 5)
	newest := events[4]

	in := n.input(t)
	in.RequestMethod = ref(hark.Put)
	in.Auth = &subscriptions.SubscriptionAuthInput{APIKey: &subscriptions.APIKeyAuthInput{HeaderName: "X-Key", Key: password}}
	p, err := n.Preview(as(t), in, 3)
	if err != nil || p.Examined != 3 || p.Matched != 3 || p.Request == nil {
		t.Fatal(p, err)
	}
	headers := map[string]string{}
	for _, h := range p.Request.Headers {
		headers[h.Name] = h.Value
	}
	for name, want := range map[string]string{"X-Key": "[redacted]", "Content-Type": "application/json", "User-Agent": "hark/test"} {
		if headers[name] != want {
			t.Errorf("%s: %q, want %q", name, headers[name], want)
		}
	}
	if p.Request.Method != "PUT" || p.Request.URL != in.DeliveryEndpoint || !strings.Contains(p.Request.Body, newest.ID.String()) || !strings.Contains(p.Request.Body, `"payload":{"a": 1}`) {
		t.Errorf("%+v", p.Request)
	}
	if shown := fmt.Sprintf("%+v %v", p.Request, headers); strings.Contains(shown, password) {
		t.Errorf("a credential shows: %s", shown)
	}

	for name, tt := range map[string]struct {
		change            func(*subscriptions.CreateEventSubscriptionInput)
		examined, matched int
	}{
		"other definition": {func(in *subscriptions.CreateEventSubscriptionInput) {
			in.EventDefinitionIds = []hark.ID{n.definition(t, "delete")}
		}, 5, 0},
		"other conditions": {func(in *subscriptions.CreateEventSubscriptionInput) {
			in.Conditions = []*hark.Conditions{{EnvironmentSlug: ref("x")}}
		}, 5, 0},
		"paused": {func(in *subscriptions.CreateEventSubscriptionInput) { in.Active = false }, 5, 5},
	} {
		in := n.input(t)
		tt.change(&in)
		p, err := n.Preview(as(t), in, 100)
		if err != nil || p.Examined != tt.examined || p.Matched != tt.matched || (p.Request != nil) != (tt.matched > 0) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	n.authority.allows = func(e *hark.Event) bool { return e.ID != newest.ID }
	if p, err := n.Preview(as(t), in, 100); err != nil || p.Matched != 4 || strings.Contains(p.Request.Body, newest.ID.String()) {
		t.Errorf("an event out of sight is previewed: %+v, %v", p, err)
	}
	for _, sample := range []int{0, 1001} {
		_, err := n.Preview(as(t), in, sample)
		want(t, "sample", err, hark.BadUserInput, "sample")
	}
	in.EventDefinitionIds = []hark.ID{hark.NewID()}
	_, err = n.Preview(as(t), in, 1)
	want(t, "unknown definition", err, hark.BadUserInput, "input.eventDefinitionIds")
	if count, err := n.store.Ent().EventSubscription.Query().Count(t.Context()); err != nil || count != 0 || len(n.rows(t)) != 0 || !slices.Equal(n.authority.audited, nil) {
		t.Error("a preview stored something", count, err)
	}
}
