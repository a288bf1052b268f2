package projectevents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// Limits of a request.
const (
	maxBody     = 64 << 10 // bytes
	maxRegister = 10
)

// A Request asks for the events of one project that match any registration.
type Request struct {
	Project  string // id or slug
	Register []hark.Registration
	After    string // a cursor; empty: from now on
}

// body is the request as it comes; what it does not know is left alone.
type body struct {
	ProjectID json.RawMessage `json:"projectId"`
	Register  json.RawMessage `json:"register"`
}

// entry is one item of register.
type entry struct {
	Event      json.RawMessage `json:"event"`
	Conditions json.RawMessage `json:"conditions"`
}

// conditions are an entry's.
type conditions struct {
	EnvironmentSlug json.RawMessage `json:"environmentSlug"`
	SecretPath      json.RawMessage `json:"secretPath"`
}

// issues collects all that is wrong with a request.
type issues []wire.Issue

func (is *issues) add(path, format string, args ...any) {
	*is = append(*is, wire.Issue{Path: path, Message: fmt.Sprintf(format, args...)})
}

// parse reads a request and all that is wrong with it.
func parse(raw []byte) (req Request, is issues) {
	var b body
	if !object(raw, &b) {
		is.add("", "the body must be a JSON object with projectId and register")
		return req, is
	}
	req.Project = is.text("projectId", b.ProjectID, "the id or the slug of a project")
	var entries []json.RawMessage
	switch err := json.Unmarshal(orNull(b.Register), &entries); {
	case err != nil || entries == nil:
		is.add("register", "register must be a list of 1 to %d entries", maxRegister)
	case len(entries) < 1 || len(entries) > maxRegister:
		is.add("register", "register takes 1 to %d entries, not %d: open another stream for more", maxRegister, len(entries))
	default:
		for i, raw := range entries {
			req.Register = append(req.Register, is.registration(fmt.Sprintf("register.%d", i), raw))
		}
	}
	return req, is
}

func (is *issues) registration(path string, raw json.RawMessage) (r hark.Registration) {
	var e entry
	if !object(raw, &e) {
		is.add(path, "an entry must be an object with event and, if wanted, conditions")
		return r
	}
	r.Event = is.text(path+".event", e.Event, "an event such as secret:update")
	if null(e.Conditions) {
		return r
	}
	var c conditions
	if !object(e.Conditions, &c) {
		is.add(path+".conditions", "conditions must be an object with environmentSlug and, if wanted, secretPath")
		return r
	}
	environment := is.text(path+".conditions.environmentSlug", c.EnvironmentSlug, "an environment")
	secretPath := "/"
	if !null(c.SecretPath) {
		secretPath = is.text(path+".conditions.secretPath", c.SecretPath, "a path or a glob such as /app/**")
		if secretPath != "" && !strings.HasPrefix(secretPath, "/") {
			is.add(path+".conditions.secretPath", "a path starts with /")
		}
	}
	r.Conditions = &hark.Conditions{EnvironmentSlug: &environment, SecretPath: &secretPath}
	return r
}

// text reads a string that must be there.
func (is *issues) text(path string, raw json.RawMessage, what string) (s string) {
	switch err := json.Unmarshal(orNull(raw), &s); {
	case null(raw):
		is.add(path, "it is required: %s", what)
	case err != nil:
		is.add(path, "it must be a string: %s", what)
	case s == "":
		is.add(path, "it must not be empty: %s", what)
	case len(s) > hark.MaxPath:
		is.add(path, "it is longer than %d bytes", hark.MaxPath)
		s = ""
	}
	return s
}

func object(raw []byte, v any) bool {
	return bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'{'}) && json.Unmarshal(raw, v) == nil
}

func null(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}
