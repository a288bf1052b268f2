package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/hark-events/hark/internal/config"
)

// A client sends GraphQL operations to a server.
type client struct{ config.Client }

// request is one GraphQL operation. Variables go out byte for byte.
type request struct {
	Query     string          `json:"query"`
	Variables json.RawMessage `json:"variables,omitempty"`
}

// graphqlError is one of an answer's errors.
type graphqlError struct {
	Message    string `json:"message"`
	Extensions struct {
		Code  string `json:"code"`
		Field string `json:"field"`
	} `json:"extensions"`
}

func (e *graphqlError) Error() string { return e.Message }

// answer is a GraphQL response.
type answer struct {
	Data   json.RawMessage `json:"data"`
	Errors []*graphqlError `json:"errors"`
}

func (a *answer) err() error {
	if len(a.Errors) == 0 {
		return nil
	}
	return a.Errors[0]
}

// send posts an operation and returns the response, whatever its status.
func (c client) send(ctx context.Context, r request, accept, lastEventID string) (*http.Response, error) {
	var body bytes.Buffer
	query, err := json.Marshal(r.Query)
	if err != nil {
		return nil, err
	}
	body.WriteString(`{"query":`)
	body.Write(query)
	if len(r.Variables) > 0 {
		body.WriteString(`,"variables":`)
		body.Write(r.Variables)
	}
	body.WriteString("}")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+"/graphql", &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	return http.DefaultClient.Do(req)
}

// do runs a query or mutation and decodes its data into v.
func (c client) do(ctx context.Context, r request, v any) (err error) {
	resp, err := c.send(ctx, r, "application/graphql-response+json", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	a, err := c.read(resp)
	if err != nil {
		return err
	}
	if err := a.err(); err != nil {
		return err
	}
	return json.Unmarshal(a.Data, v)
}

// read reads a JSON answer.
func (c client) read(resp *http.Response) (*answer, error) {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || a.Data == nil && a.Errors == nil {
		return nil, fmt.Errorf("%s answered %s, and nothing that hark would say: is it a hark server?", c.URL, resp.Status)
	}
	return &a, nil
}
