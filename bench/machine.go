package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// machine says in one line what figures of this run hold for.
func machine() string {
	model := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo") // elsewhere than on Linux it stays unknown
	if _, rest, ok := bytes.Cut(info, []byte("model name")); ok {
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		model = string(bytes.Trim(line, " \t:"))
	}
	return fmt.Sprintf("%s, %s/%s, %d cores, %s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), model)
}

// usage is what processes have used since they began.
type usage struct {
	at            time.Time
	machine, ours time.Duration
}

// readUsage reads the times of the machine and of our own processes, this one
// and others. All are zero where there is no /proc.
func readUsage(others ...int) usage {
	u := usage{at: time.Now(), machine: machineTime()}
	for _, pid := range append(others, os.Getpid()) {
		u.ours += cpuTime(pid)
	}
	return u
}

// noise is how many cores others have used since before.
func (u usage) noise(before usage) float64 {
	others := (u.machine - before.machine) - (u.ours - before.ours)
	return max(0, others.Seconds()/u.at.Sub(before.at).Seconds())
}

// spent says what hark used in a run of so many things a second, and how many
// a second the whole machine could do at that price, hark and its load together:
// an estimate for a machine on which others are at work.
func (u usage) spent(before usage, hark time.Duration, rate float64) string {
	run := u.at.Sub(before.at).Seconds()
	all := (u.ours - before.ours).Seconds() / run
	return fmt.Sprintf("hark used %.2f cores, %.0f µs each; with its load %.2f, so all cores could do about %s/s",
		hark.Seconds()/run, hark.Seconds()*1e6/run/rate, all, number(rate*float64(runtime.NumCPU())/all))
}

// machineTime is the time that all cores were busy or taken by the host.
func machineTime() (total time.Duration) {
	stat, _ := os.ReadFile("/proc/stat") // see readUsage
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	// cpu user nice system idle iowait irq softirq steal
	for i, f := range bytes.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		n, _ := strconv.ParseInt(string(f), 10, 64) // the kernel's own number
		total += time.Duration(n) * tick
	}
	return total
}

// cpuTime is the user and system time of a process.
func cpuTime(pid int) (total time.Duration) {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // see readUsage
	// The command, in parentheses, may hold spaces.
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	for _, field := range f[11:13] {
		n, _ := strconv.ParseInt(string(field), 10, 64) // the kernel's own number
		total += time.Duration(n) * tick
	}
	return total
}

// resident is the memory of a process in bytes.
func resident(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // see readUsage
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	f := bytes.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(string(f[0]), 10, 64) // the kernel's own number
	return kib << 10
}
