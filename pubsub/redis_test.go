package pubsub_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/testkit"
	"github.com/hark-events/hark/pubsub"
	"github.com/hark-events/hark/pubsub/pubsubtest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func dial(t testing.TB, url string, c pubsub.Config) *pubsub.Redis {
	t.Helper()
	r, err := pubsub.NewRedis(url, slog.New(slog.DiscardHandler), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestRedis(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	pubsubtest.Run(t, func(t *testing.T) (a, b pubsub.Broker) {
		return dial(t, server.URL(), pubsub.Config{}), dial(t, server.URL(), pubsub.Config{})
	})
}

func TestRedisComesBack(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]struct{ begin, end func(*testkit.RedisServer) }{
		"stopped": {(*testkit.RedisServer).Stop, (*testkit.RedisServer).Start},
		"hanging": {(*testkit.RedisServer).Pause, (*testkit.RedisServer).Resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testkit.Redis(t)
			a, b := dial(t, server.URL(), pubsub.Config{}), dial(t, server.URL(), pubsub.Config{})
			project := hark.NewID()
			pubsubtest.Listen(t, a, b, project).Cancel()

			again := make(chan struct{}, 100)
			last := make(chan int64, 1000)
			defer b.Subscribe(project, func(events []*hark.Event) {
				if len(events) == 0 {
					again <- struct{}{}
				}
				for _, e := range events {
					last <- e.Sequence
				}
			})()
			<-again // it listens

			away.begin(server)
			for s := range int64(10) {
				a.Publish(project, []*hark.Event{pubsubtest.Event(project, s+10, 100)}) // does not wait
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if a.Ping(ctx) == nil {
				t.Error("Ping: no error while Redis is away")
			}
			cancel()
			if name == "hanging" {
				// Until the listener gives the connection up, everything is only late.
				<-time.After(6 * time.Second)
			}
			away.end(server)
			select {
			case <-again:
			case <-time.After(pubsubtest.Patience):
				t.Fatal("the subscription did not come back")
			}
			a.Publish(project, []*hark.Event{pubsubtest.Event(project, 100, 100)})
			before := int64(0)
			for s := int64(0); s < 100; {
				select {
				case s = <-last:
				case <-time.After(pubsubtest.Patience):
					t.Fatalf("nothing follows %d", s)
				}
				if s < before {
					t.Errorf("%d came behind %d", s, before)
				}
				before = s
			}
			if err := a.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRedisAwayDropsTheOldest(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	server.Stop()
	a := dial(t, server.URL(), pubsub.Config{QueueEvents: 100})
	project := hark.NewID()
	for s := range int64(10_000) {
		a.Publish(project, []*hark.Event{pubsubtest.Event(project, s+1, 10)})
	}
	stats := a.Stats()
	if stats.Waiting > 100 || stats.Dropped == 0 || stats.Sent > 0 {
		t.Errorf("got %+v, want at most 100 waiting and the rest dropped", stats)
	}
	if err := a.Close(); err != nil { // and waits for nobody
		t.Error(err)
	}
}

func TestRedisListensOnlyWhileSomebodyDoes(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	a, b := dial(t, server.URL(), pubsub.Config{}), dial(t, server.URL(), pubsub.Config{})
	o, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	defer client.Close()
	project := hark.NewID()
	one, two := pubsubtest.Listen(t, a, b, project), pubsubtest.Listen(t, a, b, project)
	channel := "hark:{" + project.String() + "}:events"
	count := func(want int64) {
		t.Helper()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			n, err := client.PubSubNumSub(t.Context(), channel).Result()
			if err != nil {
				t.Fatal(err)
			}
			if n[channel] == want {
				return
			}
		}
	}
	count(1)
	one.Cancel()
	a.Publish(project, []*hark.Event{pubsubtest.Event(project, 2, 1)})
	two.Next(t)
	count(1)
	two.Cancel()
	count(0)

	// Somebody else's messages do no harm.
	three := pubsubtest.Listen(t, a, b, project)
	for _, m := range []string{"", "\x02from a later release", "\x01junk", strings.Repeat("\xff", 1000)} {
		if err := client.Publish(t.Context(), channel, m).Err(); err != nil {
			t.Fatal(err)
		}
	}
	a.Publish(project, []*hark.Event{pubsubtest.Event(project, 3, 1)})
	if e := three.Next(t); e.Sequence != 3 {
		t.Errorf("got %+v", e)
	}
}

// A syncBuffer is a log to look into while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestRedisKeepsThePassword(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	for _, url := range []string{
		"http://u:" + password + "@127.0.0.1", "redis://u:" + password + "%zz@127.0.0.1",
		"redis://u:p:" + password + "@h:x", "redis://u:" + password + "@127.0.0.1/abc", password,
	} {
		if _, err := pubsub.NewRedis(url, nil, pubsub.Config{}); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", url, err)
		}
	}
	server := testkit.Redis(t)
	var log syncBuffer
	r, err := pubsub.NewRedis(strings.Replace(server.URL(), "//", "//u:"+password+"@", 1), slog.New(slog.NewTextHandler(&log, nil)), pubsub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ping(t.Context()); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("ping with a wrong password: %v", err)
	}
	r.Publish(hark.NewID(), []*hark.Event{pubsubtest.Event(hark.NewID(), 1, 1)})
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), password) {
		t.Errorf("the log shows the password: %s", log.String())
	}
}

func BenchmarkRedis(b *testing.B) {
	server := testkit.Redis(b)
	from, to := dial(b, server.URL(), pubsub.Config{}), dial(b, server.URL(), pubsub.Config{})
	project := hark.NewID()
	heard := make(chan int, 1<<16)
	ready := make(chan struct{}, 1)
	defer to.Subscribe(project, func(events []*hark.Event) {
		if len(events) == 0 {
			ready <- struct{}{}
			return
		}
		heard <- len(events)
	})()
	<-ready
	batch := make([]*hark.Event, 100)
	for i := range batch {
		batch[i] = pubsubtest.Event(project, int64(i+1), 300)
	}
	b.SetBytes(100 * 300)
	for b.Loop() {
		from.Publish(project, batch)
		for n := 0; n < len(batch); {
			n += <-heard
		}
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "events/s")
}
