package access

import "context"

// Tidy clears away at once what Run clears away in time.
func (a *Access) Tidy(ctx context.Context) error { return a.tidy(ctx) }
