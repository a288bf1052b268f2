package projectevents

import (
	"strings"
	"testing"

	"github.com/hark-events/hark"
)

// FuzzParse: a body is a request within the limits, or issues with words.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"projectId":"default","register":[{"event":"secret:update","conditions":{"environmentSlug":"staging","secretPath":"/**"}}]}`))
	f.Add([]byte(`{"projectId":"default","register":[{"event":"secret:update","conditions":null}]}`))
	f.Add([]byte(`{"register":{}}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, wrong := parse(body)
		for _, issue := range wrong {
			if issue.Message == "" {
				t.Fatalf("%q: an issue without words at %q", body, issue.Path)
			}
		}
		if len(wrong) > 0 {
			return
		}
		if req.Project == "" || len(req.Project) > hark.MaxPath || len(req.Register) < 1 || len(req.Register) > maxRegister {
			t.Fatalf("%q passes as %+v", body, req)
		}
		for _, r := range req.Register {
			if c := r.Conditions; r.Event == "" || c != nil && (*c.EnvironmentSlug == "" || !strings.HasPrefix(*c.SecretPath, "/")) {
				t.Fatalf("%q passes as %+v", body, r)
			}
		}
	})
}
