package limit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/server/limit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func from(ctx context.Context, address string) context.Context {
	return hark.WithOrigin(ctx, hark.Origin{Address: address})
}

// allowed counts how many of n calls pass.
func allowed(n int, f func() error) (passed int) {
	for range n {
		if f() == nil {
			passed++
		}
	}
	return passed
}

func TestBucketsFillAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := map[string]int{}
		l := limit.New(limit.Config{Rates: limit.Rates{Address: 10, Identity: 5}, Refused: func(kind string) { refused[kind]++ }})
		one, two := from(t.Context(), "192.0.2.1"), from(t.Context(), "192.0.2.2")
		if n := allowed(100, func() error { return l.Address(one) }); n != 10 {
			t.Errorf("%d at once", n)
		}
		if n := allowed(100, func() error { return l.Address(two) }); n != 10 {
			t.Errorf("%d of another address", n)
		}
		time.Sleep(500 * time.Millisecond)
		if n := allowed(100, func() error { return l.Address(one) }); n != 5 {
			t.Errorf("%d after half a second", n)
		}
		err := l.Address(one)
		e, ok := errors.AsType[*hark.Error](err)
		if !ok || e.Code != hark.RateLimited || e.Details["retryAfter"] != 1 {
			t.Error(err, e.Details)
		}
		time.Sleep(time.Hour) // a bucket is never more than full
		if n := allowed(100, func() error { return l.Address(one) }); n != 10 {
			t.Errorf("%d after an hour", n)
		}
		id := hark.NewID()
		if n := allowed(100, func() error { return l.Identity(one, id) }); n != 5 {
			t.Errorf("%d of an identity", n)
		}
		if n := allowed(100, func() error { return l.Login(one) }); n != 60 {
			t.Errorf("%d logins", n)
		}
		if refused["address"] != 90+90+95+1+90 || refused["identity"] != 95 || refused["login"] != 40 {
			t.Error(refused)
		}
	})
}

func TestNoLimitsUnlessSet(t *testing.T) {
	t.Parallel()
	l, ctx := limit.New(limit.Config{}), from(t.Context(), "192.0.2.1")
	if n := allowed(1000, func() error { return errors.Join(l.Address(ctx), l.Identity(ctx, hark.NewID())) }); n != 1000 {
		t.Error(n)
	}
}

// TestSharedBuckets: two nodes count together, and each for itself while Redis is away.
func TestSharedBuckets(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	node := func() *limit.Limiter {
		r, err := limit.NewRedis(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return limit.New(limit.Config{Shared: r})
	}
	a, b, ctx := node(), node(), from(t.Context(), "192.0.2.1")
	n := allowed(50, func() error { return a.Login(ctx) }) + allowed(50, func() error { return b.Login(ctx) })
	if n < 60 || n > 65 { // one comes back each second
		t.Errorf("two nodes let %d logins pass", n)
	}
	server.Stop()
	if n := allowed(100, func() error { return a.Login(ctx) }); n < 60 || n > 65 {
		t.Errorf("without Redis a node lets %d logins pass", n)
	}
}
