package subscriptions_test

import (
	"strings"
	"testing"

	"github.com/hark-events/hark"
	entdelivery "github.com/hark-events/hark/ent/delivery"
	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/subscriptions"
)

// TestLostKey has a node work on what another one sealed with a key that is
// gone: the subscription is told of like any other, its deliveries fail with
// one clear reason, few of them, and it is mended by new secrets.
func TestLostKey(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"sqlite": "sqlite://" + t.TempDir() + "/hark.db", "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := newNode(t, testkit.OpenSealed(t, url, seal.New(seal.NewKeyset())))
			n := newNode(t, testkit.OpenSealed(t, url, seal.New(seal.NewKeyset())))
			lost := gone.subscribe(t, func(in *subscriptions.CreateEventSubscriptionInput) {
				in.RetryPolicy = &subscriptions.RetryPolicyInput{ScheduleSeconds: []int{86400}}
			})
			good := n.subscribe(t)
			list, err := n.List(as(t), nil, nil, nil)
			if err != nil || len(list.Items) != 2 {
				t.Fatalf("%d are listed, %v", len(list.Items), err)
			}
			for _, row := range list.Items {
				if auth, err := n.Auth(row); err != nil || *auth != (hark.Auth{Type: hark.Basic, Username: "u"}) {
					t.Errorf("%+v, %v", auth, err)
				}
			}
			n.run(t)
			events := n.publish(t, 100)
			n.worker.Wake()
			eventually(t, "the other one has all", func() bool { return n.counts(t, good.ID)[hark.Succeeded] == 100 })
			eventually(t, "the circuit is open", func() bool {
				row, err := n.Get(as(t), lost.ID)
				return err == nil && subscriptions.Health(row) == hark.Open
			})
			eventually(t, "what was under way has ended", func() bool { return n.counts(t, lost.ID)[hark.InProgress] == 0 })
			attempted := n.rows(t, entdelivery.SubscriptionID(lost.ID), entdelivery.AttemptCountGT(0))
			if len(attempted) < 10 || len(attempted) > 40 {
				t.Errorf("%d deliveries were attempted", len(attempted))
			}
			for _, d := range attempted {
				if !strings.Contains(d.LastError, "credentials can't be opened (sealed with key ") || d.NextAttemptAt < hark.Now().Add(20*3600e9) {
					t.Errorf("%s at %s: %s", d.Status, d.NextAttemptAt, d.LastError)
				}
			}
			row, err := n.Get(as(t), lost.ID)
			if err != nil {
				t.Fatal(err)
			}
			x, err := n.Explain(as(t), row, events[99].ID)
			if err != nil || x.Outcome != subscriptions.CircuitOpen || !strings.Contains(x.Detail, "credentials can't be opened") {
				t.Errorf("explained as %+v, %v", x, err)
			}

			_, err = n.Update(as(t), lost.ID, subscriptions.UpdateEventSubscriptionInput{TimeoutSeconds: ref(9)})
			want(t, "changed without new credentials", err, hark.Conflict, "")
			if _, _, _, err := n.RotateSigningSecret(as(t), lost.ID, 60); err != nil {
				t.Fatal(err)
			}
			if _, err := n.Update(as(t), lost.ID, subscriptions.UpdateEventSubscriptionInput{Auth: &subscriptions.SubscriptionAuthInput{
				APIKey: &subscriptions.APIKeyAuthInput{Key: "a-new-key", HeaderName: "X-Key"},
			}}); err != nil {
				t.Fatal(err)
			}
			if row, err = n.Get(as(t), lost.ID); err != nil {
				t.Fatal(err)
			}
			if auth, err := n.Auth(row); err != nil || *auth != (hark.Auth{Type: hark.APIKey, HeaderName: "X-Key"}) {
				t.Errorf("replaced by %+v, %v", auth, err)
			}
			eventually(t, "what was never attempted is delivered", func() bool { return n.counts(t, lost.ID)[hark.Succeeded] == 100-len(attempted) })
		})
	}
}
