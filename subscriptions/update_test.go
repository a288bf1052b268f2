package subscriptions_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
	"github.com/hark-events/hark/subscriptions"
)

// shape is what a caller sees of a subscription, but for its times.
func shape(row *ent.EventSubscription) string {
	kinds := []string{}
	for _, d := range row.Edges.EventDefinitions {
		kinds = append(kinds, d.OperationType)
	}
	slices.Sort(kinds)
	show := func(p any) string {
		switch p := p.(type) {
		case *hark.RequestMethod:
			if p != nil {
				return string(*p)
			}
		case *hark.SOAPVersion:
			if p != nil {
				return string(*p)
			}
		case *int:
			if p != nil {
				return fmt.Sprint(*p)
			}
		}
		return "-"
	}
	return strings.TrimSpace(fmt.Sprintln(kinds, row.SubscriberService, row.DeliveryEndpoint, row.CallbackProtocol, show(row.RequestMethod), show(row.SoapVersion), row.Active,
		row.PayloadType, len(row.Conditions), row.ScheduleSeconds, row.TimeoutSeconds, show(row.MaxPerSecond), row.MaxInFlight, row.Ordered, row.HoldWhilePaused, row.Signature))
}

func TestUpdateChangesWhatItNames(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row := n.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) {
			in.RequestMethod, in.MaxPerSecond, in.Conditions = ref(hark.Put), ref(7), []*hark.Conditions{{SecretPath: ref("/a")}}
			in.RetryPolicy = &subscriptions.RetryPolicyInput{ScheduleSeconds: []int{1, 2}}
		})
		type input = subscriptions.UpdateEventSubscriptionInput
		base := shape(row)
		for _, tt := range []struct {
			name string
			in   input
			want string
		}{
			{"nothing", input{}, "[update] billing http://127.0.0.1:1/hooks HTTP PUT - true JSON 1 [1 2] 15 7 16 false true HMAC_SHA256"},
			{"much", input{
				EventDefinitionIds: []hark.ID{n.definition(t, "create"), n.definition(t, "delete")}, SubscriberService: ref("other"), DeliveryEndpoint: ref("https://127.0.0.1/x"),
				RequestMethod: graphql.OmittableOf(ref(hark.Patch)), PayloadType: ref(hark.PayloadXML), Conditions: graphql.OmittableOf([]*hark.Conditions{{}, {}}),
				RetryPolicy: &subscriptions.RetryPolicyInput{}, TimeoutSeconds: ref(60), MaxPerSecond: graphql.OmittableOf(ref(9)), MaxInFlight: ref(1), Ordered: ref(true),
				HoldWhilePaused: ref(false), Signature: ref(hark.Ed25519),
			}, "[create delete] other https://127.0.0.1/x HTTP PATCH - true XML 2 [] 60 9 1 true false ED25519"},
			{"one", input{TimeoutSeconds: ref(3)}, "[create delete] other https://127.0.0.1/x HTTP PATCH - true XML 2 [] 3 9 1 true false ED25519"},
			{"nulls", input{
				RequestMethod: graphql.OmittableOf[*hark.RequestMethod](nil), MaxPerSecond: graphql.OmittableOf[*int](nil), Conditions: graphql.OmittableOf[[]*hark.Conditions](nil),
			}, "[create delete] other https://127.0.0.1/x HTTP POST - true XML 0 [] 3 - 1 true false ED25519"},
			{"protocol", input{CallbackProtocol: ref(hark.SOAP)}, "[create delete] other https://127.0.0.1/x SOAP - V1_1 true XML 0 [] 3 - 1 true false ED25519"},
			{"SOAP version", input{SoapVersion: graphql.OmittableOf(ref(hark.SOAP12))}, "[create delete] other https://127.0.0.1/x SOAP - V1_2 true XML 0 [] 3 - 1 true false ED25519"},
			{"null SOAP version", input{SoapVersion: graphql.OmittableOf[*hark.SOAPVersion](nil)}, "[create delete] other https://127.0.0.1/x SOAP - V1_1 true XML 0 [] 3 - 1 true false ED25519"},
			{"back", input{CallbackProtocol: ref(hark.HTTP), Active: ref(false)}, "[create delete] other https://127.0.0.1/x HTTP POST - false JSON 0 [] 3 - 1 true false ED25519"},
		} {
			got, err := n.Update(as(t), row.ID, tt.in)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if shape(got) != tt.want {
				t.Fatalf("%s:\ngot  %s\nwant %s", tt.name, shape(got), tt.want)
			}
			if got.Version <= row.Version || got.CreatedAt != row.CreatedAt {
				t.Errorf("%s: version %d, created %s", tt.name, got.Version, got.CreatedAt)
			}
		}
		if again, err := n.Get(as(t), row.ID); err != nil || shape(again) == base {
			t.Error(again, err)
		}
		// What an update refuses leaves everything as it is.
		before, err := n.Get(as(t), row.ID)
		if err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			in    input
			field string
		}{
			"no definitions":          {input{EventDefinitionIds: []hark.ID{}}, "input.eventDefinitionIds"},
			"unknown definition":      {input{EventDefinitionIds: []hark.ID{hark.NewID()}, TimeoutSeconds: ref(9)}, "input.eventDefinitionIds"},
			"protocol without scheme": {input{CallbackProtocol: ref(hark.GRPC)}, "input.deliveryEndpoint"},
			"form of another":         {input{PayloadType: ref(hark.PayloadProtobuf)}, "input.payloadType"},
			"version of another":      {input{SoapVersion: graphql.OmittableOf(ref(hark.SOAP11))}, "input.soapVersion"},
			"0 per second":            {input{MaxPerSecond: graphql.OmittableOf(ref(0))}, "input.maxPerSecond"},
			"no credentials":          {input{Auth: &subscriptions.SubscriptionAuthInput{}}, "input.auth"},
		} {
			_, err := n.Update(as(t), row.ID, tt.in)
			want(t, name, err, hark.BadUserInput, tt.field)
		}
		if after, err := n.Get(as(t), row.ID); err != nil || shape(after) != shape(before) || after.Version != before.Version {
			t.Errorf("a refused update left %s, %v", shape(after), err)
		}
		_, err = n.Update(as(t), hark.NewID(), input{})
		want(t, "unknown", err, hark.NotFound, "")
	})
}

