package hark

// A Rule is one line of a role. A denying (inverted) rule beats an allowing one.
type Rule struct {
	Inverted    bool             `json:"inverted,omitempty"`
	Actions     []Action         `json:"actions"`
	Events      []string         `json:"events,omitempty"` // patterns as in Registration.Event; empty: all
	Environment *StringCondition `json:"environment,omitempty"`
	SecretPath  *StringCondition `json:"secretPath,omitempty"`
}

// A StringCondition holds for a string when all that it sets hold.
type StringCondition struct {
	Eq   *string  `json:"eq,omitempty"`
	Ne   *string  `json:"ne,omitempty"`
	In   []string `json:"in,omitempty"`
	Glob *string  `json:"glob,omitempty"`
}

// A Registration is one pattern of events that a stream asks for.
type Registration struct {
	// "secret:update", "secret:*", "*", or with its source: "secret-manager/secret:update".
	Event      string
	Conditions *Conditions // nil: no further condition
}

// Conditions narrow events by where they happened. All that are given must hold.
type Conditions struct {
	EnvironmentSlug *string `json:"environmentSlug,omitempty"`
	SecretPath      *string `json:"secretPath,omitempty"` // a glob
}

// A ProjectEventsFilter narrows the events of a project: an event passes when
// any registration matches, or when there is none.
type ProjectEventsFilter struct {
	ProjectID *ID // nil: the project named "default"
	Register  []Registration
}
