package hark

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// An ID is an RFC 9562 UUID. The zero ID means none.
//
// Databases keep it as 16 bytes (SQLite) or as uuid (PostgreSQL); everything
// else sees the canonical lower-case text.
type ID [16]byte

var errID = errors.New("not a UUID")

// NewID makes a version 7 UUID: 48 bits of Unix milliseconds, then 12 bits of
// the fraction of that millisecond, then 62 random bits. Ids of one node sort by
// the time they were made, to a quarter of a microsecond.
func NewID() ID { return newID(time.Now()) }

func newID(t time.Time) (id ID) {
	// crypto/rand.Read never fails: it ends the process when the system has no randomness.
	_, _ = rand.Read(id[8:])
	ns := t.UnixNano()
	milli := ns / 1e6
	binary.BigEndian.PutUint64(id[:8], uint64(milli)<<16)
	fraction := uint16((ns - milli*1e6) << 12 / 1e6)
	binary.BigEndian.PutUint16(id[6:8], 0x7000|fraction)
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// ParseID reads a UUID in its canonical form, upper case allowed.
func ParseID(s string) (id ID, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, errID
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return ID{}, errID
	}
	return id, nil
}

// MustParseID is ParseID for constants of the program; it panics on anything else.
func MustParseID(s string) ID {
	id, err := ParseID(s)
	if err != nil {
		panic(fmt.Sprintf("hark: %q is %v", s, err))
	}
	return id
}

// IsZero tells whether id is no id.
func (id ID) IsZero() bool { return id == ID{} }

func (id ID) String() string {
	b, _ := id.AppendText(make([]byte, 0, 36)) // never fails
	return string(b)
}

// AppendText appends the canonical form; it never fails.
func (id ID) AppendText(b []byte) ([]byte, error) {
	b = hex.AppendEncode(b, id[:4])
	for _, part := range [...][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		b = hex.AppendEncode(append(b, '-'), part)
	}
	return b, nil
}

// MarshalText gives the canonical form; it never fails.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// Value implements driver.Valuer.
func (id ID) Value() (driver.Value, error) { return id[:], nil }

// Scan implements sql.Scanner for 16 bytes or text.
func (id *ID) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*id = ID{}
		return nil
	case []byte:
		if len(v) == len(id) {
			copy(id[:], v)
			return nil
		}
		return id.UnmarshalText(v)
	case string:
		return id.UnmarshalText([]byte(v))
	}
	return fmt.Errorf("scan %T: %w", src, errID)
}

// MarshalGQL writes the GraphQL scalar UUID.
func (id ID) MarshalGQL(w io.Writer) {
	b := append(make([]byte, 0, 38), '"')
	b, _ = id.AppendText(b)        // never fails
	_, _ = w.Write(append(b, '"')) // gqlgen's writer is a buffer
}

// UnmarshalGQL reads the GraphQL scalar UUID.
func (id *ID) UnmarshalGQL(v any) error {
	s, ok := v.(string)
	if !ok || id.UnmarshalText([]byte(s)) != nil {
		return Errorf(BadUserInput, "a UUID is 32 hexadecimal digits in five groups, such as 01890a5d-ac96-774b-bcce-b302099a8057")
	}
	return nil
}
