// Command hark takes events in and gets them to those who asked for them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// stdio is what a command reads and writes: data on out, everything else on err.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// commands is the command line.
type commands struct {
	Serve   serveCmd   `cmd:"" help:"Run the server: API, streaming, delivery worker, playground."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to this version's schema and exit."`
	Token   struct {
		Create tokenCreateCmd `cmd:"" help:"Make an identity with an access token, straight in the database; print the token."`
	} `cmd:"" help:"Manage access tokens."`
	Audit struct {
		Export auditExportCmd `cmd:"" help:"Print the audit log as lines of JSON."`
	} `cmd:"" help:"Look into the audit log."`
	Publish publishCmd `cmd:"" help:"Publish events from a file or stdin: all of them or none."`
	Tail    tailCmd    `cmd:"" help:"Print a project's events as they come, as lines of JSON."`
	Listen  listenCmd  `cmd:"" help:"Receive callbacks of all four protocols on this machine; verify and print them."`
	Keys    struct {
		New    keysNewCmd    `cmd:"" help:"Print a new keyset for HARK_ENCRYPTION_KEYSET."`
		List   keysListCmd   `cmd:"" help:"List the keys, and how much is sealed with each."`
		Rotate keysRotateCmd `cmd:"" help:"Add a key and seal everything anew; a server may go on meanwhile."`
	} `cmd:"" help:"Manage the keys that seal stored credentials."`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

// usageError is a command used wrongly.
type usageError struct{ error }

// run runs one command and returns its exit code.
func run(ctx context.Context, args []string, std stdio) (code int) {
	var cli commands
	// kong ends the process after --help and --version; here that ends run.
	type exit int
	defer func() {
		if v := recover(); v != nil {
			e, ok := v.(exit)
			if !ok {
				panic(v)
			}
			code = int(e)
		}
	}()
	parser, err := kong.New(&cli,
		kong.Name("hark"),
		kong.Description("hark lets services say which events they want, and gets the events to them."),
		kong.DefaultEnvars("HARK"),
		kong.Vars{"version": version()},
		kong.Writers(std.out, std.err),
		kong.Exit(func(n int) { panic(exit(n)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		fmt.Fprintln(std.err, "hark:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(std.err, "hark:", err)
		return exitUsage
	}
	warnUnknown(std.err, parser.Model.Node, os.Environ())
	switch err := command.Run(); {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return exitFailed
	default:
		fmt.Fprintln(std.err, "hark:", err)
		if _, ok := errors.AsType[usageError](err); ok {
			return exitUsage
		}
		return exitFailed
	}
}

// warnUnknown warns of HARK_ variables that are no setting of any command: a
// misspelt one would otherwise do nothing, silently.
func warnUnknown(w io.Writer, root *kong.Node, environ []string) {
	known := map[string]bool{}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, name := range f.Envs {
				known[name] = true
			}
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(root)
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "HARK_") && !known[name] {
			fmt.Fprintf(w, "hark: warning: %s is no setting of hark\n", name)
		}
	}
}
