package promises

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hark-events/hark/internal/testkit"
)

// rolling is how many subscribers there are.
const rolling = 2000

// A wanderer hears the default project's events from one node after the other,
// each behind the cursor of the last one that it has, or by its session.
type wanderer struct {
	nodes   []*testkit.Node
	begin   string // cursor
	cursor  string
	session string
	next    atomic.Int64 // sequence
	wrong   atomic.Value // what it should not have heard, as text
}

var answered = regexp.MustCompile(`"sequence":(\d+)\}\},"extensions":\{"cursor":"([^"]+)"`)

// take takes an answer.
func (w *wanderer) take(text string) {
	m := answered.FindStringSubmatch(text)
	if m == nil {
		return // a sign of life
	}
	sequence, _ := strconv.ParseInt(m[1], 10, 64) // digits
	if want := w.next.Load(); sequence != want {
		w.wrong.CompareAndSwap(nil, fmt.Sprintf("%d instead of %d", sequence, want))
	}
	w.cursor = m[2]
	w.next.Store(sequence + 1)
}

// wander goes from node to node until ctx ends.
func (w *wanderer) wander(ctx context.Context, at int, hear func(context.Context, testkit.Client)) {
	for ; ctx.Err() == nil; at++ {
		hear(ctx, w.nodes[at%len(w.nodes)].Admin())
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// bySSE hears until the stream ends.
func (w *wanderer) bySSE(ctx context.Context, c testkit.Client) {
	resp, err := c.Open(ctx, "/graphql", subscription, "Accept", "text/event-stream", "Last-Event-ID", w.cursor)
	if err != nil {
		return // the node is down
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		w.take(lines.Text())
	}
}

// byCursor hears until the connection is closed.
func (w *wanderer) byCursor(ctx context.Context, c testkit.Client) {
	w.bySocket(ctx, c, map[string]any{"cursors": map[string]string{"1": w.cursor}})
}

// bySession does too.
func (w *wanderer) bySession(ctx context.Context, c testkit.Client) {
	w.bySocket(ctx, c, map[string]any{"session": w.session})
}

func (w *wanderer) bySocket(ctx context.Context, c testkit.Client, payload map[string]any) {
	dial, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(dial, strings.Replace(c.URL, "http", "ws", 1)+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return // the node is down
	}
	defer ws.CloseNow()
	payload["authorization"] = "Bearer " + c.Token
	opening, _ := json.Marshal(payload) // texts
	if ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"type":"connection_init","payload":%s}`, opening)) != nil {
		return
	}
	_, b, err := ws.Read(ctx)
	var ack struct{ Payload struct{ Session string } }
	if err != nil || json.Unmarshal(b, &ack) != nil || ack.Payload.Session == "" {
		return
	}
	w.session = ack.Payload.Session
	const subscribe = `{"id":"1","type":"subscribe","payload":{"query":"subscription { projectEvents(filter: {}, after: \"%s\") { sequence } }"}}`
	if ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, subscribe, w.begin)) != nil {
		return
	}
	for {
		_, b, err := ws.Read(ctx)
		switch code := websocket.CloseStatus(err); {
		case err != nil && code != -1 && code != websocket.StatusServiceRestart:
			w.wrong.CompareAndSwap(nil, err.Error())
			return
		case err != nil:
			return
		}
		w.take(string(b))
	}
}

// published publishes n events, and tries again where the node could not: it may
// be short of time, with two thousand subscribers who come at once. It gives
// the sequence of the last one.
func published(t *testing.T, node *testkit.Node, n int) (last int64) {
	t.Helper()
	inputs := make([]testkit.Vars, n)
	for i := range inputs {
		inputs[i] = update(i)
	}
	var err error
	for range 3 {
		var events []event
		if events, err = publish(t.Context(), node.Admin(), inputs...); err == nil {
			return events[n-1].Sequence
		}
		t.Logf("publish: %v", err)
	}
	t.Fatalf("%v\n%s", err, node.Log())
	return 0
}

// TestRollingRestart restarts three nodes on a Redis Cluster, one after the
// other, with 2,000 subscribers that come back elsewhere: none misses an event,
// none hears one twice.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	a := testkit.NewNode(t, "--database-url="+testkit.Postgres(t), "--redis-url="+testkit.NewRedisCluster(t).URL(), "--migrate")
	nodes := []*testkit.Node{a, a.Beside(), a.Beside()}
	testkit.StartAll(t, nodes...)
	first := mustPublish(t, a.Admin(), 1)[0]

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{}, rolling)
	all := make([]*wanderer, rolling)
	for i := range all {
		w := &wanderer{nodes: nodes, begin: first.Cursor, cursor: first.Cursor}
		w.next.Store(first.Sequence + 1)
		all[i] = w
		go func() {
			w.wander(ctx, i, []func(context.Context, testkit.Client){w.bySSE, w.byCursor, w.bySession}[i%3])
			ended <- struct{}{}
		}()
	}
	defer func() {
		stop()
		for range all {
			<-ended
		}
	}()
	last := first.Sequence
	heard := func(when string) {
		t.Helper()
		last = published(t, nodes[0], 10)
		eventually(t, fmt.Sprintf("%d at all subscribers, %s", last, when), func() bool {
			for _, w := range all {
				if w.next.Load() <= last {
					return false
				}
			}
			return true
		})
	}
	heard("before")
	for i, n := range nodes {
		other := nodes[(i+1)%len(nodes)]
		n.Terminate()
		gone := make(chan int, 1)
		go func() { gone <- n.Wait() }()
		for draining := true; draining; {
			last = published(t, other, 5)
			select {
			case code := <-gone:
				draining = false
				if code != 0 {
					t.Fatalf("exit code %d\n%s", code, n.Log())
				}
			case <-time.After(100 * time.Millisecond):
			}
		}
		n.Start()
		heard(fmt.Sprintf("node %d is back", i))
	}
	for i, w := range all {
		if wrong := w.wrong.Load(); wrong != nil {
			t.Fatalf("subscriber %d heard %v", i, wrong)
		}
	}
}
