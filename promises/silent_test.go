package promises

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/hark-events/hark/internal/testkit"
)

// crowd is how many subscribers a test may have: ten thousand, as far as files
// and the race detector's number of goroutines go.
func crowd() int {
	n := 10_000
	if testkit.Race() {
		n = 5_000
	}
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil && files.Cur < uint64(n)+1000 {
		n = int(files.Cur) / 2
	}
	return n
}

// TestWhoDoesNotReadHarmsNobody has ten thousand subscribers, of which a
// hundred do not read: these are closed with 1013, the others hear every event
// once and in order, meanwhile too.
func TestWhoDoesNotReadHarmsNobody(t *testing.T) {
	t.Parallel()
	n := testkit.Hark(t)
	const shared = `subscription { projectEvents(filter: {register: [{event: "secret:update"}]}) { sequence } }`
	const flood = `subscription { projectEvents(filter: {register: [{event: "secret:create"}]}) { payload } }`
	readers, silent := crowd()-100, make([]*listener, 100)
	swept := sweep(t)
	var all errgroup.Group
	all.SetLimit(16)
	for range readers {
		all.Go(func() error {
			l, err := listen(t, n.Admin(), false, shared)
			if err == nil {
				swept.add(l)
			}
			return err
		})
	}
	for i := range silent { // last, as they answer no ping either
		all.Go(func() (err error) {
			silent[i], err = listen(t, n.Admin(), true, shared, flood)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all subscriptions", func() bool { return metric(t, n, "hark_stream_members") == float64(readers+2*len(silent)) })

	large := update(0)
	large["operationType"], large["payload"] = "create", strings.Repeat("x", 60_000)
	var last int64
	for range 10 { // more than the systems of the silent ones take
		events, err := publish(t.Context(), n.Admin(), large)
		if err != nil {
			t.Fatal(err)
		}
		last = events[0].Sequence
	}
	for _, l := range swept.all {
		l.next.Store(last + 1)
	}
	const closed = `hark_stream_limits_total{limit="reading"}`
	rounds := 0
	heard := func() {
		t.Helper()
		last = mustPublish(t, n.Admin(), 1)[0].Sequence
		eventually(t, fmt.Sprintf("%d at all who read", last), func() bool {
			for _, l := range swept.all {
				if l.next.Load() <= last {
					return false
				}
			}
			return true
		})
	}
	for ; metric(t, n, closed) == 0; rounds++ {
		heard()
	}
	if rounds < 2 {
		t.Errorf("%d events were heard while somebody did not read", rounds)
	}
	eventually(t, "the end of all who do not read", func() bool { return metric(t, n, closed) == float64(len(silent)) })
	heard()
	for i, l := range swept.all {
		if wrong, code := l.wrong.Load(), l.closed.Load(); wrong != nil || code != 0 {
			t.Fatalf("subscriber %d heard %v, and was closed with %d", i, wrong, code)
		}
	}
	late := sweep(t)
	for _, l := range silent {
		late.add(l)
	}
	eventually(t, "the word to all who did not read", func() bool {
		for _, l := range silent {
			if l.closed.Load() == 0 {
				return false
			}
		}
		return true
	})
	for i, l := range silent {
		if code := l.closed.Load(); code != 1013 {
			t.Fatalf("silent subscriber %d was closed with %d", i, code)
		}
	}
}

// metric gives the value of one metric of a node.
func metric(t *testing.T, n *testkit.Node, name string) (value float64) {
	t.Helper()
	resp, err := n.Admin().Request(t.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			if value, err = strconv.ParseFloat(text, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return value
}
