package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/seal"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/store"
)

func TestSubscriptionIsLoadedInTheClear(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		id := subscribe(t, st)
		s, err := st.Subscription(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if s.ID != id || s.ProjectSlug != "default" || !s.Active || s.Version != 1 || s.Credentials.Password.Reveal() != "secret-password" ||
			!slices.Equal(s.SigningSecrets, []hark.Secret{"whsec_old"}) || s.Timeout != 15*time.Second || !slices.Equal(s.Schedule, []time.Duration{5 * time.Second}) {
			t.Errorf("%+v", s)
		}
		_, err = st.Subscription(t.Context(), hark.NewID())
		if e, _ := errors.AsType[*hark.Error](err); e == nil || e.Code != hark.NotFound {
			t.Error(err)
		}
	})
}

func TestAnEmptyScheduleIsNotTheDefault(t *testing.T) {
	t.Parallel()
	st := testkit.Store(t)
	id := subscribe(t, st)
	if err := st.Ent().EventSubscription.UpdateOneID(id).SetScheduleSeconds([]int{}).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := st.Subscription(t.Context(), id); err != nil || s.Schedule == nil || len(s.Schedule) > 0 {
		t.Errorf("the schedule is %v, %v", s.Schedule, err)
	}
}

func TestTwoSecretsSignWhileARotationOverlaps(t *testing.T) {
	t.Parallel()
	st := testkit.Store(t)
	id := subscribe(t, st)
	for until, want := range map[hark.Time]int{hark.Now().Add(time.Minute): 2, hark.Now().Add(-time.Minute): 1} {
		err := st.Ent().EventSubscription.UpdateOneID(id).SetSigningSecret(st.Seal(id, "whsec_new")).
			SetPreviousSecret(st.Seal(id, "whsec_old")).SetPreviousUntil(until).Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := st.Subscription(t.Context(), id)
		if err != nil || len(s.SigningSecrets) != want || s.SigningSecrets[0].Reveal() != "whsec_new" {
			t.Errorf("%d secrets, %v", len(s.SigningSecrets), err)
		}
	}
}

func TestSealedValuesOpenInTheirRowAlone(t *testing.T) {
	t.Parallel()
	testkit.Stores(t, func(t *testing.T, st *store.Store) {
		from, to := subscribe(t, st), subscribe(t, st)
		moved, err := st.Ent().EventSubscription.Get(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(moved.Credentials), "secret-password") {
			t.Error("credentials are stored in the clear")
		}
		if err := st.Ent().EventSubscription.UpdateOneID(to).SetCredentials(moved.Credentials).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		unopened(t, st, to)
	})
}

func TestLostKeyIsOneClearError(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, db database) {
		st, _ := db.nodes(t)
		unopened(t, db.node(t, seal.NewKeyset()), subscribe(t, st))
	})
}

// unopened checks what becomes of a subscription whose credentials can't be opened.
func unopened(t *testing.T, st *store.Store, id hark.ID) {
	t.Helper()
	s, err := st.Subscription(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Lost, "credentials can't be opened") || strings.Contains(s.Lost, "secret-password") {
		t.Errorf("it tells %q", s.Lost)
	}
	if s.Credentials != (hark.Credentials{}) || len(s.SigningSecrets) > 0 || s.Endpoint == "" || len(s.Schedule) == 0 {
		t.Errorf("of a lost one %+v is known", s)
	}
}
