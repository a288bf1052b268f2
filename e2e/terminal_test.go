package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A terminal is a program that runs until its test is over, and all that it
// has written.
type terminal struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed once the program has ended
	err  error         // of the program; read it once done is closed

	mu   sync.Mutex
	text strings.Builder
	grew chan struct{} // closed and replaced when text grows
}

// open starts cmd; at the end of the test it is interrupted as by ^C, with all
// that it has started.
func open(t *testing.T, name string, cmd *exec.Cmd) *terminal {
	t.Helper()
	term := &terminal{t: t, name: name, cmd: cmd, done: make(chan struct{}), grew: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = term, term
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience // for what the program leaves behind with its output
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		term.err = cmd.Wait()
		close(term.done)
	}()
	t.Cleanup(term.interrupt)
	return term
}

// Write implements io.Writer for the program's output.
func (term *terminal) Write(b []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	term.text.Write(b)
	close(term.grew)
	term.grew = make(chan struct{})
	return len(b), nil
}

func (term *terminal) read() (text string, grew <-chan struct{}) {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.text.String(), term.grew
}

// shows waits until the program has written want, n times in all.
func (term *terminal) shows(want string, n int) {
	term.t.Helper()
	deadline := time.After(patience)
	for {
		text, grew := term.read()
		if strings.Count(text, want) >= n {
			return
		}
		select {
		case <-grew:
		case <-term.done:
			if text, _ = term.read(); strings.Count(text, want) < n {
				term.t.Fatalf("%s ended (%v) before it showed %q %d times:\n%s", term.name, term.err, want, n, text)
			}
			return
		case <-deadline:
			term.t.Fatalf("%s does not show %q %d times, but:\n%s", term.name, want, n, text)
		}
	}
}

// interrupt ends the program and its children, and waits for them.
func (term *terminal) interrupt() {
	group := -term.cmd.Process.Pid
	if err := syscall.Kill(group, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		term.t.Error(os.NewSyscallError("interrupt "+term.name, err))
	}
	select {
	case <-term.done:
	case <-time.After(patience):
		term.t.Errorf("%s does not end by an interrupt", term.name)
		_ = syscall.Kill(group, syscall.SIGKILL) // it ends in either case
		<-term.done
	}
}
