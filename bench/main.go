package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what every measurement needs.
type bench struct {
	length   time.Duration // of one measured run
	level    string        // of hark's log
	dir      string        // for databases and logs, on the disk that is measured
	binary   string        // hark
	database string        // URL; empty: a new SQLite file for each hark
	core     string        // that servers are kept to; empty: any
	tools    string        // directory of fanout and limit; empty: none
	profile  string        // directory for CPU profiles of hark; empty: none
	runs     int
	only     *regexp.Regexp
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 && (args[0] == "sink" || args[0] == "fan" || args[0] == "receivers" || args[0] == "stock") {
		return serveLimit(args[0])
	}
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&b.runs, "runs", 3, "runs of each measurement; the median is printed")
	flags.DurationVar(&b.length, "time", 5*time.Second, "length of a run")
	flags.StringVar(&b.level, "log", "info", "hark's log level; its log goes to a file")
	flags.StringVar(&b.binary, "hark", "", "a hark that is built already")
	flags.StringVar(&b.profile, "profile", "", "write CPU profiles of hark into this directory; builds hark with a profiler")
	flags.StringVar(&b.core, "core", "", "keep the servers to this core, by taskset; run this program under taskset with another")
	flags.StringVar(&b.tools, "tools", "", "directory of the load generator fanout and the server limit, for what is named stream")
	only := flags.String("only", "", "measure only what matches this regular expression")
	temp := flags.String("dir", "", "where databases go: on the disk to be measured; default: the system's directory for temporary files")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if b.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(*temp, "hark-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }() // nothing is left to measure
	if b.binary == "" {
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	return b.measureAll(ctx)
}

// build builds hark, with a profiler added to the build alone if one is wanted.
func (b *bench) build(ctx context.Context) error {
	b.binary = filepath.Join(b.dir, "hark")
	args := []string{"build", "-o", b.binary}
	if b.profile != "" {
		overlay, err := writeOverlay(ctx, b.dir)
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, "github.com/hark-events/hark/cmd/hark")...)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build hark: %w", err)
	}
	return nil
}

func (b *bench) measureAll(ctx context.Context) error {
	fmt.Println(machine())
	report := newReport(os.Stdout)
	for _, m := range measurements() {
		if !b.only.MatchString(m.name) {
			continue
		}
		var results []result
		for range b.runs {
			r, err := m.run(ctx, b)
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			if errors.Is(err, errNoTools) {
				fmt.Fprintf(os.Stderr, "%s: %v\n", m.name, err)
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			fmt.Fprintf(os.Stderr, "%s: %s\n", m.name, r)
			results = append(results, r)
		}
		if len(results) > 0 {
			report.add(m, results)
		}
	}
	return report.flush()
}
