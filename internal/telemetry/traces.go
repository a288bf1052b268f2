package telemetry

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/hark-events/hark"
)

// Traces follows events from their publishing through the commit to streams and
// callbacks, by W3C trace context. Spans go out by OTLP over HTTP if
// OTEL_EXPORTER_OTLP_ENDPOINT is set; a traceparent is taken in and passed on
// anyway. It is stored with the event, so that every node's work for it, and every
// later attempt, belongs to the trace of its publishing. The trace of an event that
// was published without one has the event's id.
type Traces struct {
	provider *sdktrace.TracerProvider // nil: spans go nowhere
	tracer   trace.Tracer
}

// NewTraces makes Traces, which export what the variables of OpenTelemetry say.
// Close them.
func NewTraces(ctx context.Context, version string) (*Traces, error) {
	t := &Traces{tracer: noop.NewTracerProvider().Tracer("hark")}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return t, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	r, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "hark"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(r))
	t.tracer = t.provider.Tracer("hark")
	return t, nil
}

// Close sends what is left until ctx ends.
func (t *Traces) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Request begins the span of a request, under the traceparent that it brings;
// end ends it with the request's status. The id is that of its trace, empty
// where there is none.
func (t *Traces) Request(r *http.Request, route string) (_ *http.Request, id string, end func(status int)) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", route)))
	if c := trace.SpanContextFromContext(ctx); c.HasTraceID() {
		id = c.TraceID().String()
	}
	return r.WithContext(ctx), id, func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Call gives a gRPC call its span, under the traceparent of its metadata, and
// the methods within its own.
func (t *Traces) Call(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	carrier := propagation.MapCarrier{}
	for _, name := range (propagation.TraceContext{}).Fields() {
		if values := metadata.ValueFromIncomingContext(ctx, name); len(values) > 0 {
			carrier.Set(name, values[0])
		}
	}
	ctx, span := t.tracer.Start(propagation.TraceContext{}.Extract(ctx, carrier), info.FullMethod,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("rpc.system", "grpc")))
	out, err := next(hark.WithTraceparent(ctx, traceparent(ctx)), in)
	finish(span, err)
	return out, err
}

// under gives a context in the trace of an event.
func (t *Traces) under(ctx context.Context, e *hark.Event) context.Context {
	if e.Traceparent != "" {
		return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": e.Traceparent})
	}
	var span trace.SpanID
	_, _ = rand.Read(span[:]) // never fails
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID(e.ID), SpanID: span}))
}

// traceparent is the context's trace in W3C's form; empty: there is none.
func traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

func finish(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
