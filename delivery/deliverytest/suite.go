package deliverytest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// Secrets of the suite, which no error and no receipt may hold.
const (
	password     = "pass-word-of-the-suite"
	clientSecret = "client-secret-of-the-suite"
	token        = "jwt-token-of-the-suite"
	key          = "api-key-of-the-suite"
	query        = "query-secret-of-the-suite"
)

// soon bounds what must not take long.
const soon = 5 * time.Second

// Run tests what every driver promises.
func Run(t *testing.T, s Subject) {
	t.Run("acknowledged", func(t *testing.T) {
		t.Parallel()
		calls := make(chan Call, 1)
		sub, d, ok := s.setUp(t, Acknowledges, func(c Call) { calls <- c })
		if !ok {
			t.Fatal("every protocol can acknowledge")
		}
		driver := s.driver(t)
		if err := driver.Check(sub); err != nil {
			t.Fatalf("Check refuses a good subscription: %v", err)
		}
		if _, err := deliver(t, driver, sub, d, soon); err != nil {
			t.Fatal(err)
		}
		if c := <-calls; c.DeliveryID != d.ID.String() {
			t.Errorf("the subscriber saw delivery %q; want %q", c.DeliveryID, d.ID)
		}
	})
	t.Run("credentials", func(t *testing.T) { t.Parallel(); s.credentials(t) })
	t.Run("oauth2 renews a refused token once", func(t *testing.T) { t.Parallel(); s.renews(t) })
	t.Run("token server is away", func(t *testing.T) { t.Parallel(); s.tokenServerAway(t) })
	t.Run("many at once", func(t *testing.T) { t.Parallel(); s.manyAtOnce(t) })
	t.Run("broken connection", func(t *testing.T) { t.Parallel(); s.brokenConnection(t) })
	t.Run("cancelled", func(t *testing.T) { t.Parallel(); s.cancelled(t) })
	t.Run("address guard", func(t *testing.T) { t.Parallel(); s.guarded(t) })
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		sub := s.subscription(s.Unreachable)
		r, err := deliver(t, s.driver(t), sub, Delivery(sub, Event()), soon)
		fails(t, r, err, false)
		if err != nil && err.Error() != "connection refused" {
			t.Errorf("error %q; want %q", err, "connection refused")
		}
	})
	for name, tt := range map[string]struct {
		behaviour Behaviour
		timeout   time.Duration
		permanent bool
	}{
		"failure":            {Fails, soon, false},
		"permanent":          {Refuses, soon, true},
		"hanging":            {Hangs, 300 * time.Millisecond, false},
		"dripping":           {Drips, 300 * time.Millisecond, false},
		"endless answer":     {Endless, soon, false},
		"claims 1 GB":        {Huge, soon, false},
		"echoes credentials": {Echoes, soon, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sub, d, ok := s.setUp(t, tt.behaviour, nil)
			if !ok {
				return
			}
			began := time.Now()
			r, err := deliver(t, s.driver(t), sub, d, tt.timeout)
			fails(t, r, err, tt.permanent)
			if took := time.Since(began); took > tt.timeout+soon/2 {
				t.Errorf("took %v with a time-out of %v", took, tt.timeout)
			}
			if tt.behaviour == Hangs && err != nil && !strings.Contains(err.Error(), "timed out after ") {
				t.Errorf("error %q; want one that says after which time", err)
			}
		})
	}
}

func (s Subject) driver(t *testing.T) delivery.Driver {
	return s.Driver(t, delivery.NewAuthorizer(http.DefaultClient))
}

func (s Subject) subscription(endpoint string) *hark.Subscription {
	sub := Subscription(s.Protocol, endpoint)
	sub.Credentials = hark.Credentials{Type: hark.JWT, Token: token}
	return sub
}

func (s Subject) setUp(t *testing.T, b Behaviour, saw func(Call)) (*hark.Subscription, *hark.Delivery, bool) {
	if saw == nil {
		saw = func(Call) {}
	}
	endpoint, ok := s.Subscriber(t, b, saw)
	if !ok {
		return nil, nil, false
	}
	sub := s.subscription(endpoint)
	return sub, Delivery(sub, Event()), true
}

// deliver makes one attempt, and checks what holds for all of them.
func deliver(t *testing.T, driver delivery.Driver, sub *hark.Subscription, d *hark.Delivery, timeout time.Duration) (delivery.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	r, err := driver.Deliver(ctx, sub, d)
	for _, secret := range []string{password, clientSecret, token, key, query, "Bearer token-"} {
		if strings.Contains(fmt.Sprint(err), secret) || strings.Contains(r.ResponseBody, secret) {
			t.Errorf("a secret shows in error %q or text %q", err, r.ResponseBody)
		}
	}
	if len(r.ResponseBody) > delivery.MaxResponseBody {
		t.Errorf("%d bytes of answer kept", len(r.ResponseBody))
	}
	return r, err
}

func fails(t *testing.T, r delivery.Receipt, err error, permanent bool) {
	t.Helper()
	if err == nil {
		t.Fatalf("acknowledged with %+v", r)
	}
	if delivery.IsPermanent(err) != permanent {
		t.Errorf("error %q: permanent is %v", err, !permanent)
	}
}

