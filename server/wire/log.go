package wire

import (
	"context"
	"log/slog"

	"github.com/hark-events/hark"
)

// LogInternal logs a failure of hark's own, which the caller knows by its request id alone.
func LogInternal(ctx context.Context, log *slog.Logger, e *hark.Error, attrs ...slog.Attr) {
	if e.Code != hark.Internal || e.Err == nil {
		return
	}
	attrs = append(attrs, slog.String("request", RequestID(ctx)), slog.Any("err", e.Err))
	log.LogAttrs(ctx, slog.LevelError, "request failed", attrs...)
}

// Log writes the line of something that outlived its request: its id, and what was noted.
func Log(ctx context.Context, log *slog.Logger, message string, attrs ...slog.Attr) {
	r, ok := ctx.Value(recordKey{}).(*Record)
	if !ok {
		return
	}
	log.LogAttrs(ctx, slog.LevelInfo, message, append(append([]slog.Attr{slog.String("request", r.ID)}, r.Attrs()...), attrs...)...)
}
