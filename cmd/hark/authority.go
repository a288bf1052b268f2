package main

import (
	"context"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/access"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/events"
	"github.com/hark-events/hark/server"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/projectevents"
	"github.com/hark-events/hark/stream"
	"github.com/hark-events/hark/subscriptions"
)

// authority answers the questions of the other rooms in their own words; every
// answer is access's.
type authority struct{ access *access.Access }

var (
	_ events.Authority        = authority{}
	_ subscriptions.Authority = authority{}
	_ stream.Authority        = authority{}
	_ operation.Guard         = authority{}
	_ server.Tokens           = authority{}
)

func (a authority) Require(ctx context.Context, action hark.Action, project hark.ID) error {
	_, _, err := a.access.Require(ctx, action, project)
	return err
}

func (a authority) RequireGlobal(ctx context.Context, action hark.Action) error {
	_, _, err := a.access.RequireGlobal(ctx, action)
	return err
}

func (a authority) RequireSome(ctx context.Context, action hark.Action) error {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return err
	}
	if all, ids := a.access.Projects(v, action); !all && len(ids) == 0 {
		return &hark.Error{Code: hark.Forbidden, Message: "no role of yours allows " + string(action), Details: map[string]any{"action": string(action)}}
	}
	return nil
}

func (a authority) Projects(ctx context.Context, action hark.Action) (all bool, ids []hark.ID, err error) {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return false, nil, err
	}
	all, ids = a.access.Projects(v, action)
	return all, ids, nil
}

func (a authority) Permitted(ctx context.Context, action hark.Action, project hark.ID) (func(*hark.Event) bool, error) {
	_, rules, err := a.access.Require(ctx, action, project)
	if err != nil {
		return nil, err
	}
	return func(e *hark.Event) bool { return rules.Allows(action, e) }, nil
}

func (a authority) Subscribable(ctx context.Context, project hark.ID, register []hark.Registration) (func(*hark.Event) bool, any, error) {
	_, rules, err := a.access.Require(ctx, hark.SubscribeEvents, project)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range register {
		if !rules.AllowsSome(hark.SubscribeEvents, r) {
			return nil, nil, &hark.Error{
				Code: hark.Forbidden, Message: "no role of yours allows to hear any event of " + r.Event + " under these conditions",
				Details: map[string]any{"action": string(hark.SubscribeEvents), "subject": r.Event, "conditions": r.Conditions},
			}
		}
	}
	return func(e *hark.Event) bool { return rules.Allows(hark.SubscribeEvents, e) }, rules, nil
}

func (a authority) Standing(ctx context.Context) (int64, error) { return a.access.Standing(ctx) }

func (a authority) Owners(ctx context.Context, project hark.ID, owners []hark.ID) (map[hark.ID]func(*hark.Event) bool, error) {
	rules, err := a.access.Owners(ctx, project, owners)
	if err != nil {
		return nil, err
	}
	may := make(map[hark.ID]func(*hark.Event) bool, len(rules))
	for id, r := range rules {
		may[id] = func(e *hark.Event) bool { return r.Allows(hark.SubscribeEvents, e) }
	}
	return may, nil
}

func (a authority) Audit(ctx context.Context, tx *ent.Tx, action, target string, project *hark.ID, detail any) error {
	return access.Audit(ctx, tx, action, target, project, detail)
}

func (a authority) CheckField(ctx context.Context, field string) error {
	return a.access.CheckField(ctx, field)
}

func (a authority) MayIntrospect(ctx context.Context) bool {
	return a.RequireSome(ctx, hark.ReadAccess) == nil
}

func (a authority) Login(ctx context.Context, clientID, clientSecret string) (server.Token, error) {
	t, err := a.access.Login(ctx, clientID, clientSecret)
	return server.Token(t), err
}

func (a authority) Renew(ctx context.Context, token string) (server.Token, error) {
	t, err := a.access.Renew(ctx, token)
	return server.Token(t), err
}

func (a authority) Revoke(ctx context.Context, token string) error {
	return a.access.Revoke(ctx, token)
}

// opener opens the streams of the project-events endpoint.
type opener struct {
	access   *access.Access
	listener *stream.Listener
	catalog  *events.Catalog
}

var _ projectevents.Opener = opener{}

// OpenProjectEvents implements projectevents.Opener.
func (o opener) OpenProjectEvents(ctx context.Context, r projectevents.Request) (projectevents.Reader, error) {
	project, err := o.access.ProjectID(ctx, r.Project)
	if err != nil {
		return nil, err
	}
	if err := o.catalog.CheckRegistered(ctx, r.Register); err != nil {
		return nil, err
	}
	var after *string
	if r.After != "" {
		after = &r.After
	}
	reader, err := o.listener.Open(ctx, project, r.Register, after)
	if err != nil {
		return nil, err
	}
	return reader, nil
}
