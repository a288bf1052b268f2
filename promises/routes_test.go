package promises

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hark-events/hark/internal/testkit"
	harkv1 "github.com/hark-events/hark/proto/hark/v1"
)

// TestRoutesKeepStrangersOut asks every route beside GraphQL about a project as
// nobody, as an identity without a role, and as one that may do everything, but
// in another project: each says no more than that there is no such project, and
// stores nothing.
func TestRoutesKeepStrangersOut(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t, "--grpc-addr=127.0.0.1:0")
	own := plantProject(t, n)
	id := own.ids["project"]
	const cloudEvent = `{"specversion":"1.0","id":"1","source":"/projects/default/secret-manager","type":"secret:update","data":1}`
	type status3 struct{ nobody, powerless, stranger int }
	for name, tt := range map[string]struct {
		method, path, body, media string
		want                      status3
	}{
		"project-events by id":   {"POST", "/api/v1/events/subscribe/project-events", `{"projectId":"` + id + `","register":[{"event":"secret:update"}]}`, "", status3{401, 404, 404}},
		"project-events by slug": {"POST", "/api/v1/events/subscribe/project-events", `{"projectId":"default","register":[{"event":"secret:update"}]}`, "", status3{401, 404, 404}},
		"CloudEvent":             {"POST", "/api/v1/events", cloudEvent, "application/cloudevents+json", status3{401, 404, 404}},
		"CloudEvents":            {"POST", "/api/v1/events", "[" + cloudEvent + "]", "application/cloudevents-batch+json", status3{401, 404, 404}},
		"login":                  {"POST", "/api/v1/auth/universal-auth/login", `{"clientId":"` + own.ids["admin"] + `","clientSecret":"x"}`, "", status3{401, 401, 401}},
		"renew":                  {"POST", "/api/v1/auth/token/renew", `{"accessToken":"x"}`, "", status3{401, 422, 422}},
		"revoke":                 {"POST", "/api/v1/auth/token/revoke", `{"accessToken":"x"}`, "", status3{401, 422, 422}},
		"playground":             {"GET", "/playground", "", "", status3{200, 200, 200}},
		"liveness":               {"GET", "/healthz", "", "", status3{200, 200, 200}},
		"readiness":              {"GET", "/readyz", "", "", status3{200, 200, 200}},
		"metrics":                {"GET", "/metrics", "", "", status3{200, 200, 200}},
		"WSDL":                   {"GET", "/soap/hark.wsdl", "", "", status3{200, 200, 200}},
		"nothing":                {"GET", "/api/v1/" + id, "", "", status3{404, 404, 404}},
		"mutation by GET":        {"GET", "/graphql?query=mutation%7BcreateIdentity(name%3A%22x%22)%7Bid%7D%7D", "", "", status3{401, 405, 405}},
		"mutation by a form":     {"POST", "/graphql", "query=mutation%7BcreateIdentity(name%3A%22x%22)%7Bid%7D%7D", "application/x-www-form-urlencoded", status3{415, 415, 415}},
		"mutation as text":       {"POST", "/graphql", `{"query":"mutation { createIdentity(name: \"x\") { id } }"}`, "text/plain", status3{415, 415, 415}},
	} {
		for caller, c := range map[string]struct {
			token string
			want  int
		}{"nobody": {"", tt.want.nobody}, "powerless": {own.powerless, tt.want.powerless}, "stranger": {own.stranger, tt.want.stranger}} {
			t.Run(caller+" "+name, func(t *testing.T) {
				before := rows(t, n)
				header := []string{}
				if tt.media != "" {
					header = append(header, "Content-Type", tt.media)
				}
				resp, err := testkit.Client{URL: n.URL(), Token: c.token}.Request(t.Context(), tt.method, tt.path, []byte(tt.body), header...)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != c.want {
					t.Errorf("%s, want %d: %.500s", resp.Status, c.want, body)
				}
				for what, secret := range own.ids {
					if strings.Contains(string(body), secret) {
						t.Errorf("shows the %s: %.500s", what, body)
					}
				}
				if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("X-Frame-Options") != "DENY" || resp.Header.Get("Content-Security-Policy") == "" {
					t.Error("headers of security are missing:", resp.Header)
				}
				unchanged(t, n, before)
			})
		}
	}

	ingestion := grpcClient(t, grpcAddr(t, n), insecure.NewCredentials())
	for caller, token := range map[string]string{"powerless": own.powerless, "stranger": own.stranger} {
		for _, project := range []string{"", "default", id} {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
			_, err := ingestion.Publish(ctx, &harkv1.PublishRequest{Events: []*harkv1.NewEvent{{
				ProjectId: project, SourceService: "secret-manager", ResourceType: "secret", OperationType: "update", Payload: []byte("1"),
			}}})
			if status.Code(err) != codes.NotFound {
				t.Errorf("%s publishes by gRPC to %q: %v", caller, project, err)
			}
		}
		c := testkit.Client{URL: n.URL(), Token: token}
		for _, query := range []string{
			`{ viewer { permissions(projectId: "` + id + `") } }`, `{ project(id: "` + id + `") { id } }`,
			`{ events(filter: {projectId: "` + id + `"}) { nodes { id } } }`,
		} {
			err := c.Call(t.Context(), query, nil, nil)
			if err == nil || !strings.Contains(fmt.Sprint(err), "NOT_FOUND") && !strings.Contains(fmt.Sprint(err), "FORBIDDEN") {
				t.Errorf("%s: %s: %v", caller, query, err)
			}
			if strings.Contains(query, "permissions") && !strings.Contains(fmt.Sprint(err), "NOT_FOUND") {
				t.Errorf("%s: %s: %v", caller, query, err)
			}
		}
	}
}

// TestOrigins: a page of another origin hears nothing, unless it is listed.
func TestOrigins(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t, "--cors-origins=https://app.example.com")
	for origin, allowed := range map[string]bool{"https://app.example.com": true, "https://evil.example.com": false, n.URL(): true, "null": false} {
		resp, err := n.Admin().Request(t.Context(), http.MethodOptions, "/graphql", nil, "Origin", origin, "Access-Control-Request-Method", "POST")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Access-Control-Allow-Origin"); (got == origin) != allowed || got == "*" || resp.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", origin, resp.Header)
		}
		resp, err = n.Admin().Request(t.Context(), http.MethodGet, "/graphql", nil, "Origin", origin, "Connection", "Upgrade", "Upgrade", "websocket",
			"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", "graphql-transport-ws")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if (resp.StatusCode == http.StatusSwitchingProtocols) != allowed {
			t.Errorf("WebSocket of %s: %s", origin, resp.Status)
		}
	}
}
