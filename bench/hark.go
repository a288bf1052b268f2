package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// token is the admin token of every hark that is measured.
const token = "bench-token-bench-token-bench-token-32"

// A server is a hark under measurement.
type server struct {
	addr string
	pid  int
	cmd  *exec.Cmd
	dir  string
}

// start starts hark on b's database, or a new one of SQLite, and waits until it listens.
func (b *bench) start(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "hark-")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log")) // a file, as under a service manager
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // hark has its own
	cmd := command(ctx, b.core, b.binary, "serve", "--log-format=json", "--log-level="+b.level)
	cmd.Stderr = log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	database := b.database
	if database == "" {
		database = "sqlite://" + filepath.Join(dir, "hark.db")
	}
	keyset, err := exec.CommandContext(ctx, b.binary, "keys", "new").Output()
	if err != nil {
		return nil, fmt.Errorf("make a keyset: %w", err)
	}
	cmd.Env = append(os.Environ(), "HARK_ADDR=127.0.0.1:0", "HARK_DATABASE_URL="+database, "HARK_MIGRATE=true",
		"HARK_ENCRYPTION_KEYSET="+strings.TrimSpace(string(keyset)),
		"HARK_ADMIN_TOKEN="+token, "HARK_DELIVERY_ALLOW=127.0.0.0/8", profileVariable+"="+b.profile)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start hark: %w", err)
	}
	s := &server{pid: cmd.Process.Pid, cmd: cmd, dir: dir}
	if s.addr, err = listening(log.Name(), b.level); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// command is a program kept to a core; empty: any.
func command(ctx context.Context, core, name string, args ...string) *exec.Cmd {
	if core == "" {
		return exec.CommandContext(ctx, name, args...)
	}
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", core, name}, args...)...)
}

var addrLine = regexp.MustCompile(`http://(127\.0\.0\.1:[0-9]+)`)

// listening waits for hark to say where it listens.
func listening(log, level string) (string, error) {
	var text []byte
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, _ = os.ReadFile(log) // it was made just now
		if m := addrLine.FindSubmatch(text); m != nil {
			return string(m[1]), nil
		}
	}
	return "", fmt.Errorf("hark did not start: %s", text)
}

// stop ends hark and removes its database.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	err := s.cmd.Wait()
	if err != nil {
		text, _ := os.ReadFile(filepath.Join(s.dir, "log")) // what it can tell
		err = fmt.Errorf("hark: %w: %s", err, text[max(0, len(text)-4000):])
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *server) url() string { return "http://" + s.addr + "/graphql" }

// do runs one GraphQL operation and decodes its data into out.
func (s *server) do(ctx context.Context, query string, variables, out any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = headers()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it was read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Data   any
		Errors []any
	}{Data: out}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Errors) > 0 || res.StatusCode != http.StatusOK {
		return fmt.Errorf("hark answered %s: %s", res.Status, text)
	}
	return nil
}

func headers() http.Header {
	return http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
}
