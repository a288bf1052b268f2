package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// connections is how many publishers there are at a time.
const connections = 64

// warmUp is how long load goes on before a run is measured.
const warmUp = time.Second

const mutation = "mutation($input:[PublishEventInput!]!){publishEvents(input:$input){events{id sequence} duplicates}}"

// digits is a time in nanoseconds that is filled in when an event is sent.
const digits = "0000000000000000000"

// mark precedes the digits in an event, wherever it shows up.
const mark = `"ts":"`

// publishBody is a request that publishes n events.
func publishBody(n int) []byte {
	body, err := json.Marshal(map[string]any{"query": mutation, "variables": map[string]any{"input": publishInput(n)}})
	if err != nil {
		panic(err) // it is the same each time
	}
	return body
}

// publishInput is n events of about 350 bytes each.
func publishInput(n int) []any {
	event := map[string]any{
		"sourceService": "secret-manager", "resourceType": "secret", "operationType": "update",
		"environment": "production", "path": "/app/backend", "actor": "deploy-bot",
		"payload": json.RawMessage(`[{` + mark + digits + `","environment":"production","secretPath":"/app/backend","secretKey":"DATABASE_URL","note":"` +
			strings.Repeat("x", 100) + `"}]`),
	}
	input := make([]any, n)
	for i := range input {
		input[i] = event
	}
	return input
}

// stamped is body with the time of now for its first event's digits.
func stamped(body []byte) []byte {
	head, tail, _ := strings.Cut(string(body), digits)
	return []byte(head + strconv.FormatInt(time.Now().UnixNano(), 10) + tail)
}

// publishing measures publishEvents with so many events in a request.
func publishing(batch int) func(context.Context, *bench) (result, error) {
	return func(ctx context.Context, b *bench) (r result, err error) {
		body := publishBody(batch)
		bare, err := barePosts(ctx, b, connections, b.length/2, body)
		if err != nil {
			return r, err
		}
		// The group commit has at most one event of each connection in a
		// transaction, or 1,000 of batches.
		rows := min(connections*batch, 1000)
		inserts, err := bareInserts(ctx, b, rows, false)
		if err != nil {
			return r, err
		}
		r.limits = []limit{
			{"net/http POSTs to a sink, events/s", bare * float64(batch)},
			{fmt.Sprintf("SQLite inserts, %d rows a commit, rows/s", rows), inserts},
		}

		s, err := b.start(ctx)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		p := newPoster(s.url(), connections)
		defer p.close()
		same := func() []byte { return body }
		if _, _, err := p.load(ctx, connections, warmUp, same); err != nil {
			return r, err
		}
		before := readUsage(s.pid)
		busy := cpuTime(s.pid)
		rate, took, err := p.load(ctx, connections, b.length, same)
		if err != nil {
			return r, err
		}
		after := readUsage(s.pid)
		r.value, r.noise = rate*float64(batch), after.noise(before)
		r.detail = took.String() + ", " + after.spent(before, cpuTime(s.pid)-busy, r.value)
		return r, nil
	}
}

// barePosts is how many POSTs a second net/http brings to a sink.
func barePosts(ctx context.Context, b *bench, conns int, d time.Duration, body []byte) (rate float64, err error) {
	c, err := startChild(ctx, b.core, "sink")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	p := newPoster("http://"+c.addr, conns)
	defer p.close()
	rate, _, err = p.load(ctx, conns, d, func() []byte { return body })
	return rate, err
}
