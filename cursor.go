package hark

import (
	"encoding/base64"
	"encoding/binary"
	"io"
)

// A Cursor is a position in a project's log: behind the event with that
// sequence. It means the same on every door.
type Cursor struct {
	Project  ID
	Sequence int64
}

// cursorVersion is the first byte of every cursor's text.
const cursorVersion = 1

// String is the opaque text that clients give back: 14 to 22 characters, URL-safe.
func (c Cursor) String() string {
	var raw [5 + binary.MaxVarintLen64]byte
	raw[0] = cursorVersion
	copy(raw[1:5], c.Project[12:]) // random bits of the id, enough to notice a mix-up
	n := 5 + binary.PutUvarint(raw[5:], uint64(c.Sequence))
	return base64.RawURLEncoding.EncodeToString(raw[:n])
}

// ParseCursor reads a cursor that String made for an event of project, else BAD_USER_INPUT.
func ParseCursor(project ID, s string) (Cursor, error) {
	bad := BadInput("after", "the cursor is none of this project's: give back an event's cursor as it came")
	if len(s) > 22 {
		return Cursor{}, bad
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) < 6 || raw[0] != cursorVersion || [4]byte(raw[1:5]) != [4]byte(project[12:]) {
		return Cursor{}, bad
	}
	seq, n := binary.Uvarint(raw[5:])
	if n != len(raw)-5 || seq > 1<<53 {
		return Cursor{}, bad
	}
	return Cursor{Project: project, Sequence: int64(seq)}, nil
}

// MarshalGQL writes the cursor's text as a GraphQL String.
func (c Cursor) MarshalGQL(w io.Writer) {
	_, _ = io.WriteString(w, `"`+c.String()+`"`) // gqlgen's writer is a buffer
}

// UnmarshalGQL refuses: without its project a cursor's text can't be read. Use ParseCursor.
func (*Cursor) UnmarshalGQL(any) error {
	return Errorf(BadUserInput, "a cursor belongs to a project")
}
