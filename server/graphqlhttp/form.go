package graphqlhttp

import (
	"github.com/hark-events/hark"
	"github.com/hark-events/hark/server/operation"
	"github.com/hark-events/hark/server/sse"
	"github.com/hark-events/hark/stream"
)

// A form is how the answers of one subscription become a response.
type form interface {
	media() string
	// begin gives the first bytes; at is zero for a stream of no log.
	begin(at hark.Cursor) []byte
	append(b []byte, f stream.Frame) []byte
	// sign is a sign of life.
	sign() string
	// end gives the last bytes: of the last answer, unless that is nil, and of the end.
	end(last *operation.Answer) []byte
}

// events is graphql-sse in its distinct connections mode.
type events struct{}

const (
	retry    = "retry: 3000\n"               // milliseconds, until a client comes back
	complete = "event: complete\ndata: \n\n" // there is no more, and not to come back
)

func (events) media() string { return sse.Media }

// begin tells where the stream begins: a client that has heard nothing yet
// comes back there too.
func (events) begin(at hark.Cursor) []byte {
	frame := retry
	if at != (hark.Cursor{}) {
		frame += "id: " + at.String() + "\n"
	}
	return []byte(frame + "\n")
}

func (events) append(b []byte, f stream.Frame) []byte {
	id := ""
	if f.Cursor.Sequence > 0 {
		id = f.Cursor.String()
	}
	return sse.AppendFrame(b, id, "next", f.Payload)
}

func (events) sign() string { return ":\n\n" }

func (events) end(last *operation.Answer) []byte {
	if last == nil {
		return []byte(complete)
	}
	return append(sse.AppendFrame(nil, "", "next", last.Payload), complete...)
}

// multipart is Apollo's multipart protocol for subscriptions. Each part brings
// the boundary that ends it, as clients wait for that.
type multipart struct{}

const (
	boundary = "\r\n--graphql"
	partHead = "\r\nContent-Type: application/json\r\n\r\n"
)

func (multipart) media() string { return typeMultipart + `;boundary="graphql";subscriptionSpec=1.0` }

func (m multipart) begin(hark.Cursor) []byte { return []byte(boundary + m.sign()) }

func (multipart) append(b []byte, f stream.Frame) []byte {
	b = append(append(b, partHead+`{"payload":`...), f.Payload...)
	return append(b, "}"+boundary...)
}

func (multipart) sign() string { return partHead + "{}" + boundary }

func (m multipart) end(last *operation.Answer) (b []byte) {
	if last != nil {
		b = m.append(b, stream.Frame{Payload: last.Payload})
	}
	return append(b, "--\r\n"...)
}
