package main_test

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hark-events/hark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A ran command and what it left.
type ran struct {
	code     int
	out, err string
}

// hark runs the program to its end.
func hark(t *testing.T, env []string, stdin string, args ...string) ran {
	t.Helper()
	cmd := testkit.Command(t.Context(), t, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// wants checks the exit code, and that stderr is one line that says says.
func (r ran) wants(t *testing.T, code int, says string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.err, says) {
		t.Errorf("exit code %d, stdout %q, stderr %q; want %d and %q", r.code, r.out, r.err, code, says)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "serve", "migrate", "token create", "publish", "tail", "listen", "keys new", "keys list", "keys rotate"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			r := hark(t, nil, "", append(strings.Fields(command), "--help")...)
			r.wants(t, 0, "")
			if r.err != "" || !strings.Contains(r.out, "Usage: hark") {
				t.Errorf("stdout %q, stderr %q", r.out, r.err)
			}
			if command != "" && !strings.Contains(r.out, "Example") {
				t.Errorf("there is no example in\n%s", r.out)
			}
		})
	}
}

// TestUsedWrongly shows that a wrong value stops a command with exit code 2 and
// one line that names the setting, and does not repeat a secret.
func TestUsedWrongly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args string
		env  string
		says string
	}{
		"no command":                 {"", "", "expected one of"},
		"unknown command":            {"sevre", "", "sevre"},
		"unknown flag":               {"serve --adrr=x", "", "--adrr"},
		"address":                    {"serve --addr=nowhere", "", "HARK_ADDR"},
		"address in the environment": {"serve", "HARK_ADDR=nowhere", "HARK_ADDR"},
		"database":                   {"serve --database-url=mysql://root:planted@x/y", "", "HARK_DATABASE_URL"},
		"no keyset":                  {"serve --database-url=postgres://h:planted@127.0.0.1:1/x", "", "HARK_ENCRYPTION_KEYSET"},
		"keyset":                     {"serve", "HARK_ENCRYPTION_KEYSET=planted", "HARK_ENCRYPTION_KEYSET"},
		"keyset for migrate":         {"migrate", "HARK_ENCRYPTION_KEYSET=planted", "HARK_ENCRYPTION_KEYSET"},
		"Redis":                      {"serve --redis-url=http://:planted@x", "", "HARK_REDIS_URL"},
		"short admin token":          {"serve", "HARK_ADMIN_TOKEN=planted", "HARK_ADMIN_TOKEN"},
		"retention":                  {"serve --retention=-1h", "", "HARK_RETENTION"},
		"retention without a unit":   {"serve", "HARK_RETENTION=72", "etention"},
		"token lifetime":             {"serve --token-ttl=0s", "", "HARK_TOKEN_TTL"},
		"drain time-out":             {"serve --drain-timeout=-1s", "", "HARK_DRAIN_TIMEOUT"},
		"allow list":                 {"serve --delivery-allow=10.0.0.0/99", "", "HARK_DELIVERY_ALLOW"},
		"origin":                     {"serve --cors-origins=app.example.com", "", "HARK_CORS_ORIGINS"},
		"role of a node":             {"serve --role=cook", "", "--role"},
		"log level":                  {"serve", "HARK_LOG_LEVEL=loud", "log-level"},
		"log format":                 {"serve --log-format=xml", "", "log-format"},
		"introspection":              {"serve", "HARK_INTROSPECTION=perhaps", "ntrospection"},
		"token without a name":       {"token create", "", "--name"},
		"token lifetime below 0":     {"token create --name=x --ttl=-1h", "", "--ttl"},
		"server":                     {"tail --url=ftp://x", "", "HARK_URL"},
		"server to publish to":       {"publish", "HARK_URL=nowhere", "HARK_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := hark(t, strings.Fields(tt.env), "", strings.Fields(tt.args)...)
			r.wants(t, 2, tt.says)
			if strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "hark: ") || r.out != "" {
				t.Errorf("stdout %q, stderr %q", r.out, r.err)
			}
			if strings.Contains(r.err, "planted") {
				t.Errorf("a secret is shown: %s", r.err)
			}
		})
	}
}

func TestMisspeltVariable(t *testing.T) {
	t.Parallel()
	r := hark(t, []string{"HARK_DATABSE_URL=planted", "HARK_LOG_LEVEL=info"}, "", "keys", "new")
	r.wants(t, 0, "HARK_DATABSE_URL is no setting")
	if strings.Contains(r.err, "planted") || strings.Contains(r.err, "LOG_LEVEL") || strings.Count(r.out, "\n") != 1 {
		t.Errorf("stdout %q, stderr %q", r.out, r.err)
	}
}

// TestPortIsTaken shows that a first start that fails leaves nothing behind
// that a second one would miss: the admin token is shown only once.
func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	env := []string{"HARK_DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "hark.db")}
	r := hark(t, env, "", "serve", "--addr="+ln.Addr().String())
	r.wants(t, 1, "HARK_ADDR")
	if strings.Contains(r.err, "admin token") || strings.Contains(r.err, `"ERROR"`) {
		t.Errorf("it went on: %s", r.err)
	}
}

// TestAdminTokenIsShown starts only a worker: it makes the token, so it shows it.
func TestAdminTokenIsShown(t *testing.T) {
	t.Parallel()
	env := []string{"HARK_DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "hark.db")}
	cmd := testkit.Command(t.Context(), t, env, "serve", "--role=worker")
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, shown, said := bufio.NewScanner(errs), 0, ""
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "admin token ") {
			shown++
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || shown != 1 {
		t.Errorf("the token is shown %d times: %v\n%s", shown, err, said)
	}
}
