package testkit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/hark-events/hark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func client(t *testing.T, rawURL string) *redis.Client {
	t.Helper()
	opt, err := redis.ParseURL(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	opt.ContextTimeoutEnabled, opt.MaxRetries = true, -1
	c := redis.NewClient(opt)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestRedisStopsAndStarts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := testkit.Redis(t)
	c := client(t, r.URL())
	if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	before := r.URL()
	r.Stop()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("a stopped server answers")
	}
	r.Start()
	if r.URL() != before {
		t.Errorf("URL was %s, is %s", before, r.URL())
	}
	if err := c.Get(ctx, "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("after a new start: %v, want no such key", err)
	}
}

func TestRedisHangs(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t)
	c := client(t, r.URL())
	r.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("a paused server answers")
	}
	r.Resume()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after Resume: %v", err)
	}
	r.Pause() // a paused server can be stopped
}

// TestServersDieWithTheTests kills a test process that runs a Redis.
func TestServersDieWithTheTests(t *testing.T) {
	t.Parallel()
	if os.Getenv("TESTKIT_CHILD") != "" {
		fmt.Println(testkit.Redis(t).URL())
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestServersDieWithTheTests$")
	cmd.Env = append(os.Environ(), "TESTKIT_CHILD=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(line[:len(line)-1])
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as it should be
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server lives on after its test process was killed")
	}
}

// connect is for one statement or two: closed with the test.
func connect(t *testing.T, rawURL string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func TestDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if _, err := connect(t, testkit.Postgres(t)).Exec(t.Context(), "CREATE TABLE t (id int)"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	var gone string
	t.Run("its test", func(t *testing.T) {
		gone = testkit.Postgres(t)
		connect(t, gone) // DROP DATABASE ends connections that are left
	})
	if c, err := pgx.Connect(t.Context(), gone); err == nil {
		c.Close(t.Context())
		t.Error("the database outlives its test")
	}
}

func TestPostgresServerComesBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testkit.PostgresCluster){
		"stopped": (*testkit.PostgresCluster).Stop,
		"killed":  (*testkit.PostgresCluster).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := testkit.PostgresServer(t, true)
			if _, err := connect(t, pg.URL()).Exec(t.Context(), "CREATE TABLE kept AS SELECT 1 AS id"); err != nil {
				t.Fatal(err)
			}
			end(pg)
			if c, err := pgx.Connect(t.Context(), pg.URL()); err == nil {
				c.Close(t.Context())
				t.Error("the server still answers")
			}
			pg.Start()
			var fsync string
			if err := connect(t, pg.URL()).QueryRow(t.Context(), "SELECT current_setting('fsync') FROM kept").Scan(&fsync); err != nil {
				t.Fatal(err)
			}
			if fsync != "on" {
				t.Errorf("fsync of a durable server is %s", fsync)
			}
		})
	}
}
