package store

import "encoding/hex"

// A traceparent of version 00 is "00-", the trace's id, "-", the span's id, "-"
// and the flags, in hexadecimal digits; its row has the bytes alone.
const (
	traceText  = 55
	traceBytes = 16 + 8 + 1
)

// packTrace gives the bytes of a traceparent; nil for what is none.
func packTrace(text string) []byte {
	if len(text) != traceText || text[:3] != "00-" || text[35] != '-' || text[52] != '-' {
		return nil
	}
	b := make([]byte, 0, 2*traceBytes)
	b = append(append(append(b, text[3:35]...), text[36:52]...), text[53:]...)
	n, err := hex.Decode(b, b)
	if err != nil {
		return nil
	}
	return b[:n]
}

// unpackTrace gives the traceparent of its bytes; empty for none.
func unpackTrace(b []byte) string {
	if len(b) != traceBytes {
		return ""
	}
	digits := hex.EncodeToString(b)
	return "00-" + digits[:32] + "-" + digits[32:48] + "-" + digits[48:]
}
