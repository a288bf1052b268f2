package access

import (
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hark-events/hark"
)

// fresh is for how long what was read is used without a look at the revision.
const fresh = time.Second

// Sizes of the cache.
const (
	maxTokens   = 16_384
	maxProjects = 16_384
	maxCompiled = 16_384
)

// A cache keeps what was read since the last change. A generation ends with
// each change; what was read in an older one is never used, even when a slow
// read puts it in afterwards.
type cache struct {
	started    time.Time
	generation atomic.Int64
	checked    atomic.Int64 // when the revision was last read, in nanoseconds since started

	mu       sync.Mutex
	revision int64 // as last seen; 0: never

	byHash   *lru.Cache[[32]byte, *entry]
	byID     *lru.Cache[hark.ID, *entry]
	projects *lru.Cache[string, project] // by id and by slug
	compiled *lru.Cache[compiledKey, *Rules]
}

// An entry is a token that was valid when it was read.
type entry struct {
	viewer     *hark.Viewer
	generation int64
	read       time.Time
	lastUsed   atomic.Int64 // hark.Time
}

type project struct {
	id         hark.ID // zero: there is none
	generation int64
	read       time.Time
}

type compiledKey struct {
	viewer  *hark.Viewer
	project hark.ID
}

func newCache() *cache {
	return &cache{
		started:  time.Now(),
		byHash:   newLRU[[32]byte, *entry](maxTokens),
		byID:     newLRU[hark.ID, *entry](maxTokens),
		projects: newLRU[string, project](maxProjects),
		compiled: newLRU[compiledKey, *Rules](maxCompiled),
	}
}

func newLRU[K comparable, V any](size int) *lru.Cache[K, V] {
	c, err := lru.New[K, V](size)
	if err != nil {
		panic(err) // only for a size below one
	}
	return c
}

// drop begins a new generation.
func (c *cache) drop() {
	c.generation.Add(1)
	c.byHash.Purge()
	c.byID.Purge()
	c.projects.Purge()
	c.compiled.Purge()
}

// confirm takes note of the revision that was read after asked, and reports
// whether it had moved.
func (c *cache) confirm(revision int64, asked time.Time) (moved bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	moved = revision != c.revision
	c.revision = revision
	if moved {
		c.drop()
	}
	c.checked.Store(int64(asked.Sub(c.started)))
	return moved
}

// raised takes note of a change made here. The next look at the revision finds
// nothing new, unless another node changed something before.
func (c *cache) raised(revision int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revision == revision-1 {
		c.revision = revision
	}
	c.drop()
}

// usable tells whether something read then, in that generation, still holds.
func (c *cache) usable(generation int64, read time.Time) bool {
	return generation == c.generation.Load() &&
		(time.Since(read) < fresh || time.Since(c.started)-time.Duration(c.checked.Load()) < fresh)
}

// current tells whether v is what its token says, as far as this node knows.
func (c *cache) current(v *hark.Viewer) bool {
	e, ok := c.byID.Peek(v.TokenID)
	return ok && e.viewer == v && e.generation == c.generation.Load()
}

func (c *cache) put(hash [32]byte, e *entry) {
	c.byHash.Add(hash, e)
	c.byID.Add(e.viewer.TokenID, e)
}

func expired(v *hark.Viewer) bool { return !v.ExpiresAt.IsZero() && v.ExpiresAt <= hark.Now() }
