package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// What signals mean to a PostgreSQL server.
const (
	stopFast      = syscall.SIGINT
	stopImmediate = syscall.SIGQUIT
)

// dirPattern names a cluster's directory by the pid of its test process.
const dirPattern = "hark-postgres-%d-"

// A cluster is a PostgreSQL server and its directory.
type cluster struct {
	bin     string // folder of postgres and initdb
	dir     string
	durable bool
	owner   *syscall.Credential // nil: who runs the tests
	port    int
	proc    *process
}

// newCluster makes and starts a cluster, or says in one line what is missing.
func newCluster(durable bool) (_ *cluster, err error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	removeStale()
	c := &cluster{bin: bin, durable: durable}
	if c.dir, err = os.MkdirTemp("", fmt.Sprintf(dirPattern, os.Getpid())); err != nil {
		return nil, fmt.Errorf("make a directory for postgres: %w", err)
	}
	defer func() {
		if err != nil {
			c.remove()
		}
	}()
	if err := c.chown(); err != nil {
		return nil, fmt.Errorf("find an owner for postgres: %w", err)
	}
	initdb := c.command("initdb", "-D", c.data(), "-U", "hark", "-A", "trust", "-E", "UTF8",
		"--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := onFreePort(c.start); err != nil {
		return nil, fmt.Errorf("start postgres: %w\n%s", err, logTail(c.log()))
	}
	return c, nil
}

// findPostgres gives the folder of the server's programs: from the PATH, else
// the newest where Debian has them.
func findPostgres() (string, error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is sound
	major := func(bin string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin))) // no number sorts last
		return n
	}
	slices.SortFunc(bins, func(a, b string) int { return major(b) - major(a) })
	if onPath, err := exec.LookPath("initdb"); err == nil {
		bins = slices.Insert(bins, 0, filepath.Dir(onPath))
	}
	for _, bin := range bins {
		_, noServer := os.Stat(filepath.Join(bin, "postgres"))
		_, noInit := os.Stat(filepath.Join(bin, "initdb"))
		if noServer == nil && noInit == nil {
			return bin, nil
		}
	}
	return "", errors.New("postgres and initdb are neither on the PATH nor in /usr/lib/postgresql/*/bin: install PostgreSQL 15 or newer (Debian: apt-get install postgresql)")
}

// chown gives the directory to an unprivileged user when root runs the tests:
// PostgreSQL refuses to run as root.
func (c *cluster) chown() error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	c.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, int(uid), int(gid))
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }
func (c *cluster) log() string  { return filepath.Join(c.dir, "postgres.log") }

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://hark@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir // the owner may not be allowed into the tests' folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	return cmd
}

func (c *cluster) start(port int) (err error) {
	c.port = port
	settings := []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port), "unix_socket_directories=",
		"max_connections=200",
	}
	if !c.durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-D", c.data()}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	if c.proc, err = startProcess(c.command("postgres", args...), c.log(), stopImmediate); err != nil {
		return err
	}
	return c.proc.ready(c.answers)
}

// answers asks who listens on the port: it may be another test's server.
func (c *cluster) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var data string
	if err := conn.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&data); err != nil {
		return err
	}
	if data != c.data() {
		return errors.New("another server has the port")
	}
	return nil
}

// remove ends the server and leaves nothing of it.
func (c *cluster) remove() {
	if c.proc != nil {
		c.proc.stop(stopImmediate)
	}
	_ = os.RemoveAll(c.dir) // what is left is removed by the next removeStale
}

// removeStale removes what test processes that were killed left behind.
func removeStale() {
	dirs, _ := os.ReadDir(os.TempDir()) // what cannot be read is not ours
	for _, d := range dirs {
		var pid int
		if _, err := fmt.Sscanf(d.Name(), dirPattern, &pid); err == nil && gone(pid) {
			_ = os.RemoveAll(filepath.Join(os.TempDir(), d.Name()))
		}
	}
}

// gone tells whether no process has this pid.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
