package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/config"
)

type tailCmd struct {
	config.Client
	Project     string   `help:"Project, by id or slug." default:"default" placeholder:"PROJECT" env:"-"`
	Event       []string `help:"Event types such as secret:update, secret:* or secret-manager/secret:update. Default: all." placeholder:"TYPE" env:"-"`
	Environment *string  `help:"Only events of this environment." placeholder:"SLUG" env:"-"`
	Path        *string  `help:"Only events with a path that this glob matches." placeholder:"GLOB" env:"-"`
	After       string   `help:"Go on behind this cursor." placeholder:"CURSOR" env:"-"`
}

// Help shows an example.
func (tailCmd) Help() string {
	return "Prints one JSON object a line. When the connection is lost it reconnects and goes on behind the last event that it printed: none is missing, none comes twice.\n\nExample:\n  hark tail --event=secret:update --environment=staging"
}

const tailSubscription = `subscription Tail($filter: ProjectEventsFilter!, $after: String) { projectEvents(filter: $filter, after: $after) {
	id sequence cursor projectId projectType eventType environment path actor occurredAt publishedAt payload } }`

// Pauses between two connections.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 10 * time.Second
)

// Run prints events until the process is told to stop.
func (c *tailCmd) Run(ctx context.Context, std stdio) error {
	if err := c.Client.Validate(); err != nil {
		return usageError{err}
	}
	cl := client{c.Client}
	pause := firstPause
	var project hark.ID
	for {
		err := error(nil)
		if project.IsZero() {
			project, err = c.project(ctx, cl)
		}
		if err == nil {
			var printed bool
			if printed, err = c.stream(ctx, cl, project, std.out); printed {
				pause = firstPause
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if e, ok := errors.AsType[*graphqlError](err); ok && final(e.Extensions.Code) {
			return err
		}
		if _, ok := errors.AsType[outputError](err); ok {
			return err
		}
		fmt.Fprintf(std.err, "hark: the stream was lost (%v); connecting again in %s\n", err, pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// final tells whether connecting again can't help.
func final(code string) bool {
	return !slices.Contains([]string{string(hark.Internal), string(hark.RateLimited), ""}, code)
}

// outputError is an output that takes no more.
type outputError struct{ error }

// project resolves the project's name.
func (c *tailCmd) project(ctx context.Context, cl client) (hark.ID, error) {
	if id, err := hark.ParseID(c.Project); err == nil {
		return id, nil
	}
	variables, err := json.Marshal(map[string]string{"slug": c.Project})
	if err != nil {
		return hark.ID{}, err
	}
	var data struct{ Project struct{ ID hark.ID } }
	err = cl.do(ctx, request{Query: `query($slug: String!) { project(slug: $slug) { id } }`, Variables: variables}, &data)
	return data.Project.ID, err
}

// stream prints events of one connection, and remembers behind which one to go on.
func (c *tailCmd) stream(ctx context.Context, cl client, project hark.ID, out io.Writer) (printed bool, err error) {
	resp, err := cl.send(ctx, request{Query: tailSubscription, Variables: c.variables(project)}, "text/event-stream", c.After)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or given up
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" || resp.StatusCode != http.StatusOK {
		a, err := cl.read(resp)
		if err != nil {
			return false, err
		}
		return false, errors.Join(a.err(), fmt.Errorf("the server answered %s", resp.Status))
	}
	for m, err := range readSSE(resp.Body) {
		if err != nil {
			return printed, err
		}
		if m.event == "complete" {
			return printed, errors.New("the server ended it")
		}
		if m.event != "next" {
			if m.id != "" { // where the stream begins
				c.After = m.id
			}
			continue
		}
		var a answer
		var data struct{ ProjectEvents json.RawMessage }
		if err := json.Unmarshal(m.data, &a); err != nil {
			return printed, fmt.Errorf("read an answer: %w", err)
		}
		if err := a.err(); err != nil {
			return printed, err
		}
		if err := json.Unmarshal(a.Data, &data); err != nil {
			return printed, fmt.Errorf("read an event: %w", err)
		}
		if err := printLine(out, data.ProjectEvents); err != nil {
			return printed, outputError{err}
		}
		printed = true
		if m.id != "" {
			c.After = m.id
		}
	}
	return printed, errors.New("the connection ended")
}

func (c *tailCmd) variables(project hark.ID) json.RawMessage {
	type conditions struct {
		EnvironmentSlug *string `json:"environmentSlug,omitempty"`
		SecretPath      *string `json:"secretPath,omitempty"`
	}
	type registration struct {
		Event      string     `json:"event"`
		Conditions conditions `json:"conditions"`
	}
	var register []registration
	types := c.Event
	if len(types) == 0 && (c.Environment != nil || c.Path != nil) {
		types = []string{"*"}
	}
	for _, t := range types {
		register = append(register, registration{t, conditions{c.Environment, c.Path}})
	}
	variables := map[string]any{"filter": map[string]any{"projectId": project, "register": register}}
	if c.After != "" {
		variables["after"] = c.After
	}
	b, _ := json.Marshal(variables) // strings alone
	return b
}

// printLine writes one JSON value as one line.
func printLine(out io.Writer, value json.RawMessage) error {
	line := []byte(value)
	if bytes.ContainsAny(line, "\r\n") { // between tokens: a JSON string has none
		var b bytes.Buffer
		if err := json.Compact(&b, value); err != nil {
			return err
		}
		line = b.Bytes()
	}
	_, err := out.Write(append(slices.Clip(line), '\n'))
	return err
}
