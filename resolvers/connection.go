package resolvers

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/graph"
	"github.com/hark-events/hark/internal/page"
)

// pageInfo tells where a page stands.
func pageInfo[T any](list page.List[T], after *string, id func(T) hark.ID) *graph.PageInfo {
	info := &graph.PageInfo{HasNextPage: list.More, HasPreviousPage: after != nil}
	if n := len(list.Items); n > 0 {
		start, end := page.Cursor(id(list.Items[0])), page.Cursor(id(list.Items[n-1]))
		info.StartCursor, info.EndCursor = &start, &end
	}
	return info
}

// edges makes an edge of each node.
func edges[N, E any](nodes []N, edge func(N) *E) []*E {
	out := make([]*E, len(nodes))
	for i, n := range nodes {
		out[i] = edge(n)
	}
	return out
}

// total counts all items of a list, if the operation asks for totalCount.
func total[T any](ctx context.Context, list page.List[T]) (int, error) {
	if !slices.Contains(graphql.CollectAllFields(ctx), "totalCount") {
		return 0, nil
	}
	return list.Count(ctx)
}

func definitionConnection(ctx context.Context, list page.List[*ent.EventDefinition], after *string, err error) (*graph.EventDefinitionConnection, error) {
	if err != nil {
		return nil, err
	}
	n, err := total(ctx, list)
	return &graph.EventDefinitionConnection{
		Nodes: list.Items, TotalCount: n, PageInfo: pageInfo(list, after, func(d *ent.EventDefinition) hark.ID { return d.ID }),
		Edges: edges(list.Items, func(d *ent.EventDefinition) *graph.EventDefinitionEdge {
			return &graph.EventDefinitionEdge{Node: d, Cursor: page.Cursor(d.ID)}
		}),
	}, err
}

func subscriptionConnection(ctx context.Context, list page.List[*ent.EventSubscription], after *string, err error) (*graph.EventSubscriptionConnection, error) {
	if err != nil {
		return nil, err
	}
	n, err := total(ctx, list)
	return &graph.EventSubscriptionConnection{
		Nodes: list.Items, TotalCount: n, PageInfo: pageInfo(list, after, func(s *ent.EventSubscription) hark.ID { return s.ID }),
		Edges: edges(list.Items, func(s *ent.EventSubscription) *graph.EventSubscriptionEdge {
			return &graph.EventSubscriptionEdge{Node: s, Cursor: page.Cursor(s.ID)}
		}),
	}, err
}

func deliveryConnection(list page.List[*ent.Delivery], after *string, err error) (*graph.DeliveryConnection, error) {
	if err != nil {
		return nil, err
	}
	return &graph.DeliveryConnection{
		Nodes: list.Items, PageInfo: pageInfo(list, after, func(d *ent.Delivery) hark.ID { return d.ID }),
		Edges: edges(list.Items, func(d *ent.Delivery) *graph.DeliveryEdge {
			return &graph.DeliveryEdge{Node: d, Cursor: page.Cursor(d.ID)}
		}),
	}, nil
}

func projectConnection(ctx context.Context, list page.List[*ent.Project], after *string, err error) (*graph.ProjectConnection, error) {
	if err != nil {
		return nil, err
	}
	n, err := total(ctx, list)
	return &graph.ProjectConnection{
		Nodes: list.Items, TotalCount: n, PageInfo: pageInfo(list, after, func(p *ent.Project) hark.ID { return p.ID }),
		Edges: edges(list.Items, func(p *ent.Project) *graph.ProjectEdge {
			return &graph.ProjectEdge{Node: p, Cursor: page.Cursor(p.ID)}
		}),
	}, err
}

func identityConnection(ctx context.Context, list page.List[*ent.Identity], after *string, err error) (*graph.IdentityConnection, error) {
	if err != nil {
		return nil, err
	}
	n, err := total(ctx, list)
	return &graph.IdentityConnection{
		Nodes: list.Items, TotalCount: n, PageInfo: pageInfo(list, after, func(i *ent.Identity) hark.ID { return i.ID }),
		Edges: edges(list.Items, func(i *ent.Identity) *graph.IdentityEdge {
			return &graph.IdentityEdge{Node: i, Cursor: page.Cursor(i.ID)}
		}),
	}, err
}

func auditConnection(list page.List[*ent.AuditEntry], after *string, err error) (*graph.AuditEntryConnection, error) {
	if err != nil {
		return nil, err
	}
	return &graph.AuditEntryConnection{
		Nodes: list.Items, PageInfo: pageInfo(list, after, func(e *ent.AuditEntry) hark.ID { return e.ID }),
		Edges: edges(list.Items, func(e *ent.AuditEntry) *graph.AuditEntryEdge {
			return &graph.AuditEntryEdge{Node: e, Cursor: page.Cursor(e.ID)}
		}),
	}, nil
}