func TestUpdateKeepsOrReplacesCredentials(t *testing.T) {
	t.Parallel()
	n := newNode(t, testkit.Store(t))
	row := n.subscribe(t)
	update := func(in subscriptions.UpdateEventSubscriptionInput) hark.Credentials {
		t.Helper()
		if _, err := n.Update(as(t), row.ID, in); err != nil {
			t.Fatal(err)
		}
		sub, err := n.store.Subscription(t.Context(), row.ID)
		if err != nil {
			t.Fatal(err)
		}
		return sub.Credentials
	}
	if c := update(subscriptions.UpdateEventSubscriptionInput{TimeoutSeconds: ref(5)}); c.Type != hark.Basic || c.Password.Reveal() != password {
		t.Error("another change took the credentials away")
	}
	c := update(subscriptions.UpdateEventSubscriptionInput{Auth: &subscriptions.SubscriptionAuthInput{Jwt: &subscriptions.JWTAuthInput{Token: "new"}}})
	if c.Type != hark.JWT || c.Token.Reveal() != "new" || c.Password != "" {
		t.Error("the credentials are not replaced as a whole")
	}
}

// TestUpdatesAreNotLost changes different fields of one subscription from two nodes at once.
func TestUpdatesAreNotLost(t *testing.T) {
	t.Parallel()
	nodes(t, func(t *testing.T, a, b *node) {
		row := a.subscribe(t)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				in := []subscriptions.UpdateEventSubscriptionInput{
					{TimeoutSeconds: ref(7)},
					{MaxInFlight: ref(8)},
					{Ordered: ref(true)},
					{SubscriberService: ref("new")},
					{HoldWhilePaused: ref(false)},
					{MaxPerSecond: graphql.OmittableOf(ref(9))},
					{Active: ref(false)},
					{Signature: ref(hark.Ed25519)},
				}[i]
				if _, err := []*node{a, b}[i%2].Update(as(t), row.ID, in); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		got, err := a.Get(as(t), row.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := "[update] new http://127.0.0.1:1/hooks HTTP POST - false JSON 0 [5 300 1800 7200 18000 36000 50400 72000 86400] 7 9 8 true false ED25519"; shape(got) != want {
			t.Errorf("got  %s\nwant %s", shape(got), want)
		}
	})
}

func TestSigningSecretsRotate(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		n := newNode(t, st)
		row, first, err := n.Create(as(t), n.input(t))
		if err != nil {
			t.Fatal(err)
		}
		signing := func() []hark.Secret {
			t.Helper()
			sub, err := st.Subscription(t.Context(), row.ID)
			if err != nil {
				t.Fatal(err)
			}
			return sub.SigningSecrets
		}
		before := hark.Now()
		_, second, until, err := n.RotateSigningSecret(as(t), row.ID, 3600)
		if err != nil || until.Sub(before).Round(1e9).Seconds() != 3600 {
			t.Error(until, err)
		}
		if got := signing(); !slices.Equal(got, []hark.Secret{second, first}) || first == second {
			t.Error("the old secret does not go on signing beside the new one")
		}
		_, third, _, err := n.RotateSigningSecret(as(t), row.ID, 0)
		if got := signing(); err != nil || !slices.Equal(got, []hark.Secret{third}) {
			t.Error("without grace the old secret goes on signing", err)
		}
		for _, grace := range []int{-1, 604_801} {
			_, _, _, err = n.RotateSigningSecret(as(t), row.ID, grace)
			want(t, "grace", err, hark.BadUserInput, "graceSeconds")
		}
		_, _, _, err = n.RotateSigningSecret(as(t), hark.NewID(), 0)
		want(t, "unknown", err, hark.NotFound, "")
	})
}
