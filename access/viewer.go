package access

import (
	"context"
	"fmt"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
)

// Actor finds the identity that did something or that calls; nil when it has
// been deleted since. Who may see the deed may see the name.
func (a *Access) Actor(ctx context.Context, id hark.ID) (*ent.Identity, error) {
	row, err := a.store.Ent().Identity.Get(ctx, id)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	return row, nil
}

// Permissions lists what a viewer may do in a project or, without one, in at
// least one project, in the order of the schema. NOT_FOUND for a project that
// the viewer may not see.
func (a *Access) Permissions(ctx context.Context, v *hark.Viewer, project *hark.ID) ([]hark.Action, error) {
	if project != nil {
		if a.Rules(v, *project).Empty() {
			return nil, noProject()
		}
		if _, err := a.ProjectID(ctx, project.String()); err != nil {
			return nil, err
		}
	}
	may := []hark.Action{}
	for _, action := range hark.Actions() {
		if project != nil && a.Rules(v, *project).Can(action) || project == nil && a.somewhere(v, action) {
			may = append(may, action)
		}
	}
	return may, nil
}