func (s Subject) credentials(t *testing.T) {
	tokens := tokenServer(t)
	for name, tt := range map[string]struct {
		credentials  hark.Credentials
		header, want string
	}{
		"basic":  {hark.Credentials{Type: hark.Basic, Username: "aladdin", Password: password}, "Authorization", "Basic YWxhZGRpbjpwYXNzLXdvcmQtb2YtdGhlLXN1aXRl"},
		"jwt":    {hark.Credentials{Type: hark.JWT, Token: token}, "Authorization", "Bearer " + token},
		"apiKey": {hark.Credentials{Type: hark.APIKey, HeaderName: "X-API-KEY", Key: key}, "X-API-KEY", key},
		"oauth2": {oauth2(tokens), "Authorization", "Bearer token-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 1)
			sub, d, _ := s.setUp(t, Acknowledges, func(c Call) { got <- c.Header(tt.header) })
			sub.Credentials = tt.credentials
			driver := s.driver(t)
			if err := driver.Check(sub); err != nil {
				t.Fatal(err)
			}
			if _, err := deliver(t, driver, sub, d, soon); err != nil {
				t.Fatal(err)
			}
			if value := <-got; value != tt.want {
				t.Errorf("%s: %q; want %q", tt.header, value, tt.want)
			}
		})
	}
}

// tokenServer gives token-1, token-2, … each for an hour.
func tokenServer(t *testing.T) string {
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, secret, _ := r.BasicAuth(); secret != clientSecret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": fmt.Sprintf("token-%d", n.Add(1)), "token_type": "Bearer", "expires_in": 3600,
		})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func oauth2(tokenURL string) hark.Credentials {
	return hark.Credentials{Type: hark.OAuth2, ClientID: "client", ClientSecret: clientSecret, TokenURL: tokenURL}
}

func (s Subject) renews(t *testing.T) {
	var mu sync.Mutex
	var got []string
	sub, d, ok := s.setUp(t, Unauthorized, func(c Call) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, c.Header("Authorization"))
	})
	if !ok {
		return
	}
	sub.Credentials = oauth2(tokenServer(t))
	driver := s.driver(t)
	for range 2 { // the second time with the token that is kept
		if _, err := deliver(t, driver, sub, d, soon); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if want := "Bearer token-1, Bearer token-2, Bearer token-2"; strings.Join(got, ", ") != want {
		t.Errorf("the subscriber saw %q; want %q", got, want)
	}
}

func (s Subject) tokenServerAway(t *testing.T) {
	sub, d, _ := s.setUp(t, Acknowledges, nil)
	server := httptest.NewServer(nil)
	server.Close()
	sub.Credentials = oauth2(server.URL)
	r, err := deliver(t, s.driver(t), sub, d, soon)
	fails(t, r, err, false)
	if !strings.Contains(err.Error(), "token") {
		t.Errorf("error %q does not say that it was the token", err)
	}
}

// manyAtOnce shows that callbacks at the same time do not get into each
// other's way, and that one token is fetched for all of them.
func (s Subject) manyAtOnce(t *testing.T) {
	const n = 64
	var mu sync.Mutex
	seen := make(map[string]int, n)
	sub, _, _ := s.setUp(t, Acknowledges, func(c Call) {
		if got := c.Header("Authorization"); got != "Bearer token-1" {
			t.Errorf("Authorization: %q; want the first token", got)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[c.DeliveryID]++
	})
	sub.Credentials = oauth2(tokenServer(t))
	driver := s.driver(t)
	var all sync.WaitGroup
	ids := make([]string, n)
	for i := range n {
		d := Delivery(sub, Event())
		ids[i] = d.ID.String()
		all.Go(func() {
			if _, err := deliver(t, driver, sub, d, soon); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		if seen[id] != 1 {
			t.Errorf("the subscriber saw delivery %s %d times", id, seen[id])
		}
	}
}

// brokenConnection shows that a connection which broke is not used again.
func (s Subject) brokenConnection(t *testing.T) {
	sub, d, ok := s.setUp(t, HangsUp, nil)
	if !ok {
		return
	}
	driver := s.driver(t)
	if r, err := deliver(t, driver, sub, d, soon); err != nil {
		fails(t, r, err, false)
	}
	if _, err := deliver(t, driver, sub, d, soon); err != nil {
		t.Errorf("after a broken connection: %v", err)
	}
}

func (s Subject) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	sub, d, ok := s.setUp(t, Hangs, func(Call) { cancel() })
	if !ok {
		return
	}
	began := time.Now()
	r, err := s.driver(t).Deliver(ctx, sub, d)
	fails(t, r, err, false)
	if took := time.Since(began); took > soon {
		t.Errorf("ended %v after it was cancelled", took)
	}
}

func (s Subject) guarded(t *testing.T) {
	sub, d, _ := s.setUp(t, Acknowledges, func(Call) { t.Error("the subscriber was reached") })
	r, err := deliver(t, s.Guarded(t, delivery.NewAuthorizer(http.DefaultClient)), sub, d, soon)
	fails(t, r, err, false)
	if err != nil && !strings.Contains(err.Error(), s.Refusal) {
		t.Errorf("error %q; want what the guard says: %q", err, s.Refusal)
	}
}
