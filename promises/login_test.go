package promises

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/hark-events/hark/internal/testkit"
)

// login gives an access token for a client secret.
func login(ctx context.Context, url, clientID, clientSecret string) (string, error) {
	body, err := json.Marshal(map[string]string{"clientId": clientID, "clientSecret": clientSecret})
	if err != nil {
		return "", err
	}
	resp, answer, err := testkit.Client{URL: url}.Post(ctx, "/api/v1/auth/universal-auth/login", string(body))
	if err != nil {
		return "", err
	}
	var a struct{ AccessToken string }
	if err := json.Unmarshal([]byte(answer), &a); err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("login answers %s %s", resp.Status, answer)
	}
	return a.AccessToken, nil
}
