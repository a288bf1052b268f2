package operation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hark-events/hark"
)

// Limits of automatic persisted queries.
const (
	persistedQueries   = 1000
	maxPersistedLength = 16 << 10 // bytes of a query; a longer one is executed but not kept
)

// persisted keeps queries by their SHA-256, so that clients need not send them again.
type persisted struct{ queries *lru.Cache[string, string] }

func newPersisted() *persisted {
	queries, _ := lru.New[string, string](persistedQueries) // fails for a size below 1 only
	return &persisted{queries}
}

// resolve gives the query of a request, which may name it by its hash alone.
func (p *persisted) resolve(query string, extensions json.RawMessage) (string, error) {
	var ext struct {
		PersistedQuery *struct {
			Version int    `json:"version"`
			Hash    string `json:"sha256Hash"`
		} `json:"persistedQuery"`
	}
	if len(extensions) == 0 {
		return query, nil
	}
	if err := json.Unmarshal(extensions, &ext); err != nil {
		return "", hark.BadInput("extensions", "extensions.persistedQuery takes a version and a sha256Hash")
	}
	switch pq := ext.PersistedQuery; {
	case pq == nil:
		return query, nil
	case pq.Version != 1:
		return "", hark.BadInput("extensions.persistedQuery.version", "the version of persisted queries is 1")
	case query == "":
		known, ok := p.queries.Get(pq.Hash)
		if !ok { // clients know this message and code, and send the query
			return "", &hark.Error{Code: "PERSISTED_QUERY_NOT_FOUND", Message: "PersistedQueryNotFound"}
		}
		return known, nil
	default:
		sum := sha256.Sum256([]byte(query))
		if hex.EncodeToString(sum[:]) != pq.Hash {
			return "", hark.BadInput("extensions.persistedQuery.sha256Hash", "the hash is not that of the query")
		}
		if len(query) <= maxPersistedLength {
			p.queries.Add(pq.Hash, query)
		}
		return query, nil
	}
}
