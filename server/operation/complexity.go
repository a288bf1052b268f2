package operation

import (
	"github.com/hark-events/hark/graph"
)

// Cost of an operation: one for each field, times the page size inside a list.
const (
	maxComplexity = 20000
	defaultPage   = 50 // as the schema says of `first`
)

// Complexity gives the costs of all paginated fields.
func Complexity() (c graph.ComplexityRoot) {
	c.Query.Projects = page
	c.Query.Identities = page
	c.Query.EventDefinitions = filteredPage
	c.Query.EventSubscriptions = filteredPage
	c.Query.Events = filteredPage
	c.Query.Deliveries = filteredPage
	c.Query.AuditLog = filteredPage
	c.Event.Deliveries = page
	c.EventSubscription.Deliveries = filteredPage
	return c
}

func filteredPage[Filter any](child int, _ Filter, first *int, after *string) int {
	return page(child, first, after)
}

// page is the cost of a list: 1 and its content as often as it may come. It
// stays below an overflow, however lists nest.
func page(child int, first *int, _ *string) int {
	n := defaultPage
	if first != nil {
		n = min(max(*first, 1), 500)
	}
	return 1 + min(child, maxComplexity+1)*n
}
