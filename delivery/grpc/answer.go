package grpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"

	"github.com/hark-events/hark/delivery"
)

// An answer is how a call ended.
type answer struct {
	code    codes.Code
	message string // of the status, which the subscriber wrote if came
	came    bool   // from the subscriber; else hark's own end made the status

	// Of a call without an answer:
	cause error // why there is no connection, if that is known
	state connectivity.State
}

// judge says what an answer means, to a call that began at started under ctx.
func (a *answer) judge(ctx context.Context, started time.Time) (delivery.Receipt, error) {
	if !a.came {
		return delivery.Receipt{StatusCode: delivery.NoAnswer}, errors.New(a.explain(ctx, time.Since(started)))
	}
	r := delivery.Receipt{StatusCode: int(a.code), ResponseBody: delivery.Text(a.message, delivery.MaxResponseBody)}
	if a.code == codes.OK {
		return r, nil
	}
	err := fmt.Errorf("answered %s", name(a.code))
	if a.code == codes.FailedPrecondition || a.code == codes.Unimplemented {
		err = delivery.Permanent(err)
	}
	return r, err
}

// explain says why there is no answer.
func (a *answer) explain(ctx context.Context, took time.Duration) string {
	during := "connecting"
	if a.state == connectivity.Ready {
		during = "waiting for the answer"
	}
	switch {
	case a.cause != nil:
		return delivery.Explain(a.cause, during, took)
	case ctx.Err() != nil:
		return delivery.Explain(ctx.Err(), during, took)
	case a.code == codes.DeadlineExceeded:
		return delivery.Explain(context.DeadlineExceeded, during, took)
	}
	return "no gRPC answer: " + strings.Join(strings.Fields(a.message), " ") // it may quote what came instead, over several lines
}

// name writes a code as the specification of gRPC does.
func name(c codes.Code) string {
	if c > codes.Unauthenticated {
		return fmt.Sprintf("the unknown code %d", uint32(c))
	}
	return [...]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
	}[c]
}
