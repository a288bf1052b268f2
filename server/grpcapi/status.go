package grpcapi

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/wire"
)

// codeOf is the gRPC code that goes with a code of hark's.
func codeOf(c hark.Code) codes.Code {
	switch c {
	case hark.Unauthenticated:
		return codes.Unauthenticated
	case hark.Forbidden:
		return codes.PermissionDenied
	case hark.BadUserInput:
		return codes.InvalidArgument
	case hark.NotFound:
		return codes.NotFound
	case hark.Conflict:
		return codes.AlreadyExists
	case hark.RateLimited:
		return codes.ResourceExhausted
	}
	return codes.Internal
}

// fail gives err in gRPC's form, and logs it when it is hark's own failure. An
// ErrorInfo names hark's code, a BadRequest the field at fault.
func (s *Server) fail(ctx context.Context, err error) error {
	e := wire.Classify(err)
	wire.LogInternal(ctx, s.conf.Log, e)
	wire.Note(ctx, slog.String("code", string(e.Code)))
	wire.NoteRefusal(ctx, e)
	info := &errdetails.ErrorInfo{Reason: string(e.Code), Domain: "hark", Metadata: map[string]string{"requestId": wire.RequestID(ctx)}}
	if reason, ok := e.Details["reason"].(string); ok {
		info.Metadata["reason"] = reason
	}
	details := []protoadapt.MessageV1{info}
	if e.Field != "" {
		details = append(details, &errdetails.BadRequest{
			FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: fieldOf(e.Field), Description: e.Message}},
		})
	}
	headers := make(map[string][]string)
	wire.SetHeaders(headers, e)
	if wait := headers["Retry-After"]; len(wait) > 0 {
		if d, err := time.ParseDuration(wait[0] + "s"); err == nil {
			details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
		}
	}
	for name, values := range headers { // as at the doors of HTTP
		_ = grpc.SetTrailer(ctx, metadata.Pairs(strings.ToLower(name), values[0])) // fails outside of a call alone
	}
	st := status.New(codeOf(e.Code), e.Message)
	if e.Field != "" {
		st = status.New(codeOf(e.Code), fieldOf(e.Field)+": "+e.Message)
	}
	if detailed, err := st.WithDetails(details...); err == nil {
		st = detailed
	}
	return st.Err()
}

// fieldOf names a field as the request does: input.2.sourceService is events[2].source_service.
func fieldOf(field string) string {
	parts := strings.Split(field, ".")
	if parts[0] != "input" {
		return field
	}
	out := "events"
	if len(parts) > 1 {
		out += fmt.Sprintf("[%s]", parts[1])
	}
	for _, part := range parts[min(2, len(parts)):] {
		out += "." + snake(part)
	}
	return out
}

func snake(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
