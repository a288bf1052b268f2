package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// profileVariable names the directory in which a hark that was built for it
// leaves a CPU profile when it ends.
const profileVariable = "BENCH_PROFILE"

// profiler is a file of cmd/hark for that build alone: the product has no profiler.
//
//go:embed profiler.go.txt
var profiler string

// writeOverlay makes the overlay for go build that adds the profiler to cmd/hark.
func writeOverlay(ctx context.Context, dir string) (string, error) {
	found, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/hark-events/hark/cmd/hark").Output()
	if err != nil {
		return "", fmt.Errorf("find cmd/hark: %w", err)
	}
	source := filepath.Join(dir, "profiler.go")
	if err := os.WriteFile(source, []byte(profiler), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(strings.TrimSpace(string(found)), "profiler.go"): source,
	}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}
