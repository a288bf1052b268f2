package websocket

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// TestTokenRunsOutOnAnOpenConnection has a subscriber close a connection that
// did its work, since its token has run out.
func TestTokenRunsOutOnAnOpenConnection(t *testing.T) {
	t.Parallel()
	const refusesAll = "refuses all"
	for name, tt := range map[string]struct {
		code     websocket.StatusCode
		kind     hark.AuthType
		shown    string // by the upgrades
		succeeds bool
	}{
		"policy violation": {websocket.StatusPolicyViolation, hark.OAuth2, "token-1 token-2", true},
		"unauthorized":     {3000, hark.OAuth2, "token-1 token-2", true},
		"as after a 401":   {4401, hark.OAuth2, "token-1 token-2", true},
		"another close":    {4000, hark.OAuth2, "token-1", false},
		"a fixed token":    {4401, hark.JWT, "token-1", false},
		refusesAll:         {4401, hark.OAuth2, "token-1 token-2", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var shown []string
			fetched := 0
			tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				fetched++
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "token-" + strconv.Itoa(fetched), "token_type": "Bearer", "expires_in": 3600})
			}))
			t.Cleanup(tokens.Close)
			s := subscription(serve(t, nil, func(p *peer) {
				token := strings.TrimPrefix(p.header.Get("Authorization"), "Bearer ")
				mu.Lock()
				shown = append(shown, token)
				mu.Unlock()
				if token == "token-1" {
					p.ack(p.next())
				}
				if token == "token-1" || name == refusesAll {
					p.next()
					_ = p.ws.Close(tt.code, "the token has run out")
					return
				}
				p.ackAll()
			}))
			s.Credentials = hark.Credentials{Type: tt.kind, Token: "token-1", ClientID: "client", ClientSecret: "client-secret", TokenURL: tokens.URL}
			dr := newDriver(t, &http.Transport{}, nil, nil)
			if r, err := deliver(t, dr, s); err != nil {
				t.Fatal(r, err)
			}
			r, err := deliver(t, dr, s)
			switch {
			case tt.succeeds && err != nil:
				t.Error(r, err)
			case !tt.succeeds && (err == nil || r.StatusCode != int(tt.code) || delivery.IsPermanent(err)):
				t.Errorf("%+v, %v", r, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(shown, " "); got != tt.shown {
				t.Errorf("shown were %q, want %q", got, tt.shown)
			}
		})
	}
}
