package events

import (
	"context"

	"github.com/hark-events/hark"
)

// Prepare is the part of Publish before its transaction; commit is the rest.
func (p *Publisher) Prepare(ctx context.Context, input ...*hark.NewEvent) (commit func() error, err error) {
	r, err := p.prepare(ctx, input)
	return func() error {
		if err := p.group.Do(ctx, r); err != nil {
			return err
		}
		return r.Err
	}, err
}
