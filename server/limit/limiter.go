package limit

import (
	"context"
	"log/slog"
	"time"

	"github.com/hark-events/hark"
)

// loginsAMinute is how often an address may log in.
const loginsAMinute = 60

// Rates are requests a second; a bucket holds those of one second. 0: no limit.
type Rates struct {
	Identity int
	Address  int
}

// Config tunes a Limiter. The zero value of a field means its default.
type Config struct {
	Rates   Rates             // default no limits but that of logins
	Shared  Buckets           // over all nodes; default this node's alone
	Refused func(kind string) // "identity", "address" or "login"; default nobody counts
	Log     *slog.Logger      // default none
}

// Buckets are token buckets by name, each of burst tokens that fill again at
// one each interval.
type Buckets interface {
	// Take takes a token, or tells how long to wait for one.
	Take(ctx context.Context, name string, interval time.Duration, burst int) (wait time.Duration, err error)
}

// A Limiter refuses what is too much with RATE_LIMITED and Details["retryAfter"].
// While the shared buckets do not answer, each node counts for itself.
type Limiter struct {
	conf  Config
	local *local
}

// New makes a Limiter.
func New(c Config) *Limiter {
	if c.Refused == nil {
		c.Refused = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Limiter{conf: c, local: newLocal()}
}

// Identity counts a request of an identity.
func (l *Limiter) Identity(ctx context.Context, id hark.ID) error {
	return l.take(ctx, "identity", id.String(), time.Second, l.conf.Rates.Identity, "this identity makes more than %d requests a second")
}

// Address counts a request of the address that ctx's request came from.
func (l *Limiter) Address(ctx context.Context) error {
	return l.take(ctx, "address", hark.OriginFrom(ctx).Address, time.Second, l.conf.Rates.Address, "this address makes more than %d requests a second")
}

// Request counts a request of an identity that came from the address of ctx.
func (l *Limiter) Request(ctx context.Context, id hark.ID) error {
	if err := l.Address(ctx); err != nil {
		return err
	}
	return l.Identity(ctx, id)
}

// Login counts a login of the address that ctx's request came from.
func (l *Limiter) Login(ctx context.Context) error {
	return l.take(ctx, "login", hark.OriginFrom(ctx).Address, time.Minute, loginsAMinute, "this address logs in more than %d times a minute")
}

func (l *Limiter) take(ctx context.Context, kind, who string, per time.Duration, rate int, says string) error {
	if rate == 0 || who == "" {
		return nil
	}
	name, interval := kind+":"+who, per/time.Duration(rate)
	var wait time.Duration
	err := error(nil)
	if l.conf.Shared != nil {
		wait, err = l.conf.Shared.Take(ctx, name, interval, rate)
	}
	if l.conf.Shared == nil || err != nil {
		wait, _ = l.local.Take(ctx, name, interval, rate) // never fails
	}
	if err != nil {
		l.conf.Log.DebugContext(ctx, "a limit is this node's alone", "err", err)
	}
	if wait <= 0 {
		return nil
	}
	l.conf.Refused(kind)
	return hark.TooOften(wait, says+": wait a little", rate)
}
