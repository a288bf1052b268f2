// Package receiver takes in callbacks of all four protocols on one address: the other end of package delivery, for trying things out.
package receiver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/hark-events/hark"
)

const (
	headerTimeout = 10 * time.Second
	drainTimeout  = 5 * time.Second
	// maxBody is in bytes: a payload at its limit, all of it escaped, and what is around it.
	maxBody = 4 << 20
)

// A Config says what a Receiver asks of callbacks and how it answers them.
type Config struct {
	Verifier Verifier

	// HeaderName and HeaderValue are of the header or metadata that every
	// callback must carry, such as "X-API-Key". Empty: none.
	HeaderName  string
	HeaderValue hark.Secret

	// Status is the answer, as an HTTP status from 200 to 599; default 200.
	Status int
	// Fail, if not 0, is how many attempts of each delivery get that answer;
	// those after them are acknowledged.
	Fail int
}

// A Callback is one callback that came, and what it was answered.
type Callback struct {
	Protocol  hark.CallbackProtocol
	Signature string // "verified", "not checked", or what is wrong with it
	Status    int    // that it was answered, as an HTTP status
	Message   []byte // as JSON: the envelope or a CloudEvent; nil if it is neither
}

// A Receiver answers callbacks, and shows each one.
type Receiver struct {
	conf Config
	saw  func(Callback)
	rpc  *grpc.Server

	mu     sync.Mutex
	failed map[string]int // attempts by delivery, while it is not acknowledged

	open sync.WaitGroup // WebSockets
}

// New makes a Receiver. Many goroutines call saw at a time.
func New(c Config, saw func(Callback)) *Receiver {
	if c.Status == 0 {
		c.Status = http.StatusOK
	}
	r := &Receiver{conf: c, saw: saw, failed: make(map[string]int)}
	r.rpc = r.grpc()
	return r
}

// Serve answers on ln until ctx ends.
func (r *Receiver) Serve(ctx context.Context, ln net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // of gRPC without TLS
	server := &http.Server{
		Handler: r, Protocols: protocols, ReadHeaderTimeout: headerTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends WebSockets
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(limit)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	r.open.Wait()
	return err
}

// ServeHTTP tells the protocols from each other, at any path.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	contentType := req.Header.Get("Content-Type")
	switch {
	case strings.EqualFold(req.Header.Get("Upgrade"), "websocket"):
		r.websocket(w, req)
	case req.ProtoMajor == 2 && strings.HasPrefix(contentType, "application/grpc"):
		r.rpc.ServeHTTP(w, req)
	case strings.HasPrefix(contentType, "application/soap+xml"), len(req.Header["Soapaction"]) > 0:
		r.soap(w, req)
	default:
		r.http(w, req)
	}
}

// An answer is a judgement: 2xx acknowledges. The zero answer is none.
type answer struct {
	status int
	reason string // in words, when it does not acknowledge
}

func (a answer) acknowledges() bool { return a.status < 300 }

// A caller is who makes a callback, as its headers say.
type caller struct {
	protocol  hark.CallbackProtocol
	signature string // in words
	refusal   answer // if it may not
}

// admit looks at what proves a caller: header gives its headers or metadata,
// and signed is what its signature covers.
func (r *Receiver) admit(p hark.CallbackProtocol, header func(name string) string, signed []byte) caller {
	signature, genuine := r.conf.Verifier.verify(header, signed)
	c := caller{protocol: p, signature: signature}
	switch {
	case r.conf.HeaderName != "" && header(r.conf.HeaderName) != r.conf.HeaderValue.Reveal():
		c.refusal = answer{http.StatusUnauthorized, "the header " + r.conf.HeaderName + " is missing or wrong"}
	case !genuine:
		c.refusal = answer{http.StatusUnauthorized, "signature: " + signature}
	}
	return c
}

// admitMessage is admit for one message of many on the connection of a caller.
func (r *Receiver) admitMessage(c caller, header http.Header, signed []byte) caller {
	words, genuine := r.conf.Verifier.verify(header.Get, signed)
	c.signature = words
	if !genuine {
		c.refusal = answer{http.StatusUnauthorized, "signature: " + words}
	}
	return c
}

// take judges a callback and shows it. The message, as JSON, its delivery and
// err are what a parser made of it.
func (r *Receiver) take(from caller, message []byte, deliveryID string, err error) answer {
	a := from.refusal
	switch {
	case a != answer{}:
	case err != nil:
		a = answer{http.StatusBadRequest, err.Error()}
	default:
		a = r.answer(deliveryID)
	}
	r.saw(Callback{from.protocol, from.signature, a.status, message})
	return a
}

// answer is what the configuration says of one more attempt of a delivery.
func (r *Receiver) answer(delivery string) answer {
	a := answer{r.conf.Status, fmt.Sprintf("told to answer %d", r.conf.Status)}
	if a.acknowledges() || r.conf.Fail == 0 {
		return a
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed[delivery] >= r.conf.Fail {
		delete(r.failed, delivery)
		return answer{status: http.StatusOK}
	}
	r.failed[delivery]++
	return a
}
