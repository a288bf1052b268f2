package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/internal/receiver"
)

type listenCmd struct {
	Addr          string   `help:"Address for all four protocols; port 0 picks a free one. Default: 127.0.0.1:9000." default:"127.0.0.1:9000" placeholder:"HOST:PORT" env:"-"`
	SigningSecret []string `help:"Signing secrets, whsec_…, separated by commas; a callback that none of them has signed is refused. Default: signatures are not checked." placeholder:"SECRET"`
	JWKS          string   `name:"jwks" help:"URL of the keys that ED25519 signatures are checked with: /.well-known/hark/jwks.json of the server." placeholder:"URL" env:"-"`
	Credential    string   `help:"Header that callbacks must carry, such as 'Authorization: Bearer TOKEN' or 'X-API-Key: KEY'; others are refused. Default: all are taken." placeholder:"NAME: VALUE"`
	Status        int      `help:"HTTP status to answer, 200 to 599; from 300 on SOAP gets a Fault, gRPC a code that is near to it, and WebSocket a nack. Default: 200, or 503 with --fail." placeholder:"STATUS" env:"-"`
	Fail          int      `help:"Answer the first N attempts of each delivery with a failure, and those after them with 200, to see repetitions." placeholder:"N" env:"-"`
}

// Help shows an example.
func (listenCmd) Help() string {
	return "Prints one JSON object a line for each callback: its protocol, what was found of its signature, what it was answered, and its message. The endpoints, with any path, are http://HOST:PORT for HTTP and SOAP, grpc://HOST:PORT and ws://HOST:PORT.\n\nExample:\n  hark listen --signing-secret=whsec_… --fail=1"
}

// Run takes callbacks in until the process is told to stop.
func (c *listenCmd) Run(ctx context.Context, std stdio) error {
	conf, err := c.config(ctx)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var broken error
	r := receiver.New(conf, func(cb receiver.Callback) {
		mu.Lock()
		defer mu.Unlock()
		if err := printLine(std.out, callbackLine(cb)); err != nil && broken == nil {
			broken = err
			stop()
		}
	})
	fmt.Fprintf(std.err, "hark: listening on http://%[1]s (HTTP, SOAP), grpc://%[1]s, ws://%[1]s\n", ln.Addr())
	err = r.Serve(ctx, ln)
	mu.Lock()
	defer mu.Unlock()
	return errors.Join(broken, err)
}

// config reads the flags.
func (c *listenCmd) config(ctx context.Context) (receiver.Config, error) {
	conf := receiver.Config{Status: c.Status, Fail: c.Fail}
	switch {
	case c.Fail < 0:
		return conf, usageError{errors.New("--fail is negative")}
	case c.Fail > 0 && c.Status == 0:
		conf.Status = http.StatusServiceUnavailable
	case c.Status != 0 && (c.Status < 200 || c.Status > 599):
		return conf, usageError{errors.New("--status is not between 200 and 599")}
	case c.Fail > 0 && c.Status < 300:
		return conf, usageError{fmt.Errorf("--fail needs a --status from 300 on: %d acknowledges", c.Status)}
	}
	if c.Credential != "" {
		name, value, found := strings.Cut(c.Credential, ":")
		conf.HeaderName, conf.HeaderValue = strings.TrimSpace(name), hark.Secret(strings.TrimSpace(value))
		if !found || conf.HeaderName == "" || conf.HeaderValue == "" {
			return conf, usageError{errors.New("--credential (HARK_CREDENTIAL) is not NAME: VALUE")}
		}
	}
	verifier, err := receiver.NewVerifier(c.SigningSecret, nil)
	if err != nil {
		return conf, usageError{fmt.Errorf("--signing-secret (HARK_SIGNING_SECRET): %w", err)}
	}
	if c.JWKS != "" {
		keys, err := receiver.FetchKeys(ctx, c.JWKS)
		if err != nil {
			return conf, fmt.Errorf("--jwks: %w", err)
		}
		verifier, _ = receiver.NewVerifier(c.SigningSecret, keys) // the secrets are good
	}
	conf.Verifier = verifier
	return conf, nil
}

// callbackLine is what is printed of a callback, its message byte for byte as it came.
func callbackLine(cb receiver.Callback) json.RawMessage {
	message := cb.Message
	if message == nil {
		message = []byte("null")
	}
	return fmt.Appendf(nil, `{"protocol":%q,"signature":%q,"status":%d,"message":%s}`, cb.Protocol, cb.Signature, cb.Status, message)
}
