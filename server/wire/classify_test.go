package wire_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/ent"
	"github.com/hark-events/hark/server/wire"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	secret := errors.New("pq: secret words")
	for name, tt := range map[string]struct {
		err     error
		code    hark.Code
		message string
	}{
		"hark's own, wrapped": {fmt.Errorf("read: %w", &hark.Error{Code: hark.Conflict, Message: "taken", Err: secret}), hark.Conflict, "taken"},
		"hark's INTERNAL":     {&hark.Error{Code: hark.Internal, Message: "secret words"}, hark.Internal, "internal error"},
		"ent: not found":      {fmt.Errorf("read: %w", &ent.NotFoundError{}), hark.NotFound, "there is no such record"},
		"ent: constraint":     {&ent.ConstraintError{}, hark.Conflict, "it conflicts with an existing record"},
		"ent: validation":     {&ent.ValidationError{Name: "slug"}, hark.BadUserInput, "slug is not valid"},
		"cancelled":           {fmt.Errorf("query: %w", context.Canceled), hark.Internal, "the request was cancelled"},
		"deadline":            {context.DeadlineExceeded, hark.Internal, "the request took too long: ask for less at once"},
		"anything else":       {secret, hark.Internal, "internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e := wire.Classify(tt.err); e.Code != tt.code || e.Message != tt.message {
				t.Errorf("%s %q", e.Code, e.Message)
			}
		})
	}
}
