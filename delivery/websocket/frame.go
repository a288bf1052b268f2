package websocket

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
)

// appendFrame appends message as one text frame of a client: masked, with a
// key of its own (RFC 6455, section 5.3).
func appendFrame(b, message []byte) []byte {
	const final, text, masked = 0x80, 0x1, 0x80
	n := len(message)
	switch {
	case n < 126:
		b = append(b, final|text, masked|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, final|text, masked|126), uint16(n)) // fits
	default:
		b = binary.BigEndian.AppendUint64(append(b, final|text, masked|127), uint64(n)) // a length
	}
	var key [64]byte // the four bytes over and over
	_, _ = rand.Read(key[:4])
	for i := 4; i < len(key); i *= 2 {
		copy(key[i:], key[:i])
	}
	b = append(b, key[:4]...)
	start := len(b)
	b = append(b, message...)
	for part := b[start:]; len(part) > 0; {
		part = part[subtle.XORBytes(part, part, key[:]):]
	}
	return b
}
