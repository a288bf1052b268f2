package promises

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

// TestLimits asks too often: in vain, with a word when to come back, and counted.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		flag, path, body, metric string
		n                        int
	}{
		"identity":                {"--rate-identity=5", "/graphql", `{"query":"{ viewer { __typename } }"}`, `hark_rate_limited_total{kind="identity"}`, 50},
		"identity of CloudEvents": {"--rate-identity=5", "/api/v1/events", `{}`, `hark_rate_limited_total{kind="identity"}`, 50},
		"address":                 {"--rate-address=5", "/graphql", `{"query":"{ viewer { __typename } }"}`, `hark_rate_limited_total{kind="address"}`, 50},
		"login":                   {"--rate-address=0", "/api/v1/auth/universal-auth/login", `{"clientId":"x","clientSecret":"y"}`, `hark_rate_limited_total{kind="login"}`, 90},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := testkit.Hark(t, tt.flag)
			var refused int
			for range tt.n {
				resp, answer, err := n.Admin().Post(t.Context(), tt.path, tt.body)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != http.StatusTooManyRequests {
					continue
				}
				refused++
				if wait := resp.Header.Get("Retry-After"); wait != "1" {
					t.Errorf("Retry-After: %q", wait)
				}
				if !strings.Contains(answer, "RateLimitExceeded") && !strings.Contains(answer, "RATE_LIMITED") {
					t.Error(answer)
				}
			}
			if refused == 0 {
				t.Error("nothing is refused")
			}
			resp, err := n.Admin().Request(t.Context(), http.MethodGet, "/metrics", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(text), tt.metric+" 0\n") || !strings.Contains(string(text), tt.metric) {
				t.Errorf("%s %v: %s is not counted", resp.Status, err, tt.metric)
			}
		})
	}
}
