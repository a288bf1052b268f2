package websocket

import (
	"encoding/binary"

	"github.com/coder/websocket"
)

// Opcodes of frames, RFC 6455 section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

// appendFrame appends one text frame of three parts. A server's frames are not
// masked, so they are the same bytes for everyone.
func appendFrame(b []byte, head string, payload []byte, tail string) []byte {
	switch n := len(head) + len(payload) + len(tail); {
	case n < 126:
		b = append(b, 0x80|opText, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|opText, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|opText, 127), uint64(n))
	}
	return append(append(append(b, head...), payload...), tail...)
}

// appendClose appends a close frame.
func appendClose(b []byte, code websocket.StatusCode, reason string) []byte {
	b = append(b, 0x80|opClose, byte(2+len(reason)))
	return append(binary.BigEndian.AppendUint16(b, uint16(code)), reason...)
}

// pongs is how many bytes of whole pong frames of a client b begins with.
func pongs(b []byte) (n int) {
	const masked = 0x80
	for rest := b; len(rest) >= 2 && rest[0] == 0x80|opPong && rest[1]&masked != 0; rest = b[n:] {
		size := 2 + 4 + int(rest[1]&^masked) // with the mask; one that is too long for a control frame does not fit
		if size > len(rest) {
			break
		}
		n += size
	}
	return n
}
