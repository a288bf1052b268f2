package access

import (
	"context"

	"github.com/hark-events/hark"
)

// Fields lists the root fields of the GraphQL schema with the action that each
// needs, somewhere at least; empty: any valid token will do. What it does not
// list is denied. A resolver's own check then asks for the very project.
func Fields() map[string]hark.Action {
	return map[string]hark.Action{
		"Query.__schema":   "",
		"Query.__type":     "",
		"Query.__typename": "",

		"Query.viewer":             "",
		"Query.project":            "",
		"Query.projects":           "",
		"Query.eventDefinition":    hark.ReadEventDefinitions,
		"Query.eventDefinitions":   hark.ReadEventDefinitions,
		"Query.eventSubscription":  hark.ReadSubscriptions,
		"Query.eventSubscriptions": hark.ReadSubscriptions,
		"Query.event":              hark.ReadEvents,
		"Query.events":             hark.ReadEvents,
		"Query.delivery":           hark.ReadSubscriptions,
		"Query.deliveries":         hark.ReadSubscriptions,
		"Query.identity":           hark.ReadAccess,
		"Query.identities":         hark.ReadAccess,
		"Query.roles":              hark.ReadAccess,
		"Query.auditLog":           hark.ReadAuditLog,

		"Mutation.__typename": "",

		"Mutation.createEventDefinition":    hark.ManageEventDefinitions,
		"Mutation.updateEventDefinition":    hark.ManageEventDefinitions,
		"Mutation.deleteEventDefinition":    hark.ManageEventDefinitions,
		"Mutation.publishEvents":            hark.PublishEvents,
		"Mutation.createEventSubscription":  hark.ManageSubscriptions,
		"Mutation.updateEventSubscription":  hark.ManageSubscriptions,
		"Mutation.previewEventSubscription": hark.ManageSubscriptions,
		"Mutation.deleteEventSubscription":  hark.ManageSubscriptions,
		"Mutation.pauseEventSubscription":   hark.ManageSubscriptions,
		"Mutation.resumeEventSubscription":  hark.ManageSubscriptions,
		"Mutation.testEventSubscription":    hark.ManageSubscriptions,
		"Mutation.rotateSigningSecret":      hark.ManageSubscriptions,
		"Mutation.retryDelivery":            hark.ManageDeliveries,
		"Mutation.discardDelivery":          hark.ManageDeliveries,
		"Mutation.replayDeliveries":         hark.ManageDeliveries,
		"Mutation.createProject":            hark.ManageAccess,
		"Mutation.deleteProject":            hark.ManageAccess,
		"Mutation.createIdentity":           hark.ManageAccess,
		"Mutation.deleteIdentity":           hark.ManageAccess,
		"Mutation.createClientSecret":       hark.ManageAccess,
		"Mutation.revokeClientSecrets":      hark.ManageAccess,
		"Mutation.createAccessToken":        hark.ManageAccess,
		"Mutation.revokeAccessToken":        hark.ManageAccess,
		"Mutation.createRole":               hark.ManageAccess,
		"Mutation.updateRole":               hark.ManageAccess,
		"Mutation.deleteRole":               hark.ManageAccess,
		"Mutation.grantRole":                hark.ManageAccess,
		"Mutation.revokeRole":               hark.ManageAccess,

		"Subscription.__typename":      "",
		"Subscription.projectEvents":   hark.SubscribeEvents,
		"Subscription.deliveryChanges": hark.ReadSubscriptions,
	}
}

// CheckField tells whether the caller may ask for a root field such as
// "Mutation.publishEvents" at all: UNAUTHENTICATED without a caller, FORBIDDEN
// when no grant of its allows the action anywhere or the field is unknown.
func (a *Access) CheckField(ctx context.Context, field string) error {
	v, err := hark.ViewerFrom(ctx)
	if err != nil {
		return err
	}
	action, known := a.fields[field]
	switch {
	case !known:
		return hark.Errorf(hark.Forbidden, "no rule says who may use %s", field)
	case action == "" || a.somewhere(v, action):
		return nil
	}
	return forbidden(action, "in any project")
}
