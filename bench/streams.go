package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// errNoTools: what is named stream is measured by programs that are not hark's.
var errNoTools = errors.New("needs -tools")

// A streaming measures fan-out with the load generator fanout, of hark and its
// rivals one after the other: the server that does the least, and gqlgen as it
// comes. The generator runs where this program may; the servers on -core.
type streaming struct {
	protocol string // graphql-ws or graphql-sse
	n        int    // subscribers
	limit    []string
	args     []string // of fanout
	value    func(fanned) float64
	durable  bool // the disk is a limit too, which of these servers hark alone waits for
}

// A fanned is what fanout reports of one run.
type fanned struct {
	IdleRSS   int64  `json:"idle_rss_per_conn"`
	Published int64  `json:"published"`
	Lost      int64  `json:"lost"`
	Closed    int64  `json:"closed"`
	Saturated []pass `json:"saturated"`
	Paced     []pass `json:"paced"`
}

// A pass is one of its loads.
type pass struct {
	Messages float64 `json:"msgs_per_s"`
	CPU      float64 `json:"cpu_s_per_1m"`
	Server   float64 `json:"server_cores"`
	Client   float64 `json:"client_cores"`
	Noise    float64 `json:"noise_cores"`
	P99      float64 `json:"p99_ms"`
}

// batched is the server limit with 16 events in a write, single with one; go-ws
// and go-http-sse have a goroutine for each subscriber, as any server in Go has.
func batched(mode string) []string { return []string{"-mode", mode, "-batch", "16"} }
func single(mode string) []string  { return []string{"-mode", mode} }

func saturating(window int) []string { return []string{"-window", strconv.Itoa(window)} }

// briefly publishes little: what is idle is measured before.
func briefly() []string { return []string{"-window", "1", "-warmup", "1ms", "-time", "1s"} }

func messages(f fanned) float64 { return f.Saturated[0].Messages }
func p99(f fanned) float64      { return f.Paced[0].P99 }
func idle(f fanned) float64     { return float64(f.IdleRSS) / 1000 }

// What everybody is asked, and what is published to hark and to gqlgen.
const (
	streamQuery = "subscription { projectEvents(filter: {}) { id cursor eventType projectType environment path publishedAt payload } }"
	streamBody  = `{"query":"mutation($i:[PublishEventInput!]!){publishEvents(input:$i){duplicates}}","variables":{"i":[` +
		`{"sourceService":"secret-manager","resourceType":"secret","operationType":"update","environment":"dev","path":"/app",` +
		`"payload":[{"environment":"dev","secretPath":"/app","ts":"@TS@","secretKey":"@DATA@"}]}]}}`
)

func (m streaming) run(ctx context.Context, b *bench) (r result, err error) {
	if b.tools == "" {
		return r, errNoTools
	}
	raw, err := m.atLimit(ctx, b)
	if err != nil {
		return r, fmt.Errorf("the limit: %w", err)
	}
	stock, err := m.atStock(ctx, b)
	if err != nil {
		return r, fmt.Errorf("gqlgen: %w", err)
	}
	own, err := m.atHark(ctx, b)
	if err != nil {
		return r, err
	}
	r.value = m.value(own)
	r.limits = []limit{{"raw server", m.value(raw)}, {"gqlgen as it comes", m.value(stock)}}
	if m.durable {
		took, err := bareCommits(ctx, b)
		if err != nil {
			return r, fmt.Errorf("SQLite: %w", err)
		}
		r.limits = append(r.limits, limit{"SQLite commits one event", milliseconds(took.quantile(.99))})
	}
	last := append(own.Saturated, own.Paced...)[len(own.Saturated)+len(own.Paced)-1]
	r.noise = last.Noise
	r.detail = fmt.Sprintf("server %.2f cores, client %.2f, %.2f s of processor time for 1M messages, %d events", last.Server, last.Client, last.CPU, own.Published)
	return r, nil
}

func (m streaming) atHark(ctx context.Context, b *bench) (f fanned, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	return m.fanout(ctx, b, s.pid, m.graphql(s.addr)...)
}

func (m streaming) atStock(ctx context.Context, b *bench) (f fanned, err error) {
	c, err := startChild(ctx, b.core, "stock")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	return m.fanout(ctx, b, c.pid, m.graphql(c.addr)...)
}

func (m streaming) graphql(addr string) []string {
	const authorization = "Authorization: Bearer " + token
	return []string{
		"-proto", m.protocol, "-url", "http://" + addr + "/graphql", "-header", authorization, "-query", streamQuery,
		"-pub-url", "http://" + addr + "/graphql", "-pub-header", authorization, "-pub-header", "Content-Type: application/json", "-pub-body", streamBody,
	}
}

// atLimit measures the program limit. What it loses is not looked at: with -batch
// it keeps the last events of a run.
func (m streaming) atLimit(ctx context.Context, b *bench) (f fanned, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return f, err
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return f, err
	}
	ctx, stop := context.WithCancel(ctx)
	cmd := command(ctx, b.core, filepath.Join(b.tools, "limit"), append([]string{"-addr", addr}, m.limit...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		stop()
		return f, err
	}
	defer func() {
		stop()
		_ = cmd.Wait() // it was killed
	}()
	for range 100 {
		var c net.Conn
		if c, err = net.Dial("tcp", addr); err == nil {
			_ = c.Close() // it listens
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return f, err
	}
	protocol := "sse"
	if m.protocol == "graphql-ws" {
		protocol = "ws-raw"
	}
	f, err = m.fanout(ctx, b, cmd.Process.Pid, "-proto", protocol, "-url", "http://"+addr+"/", "-pub-url", "http://"+addr+"/publish")
	if errors.Is(err, errLost) {
		err = nil
	}
	return f, err
}

var errLost = errors.New("not all that was published came")

// fanout runs the load generator against a server.
func (m streaming) fanout(ctx context.Context, b *bench, pid int, args ...string) (f fanned, err error) {
	args = append(args, "-json", "-runs", "1", "-time", b.length.String(), "-pid", strconv.Itoa(pid), "-n", strconv.Itoa(m.n))
	cmd := exec.CommandContext(ctx, filepath.Join(b.tools, "fanout"), append(args, m.args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("fanout: %w", err)
	}
	if err := json.Unmarshal(out, &f); err != nil || len(f.Saturated) == 0 {
		return f, fmt.Errorf("fanout reports %q: %w", out, err)
	}
	if f.Lost != 0 || f.Closed != 0 {
		return f, fmt.Errorf("%w: of %d events for %d subscribers %d are lost, %d connections were closed", errLost, f.Published, m.n, f.Lost, f.Closed)
	}
	return f, nil
}
