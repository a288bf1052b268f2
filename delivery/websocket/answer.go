package websocket

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/hark-events/hark"
	"github.com/hark-events/hark/delivery"
)

// maxReason is how much of a reason stands in an error, in bytes; the receipt
// has more of it.
const maxReason = 256

// An outcome is how an attempt ended.
type outcome struct {
	receipt delivery.Receipt
	err     error
	again   bool // the token ran out, and there may be another
}

func noAnswer(err error) *outcome {
	return &outcome{receipt: delivery.Receipt{StatusCode: delivery.NoAnswer}, err: err}
}

// An answer is {"ack":"<delivery id>"} or {"nack":"<delivery id>","reason":"…"}.
type answer struct {
	id     hark.ID
	nack   bool
	reason string // of a nack
}

// parse reads a text message. Anything else than an answer is not ok.
func parse(text []byte) (a answer, ok bool) {
	// Almost all are exactly this.
	if rest, found := bytes.CutPrefix(text, []byte(`{"ack":"`)); found {
		if id, found := bytes.CutSuffix(rest, []byte(`"}`)); found && a.id.UnmarshalText(id) == nil {
			return a, true
		}
	}
	// A map, because names of a struct's fields are found in any case.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return a, false
	}
	ack, acked := fields["ack"]
	nack, nacked := fields["nack"]
	if acked == nacked {
		return a, false
	}
	if nacked {
		a.nack, ack = true, nack
		_ = json.Unmarshal(fields["reason"], &a.reason) // one that is no text is none
	}
	var id string
	if json.Unmarshal(ack, &id) != nil || a.id.UnmarshalText([]byte(id)) != nil {
		return answer{}, false
	}
	return a, true
}

// outcome says what an answer means. A message is answered without a status of
// its own: the receipt has the 101 that began its connection.
func (a answer) outcome(redact func(string) string) outcome {
	o := outcome{receipt: delivery.Receipt{StatusCode: http.StatusSwitchingProtocols}}
	if !a.nack {
		return o
	}
	reason := redact(a.reason)
	o.receipt.ResponseBody = delivery.Text(reason, delivery.MaxResponseBody)
	o.err = errors.New(because("nack", reason))
	return o
}

// lost says what it means for those who wait for answers that the connection
// ended: because hark wanted it to for some reason (why), with what was read
// last (err), or with what hark found wrong with it (cause).
func lost(err, why, cause error, redact func(string) string) outcome {
	if why != nil {
		return *noAnswer(why)
	}
	if e, ok := errors.AsType[websocket.CloseError](err); ok {
		reason := redact(e.Reason)
		return outcome{
			receipt: delivery.Receipt{StatusCode: int(e.Code), ResponseBody: delivery.Text(reason, delivery.MaxResponseBody)},
			err:     errors.New(because(fmt.Sprintf("closed with %d", e.Code), reason)),
		}
	}
	if cause != nil {
		err = cause
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return *noAnswer(fmt.Errorf("the subscriber sent a message of more than %d bytes", maxAnswer))
	}
	return *noAnswer(errors.New(delivery.Explain(err, "waiting for an ack", 0)))
}

// unauthorized tells whether a connection was closed because of its credentials:
// policy violation (RFC 6455), unauthorized (IANA's registry), and what many use
// after HTTP's 401.
func unauthorized(err error) bool {
	switch websocket.CloseStatus(err) {
	case websocket.StatusPolicyViolation, 3000, 4401:
		return true
	}
	return false
}

func because(what, reason string) string {
	if reason = strings.TrimSpace(reason); reason == "" {
		return what
	}
	return what + ": " + delivery.Text(reason, maxReason)
}
