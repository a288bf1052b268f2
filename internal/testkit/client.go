package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// A Client calls the API of a node as one identity.
type Client struct{ URL, Token string } // without Token: as nobody

// A GraphQLError is the first error of an answer.
type GraphQLError struct {
	Message    string
	Extensions struct{ Code, Field string }
}

func (e *GraphQLError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.Extensions.Code, e.Extensions.Field, e.Message)
}

// callTimeout is how long a call may take, in all.
const callTimeout = 30 * time.Second

// Vars are an operation's variables.
type Vars map[string]any

// Call runs a query or mutation and decodes its data into into, unless that is
// nil. Of an answer with errors it gives the first, a *GraphQLError.
func (c Client) Call(ctx context.Context, query string, vars Vars, into any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // a payload in vars goes out as it is
	if err := enc.Encode(map[string]any{"query": query, "variables": vars}); err != nil {
		return err
	}
	_, answer, err := c.Post(ctx, "/graphql", body.String())
	if err != nil {
		return err
	}
	a := struct {
		Data   any
		Errors []*GraphQLError
	}{Data: into}
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		return fmt.Errorf("%w: %.300s", err, answer)
	}
	if len(a.Errors) > 0 {
		return a.Errors[0]
	}
	return nil
}

// MustCall is Call for what has to work.
func MustCall[T any](t testing.TB, c Client, query string, vars Vars) (data T) {
	t.Helper()
	if err := c.Call(t.Context(), query, vars, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// Post posts JSON and gives the response, its body read and closed, and that body.
func (c Client) Post(ctx context.Context, path, body string, header ...string) (*http.Response, string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.Open(ctx, path, body, header...)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp, string(answer), err
}

// Open posts JSON and gives the response, to be closed. header is a list of
// names, each followed by its value.
func (c Client) Open(ctx context.Context, path, body string, header ...string) (*http.Response, error) {
	return c.Request(ctx, http.MethodPost, path, []byte(body), header...)
}

// Request is Open by any method.
func (c Client) Request(ctx context.Context, method, path string, body []byte, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return http.DefaultClient.Do(req)
}
