package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// A tokens is a token server without a network.
type tokens struct {
	calls  atomic.Int32
	takes  time.Duration
	answer func(n int32) (status int, body string, err error)
}

func (s *tokens) RoundTrip(r *http.Request) (*http.Response, error) {
	n := s.calls.Add(1)
	select {
	case <-time.After(s.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	status, body, err := 200, fmt.Sprintf(`{"access_token":"t%d","token_type":"bearer","expires_in":300}`, n), error(nil)
	if s.answer != nil {
		status, body, err = s.answer(n)
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Request: r, Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}},
	}, nil
}

func oauth2Subscription() *hark.Subscription {
	return &hark.Subscription{ID: hark.NewID(), Version: 1, Credentials: hark.Credentials{
		Type: hark.OAuth2, ClientID: "id", ClientSecret: "client-secret", TokenURL: "https://id.test/token?key=url-secret",
	}}
}

func TestTokenIsFetchedOnceAndBeforeItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &tokens{takes: time.Second}
		auth := delivery.NewAuthorizer(&http.Client{Transport: server})
		s := oauth2Subscription()
		header := func() string {
			_, value, err := auth.Header(t.Context(), s)
			if err != nil {
				t.Error(err)
			}
			return value
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if got := header(); got != "Bearer t1" {
					t.Errorf("header %q", got)
				}
			})
		}
		wg.Wait()
		time.Sleep(238 * time.Second)
		if got := header(); got != "Bearer t1" {
			t.Errorf("%q more than 60 s before the end", got)
		}
		time.Sleep(2 * time.Second)
		if got := header(); got != "Bearer t2" {
			t.Errorf("%q less than 60 s before the end", got)
		}
		if auth.Renew(s, "Bearer t1"); header() != "Bearer t2" {
			t.Error("the refusal of an old token dropped the new one")
		}
		s.Version++ // other credentials
		if got := header(); got != "Bearer t3" {
			t.Errorf("%q after a change", got)
		}
		if n := server.calls.Load(); n != 3 {
			t.Errorf("%d requests for 3 tokens", n)
		}
	})
}

func TestFetchGoesOnForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth := delivery.NewAuthorizer(&http.Client{Transport: &tokens{takes: 3 * time.Second}})
		s := oauth2Subscription()
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, _, err := auth.Header(ctx, s); err == nil || err.Error() != "timed out after 1 s waiting for the token server" {
				t.Errorf("error %v", err)
			}
		}()
		synctest.Wait()
		if _, value, err := auth.Header(t.Context(), s); err != nil || value != "Bearer t1" {
			t.Errorf("%q, %v", value, err)
		}
	})
}

func TestTokenErrorsTellNoSecret(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		err    error
		words  string
	}{
		"refused":       {401, `{"error":"invalid_client","error_description":"client-secret is wrong"}`, nil, "the token server answered 401: invalid_client"},
		"repeats":       {400, `{"error":"client-secret"}`, nil, "the token server answered 400"},
		"not JSON":      {200, `client-secret`, nil, "the token server's answer holds no access_token"},
		"no token":      {200, `{}`, nil, "the token server's answer holds no access_token"},
		"break in it":   {200, `{"access_token":"a\r\nX: y"}`, nil, "the token server's access_token does not fit into a header"},
		"away":          {0, "", errors.New("away"), "token server: away"},
		"server failed": {503, "client-secret", nil, "the token server answered 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			auth := delivery.NewAuthorizer(&http.Client{Transport: &tokens{answer: func(int32) (int, string, error) { return tt.status, tt.body, tt.err }}})
			_, _, err := auth.Header(t.Context(), oauth2Subscription())
			if err == nil || err.Error() != tt.words || delivery.IsPermanent(err) {
				t.Errorf("error %v; want %q, worth a retry", err, tt.words)
			}
		})
	}
}
