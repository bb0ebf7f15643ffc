package staticfs

import (
	"sync"
	"sync/atomic"
	"time"
)

// CacheConfig limits a cache (nginx: open_file_cache). Zero values mean the defaults.
type CacheConfig struct {
	// Entries is the number of files kept (open_file_cache max), default 1000. Each may hold a descriptor.
	Entries int
	// Memory is how many bytes of small files are kept in all, default 16 MiB.
	Memory int64
	// Inline is the size in bytes up to which a file counts as small, default 16 KiB.
	Inline int64
	// Hot is the size in bytes up to which a larger file that is asked for often is kept in memory as long as there is
	// room, default 128 KiB, none if negative: sending 100 KB from memory takes the front less time than sendfile(2) does.
	Hot int64
	// Valid is how long a file is trusted without a look (open_file_cache_valid), default 1 s.
	Valid time.Duration
	// Inactive is how long a file is kept without use (open_file_cache inactive), at least; default 30 s.
	Inactive time.Duration
}

// hotHits is how often a file is asked for between two looks at it to count as hot.
const hotHits = 8

// shardCount spreads the locks. A power of two.
const shardCount = 16

// Cache keeps files open, and small ones in memory, for all static locations. All methods are safe for concurrent use.
type Cache struct {
	cfg     CacheConfig
	types   map[string]string
	epoch   time.Time
	clock   func() time.Duration // since epoch; replaced by tests
	ids     atomic.Uint32        // of locations
	entries atomic.Int64
	memory  atomic.Int64
	shards  [shardCount]shard
	sweeper sweeper
}

// shard is a part of the cache: a map, and the same entries in a ring for the clock
// algorithm (second chance). The hand clears used flags and takes the first entry without.
type shard struct {
	mu   sync.RWMutex
	m    map[key]*entry
	ring []*entry
	hand int
}

// NewCache returns an empty cache.
func NewCache(cfg CacheConfig) *Cache {
	c := &Cache{cfg: cfg, types: parseTypes(), epoch: time.Now()}
	setDefault(&c.cfg.Entries, 1000)
	setDefault(&c.cfg.Memory, 16<<20)
	setDefault(&c.cfg.Inline, 16<<10)
	setDefault(&c.cfg.Hot, 128<<10)
	setDefault(&c.cfg.Valid, time.Second)
	setDefault(&c.cfg.Inactive, 30*time.Second)
	c.clock = func() time.Duration { return time.Since(c.epoch) }
	for i := range c.shards {
		c.shards[i].m = map[key]*entry{}
	}
	return c
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Close stops the timer and closes every file that is not being sent, the others
// when they have been. A closed cache keeps nothing, and locations go on without.
func (c *Cache) Close() {
	c.sweeper.close()
	c.cull(func(*entry) bool { return true })
}

// now returns the time on the cache's clock.
func (c *Cache) now() int64 { return int64(c.clock()) }

// fresh reports whether something checked then needs no look now.
func (c *Cache) fresh(checked, now int64) bool { return now-checked < int64(c.cfg.Valid) }

// inlineLimit returns the size up to which the file that was old, nil if it is new, is read into memory.
func (c *Cache) inlineLimit(old *entry) int64 {
	if old == nil || old.hits.Load() < hotHits && !old.inline() {
		return c.cfg.Inline
	}
	return max(c.cfg.Inline, min(c.cfg.Hot, c.cfg.Memory-c.memory.Load()+int64(len(old.body))))
}

// shard returns the shard of a name. Names differ most at their ends.
func (c *Cache) shard(name []byte) *shard {
	h := uint32(len(name))
	for _, b := range name[max(0, len(name)-12):] {
		h = (h ^ uint32(b)) * 16777619
	}
	return &c.shards[(h^h>>16)%shardCount]
}

// get returns the entry of a name with a reference for the caller, or nil.
func (c *Cache) get(fs uint32, name []byte) *entry {
	s := c.shard(name)
	s.mu.RLock()
	e := s.m[key{fs, string(name)}]
	if e != nil && !e.inline() {
		// The map's own reference cannot go away under the lock.
		e.refs.Add(1)
	}
	s.mu.RUnlock()
	if e != nil && !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// put keeps e, in place of an older entry of the same key, and makes room. It takes a reference of its own.
func (c *Cache) put(e *entry) {
	e.refs.Add(1)
	s := c.shard([]byte(e.key.name))
	s.mu.Lock()
	if old := s.m[e.key]; old != nil {
		c.drop(s, old)
	}
	s.m[e.key] = e
	e.slot = len(s.ring)
	s.ring = append(s.ring, e)
	c.entries.Add(1)
	c.memory.Add(int64(len(e.body)))
	s.mu.Unlock()
	c.makeRoom(s)
	if !c.sweeper.start(c) {
		c.remove(e)
	}
}

// remove forgets e, if it is still there.
func (c *Cache) remove(e *entry) {
	s := c.shard([]byte(e.key.name))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[e.key] == e {
		c.drop(s, e)
	}
}

// drop takes e out of its shard, whose lock the caller holds.
func (c *Cache) drop(s *shard, e *entry) {
	delete(s.m, e.key)
	last := len(s.ring) - 1
	s.ring[e.slot] = s.ring[last]
	s.ring[e.slot].slot = e.slot
	s.ring[last] = nil
	s.ring = s.ring[:last]
	c.entries.Add(-1)
	c.memory.Add(-int64(len(e.body)))
	// close(2) of a file that was only read has no error to tell.
	e.release()
}

func (c *Cache) full() bool {
	return c.entries.Load() > int64(c.cfg.Entries) || c.memory.Load() > c.cfg.Memory
}

// makeRoom evicts until the limits hold, from s first. Two rounds suffice: the first may only clear used flags.
func (c *Cache) makeRoom(s *shard) {
	for i := 0; c.full() && i < 2*shardCount; i++ {
		c.evict(s)
		s = &c.shards[i%shardCount]
	}
}

// evict takes entries out of s until the limits hold, all of them if need be, but at most one turn of the hand.
func (c *Cache) evict(s *shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for turn := len(s.ring); turn > 0 && c.full(); turn-- {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		e := s.ring[s.hand]
		if e.used.Swap(false) {
			s.hand++
			continue
		}
		c.drop(s, e)
	}
}

// cull drops the entries that gone says.
func (c *Cache) cull(gone func(*entry) bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for j := len(s.ring) - 1; j >= 0; j-- {
			if gone(s.ring[j]) {
				c.drop(s, s.ring[j])
			}
		}
		s.mu.Unlock()
	}
}

// sweep drops what was not used since the last sweep.
func (c *Cache) sweep() {
	c.cull(func(e *entry) bool { return !e.used.Swap(false) })
}

// sweeper is the timer that keeps deleted files from being held open by a cache that nobody asks.
type sweeper struct {
	running atomic.Bool
	mu      sync.Mutex
	timer   *time.Timer
	closed  bool
}

// start makes sure that the timer runs while there are entries; it reports false when the cache is closed.
func (w *sweeper) start(c *Cache) bool {
	if w.running.Load() {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.running.Store(true)
	if w.timer == nil {
		w.timer = time.AfterFunc(c.cfg.Inactive, func() { w.tick(c) })
	} else {
		w.timer.Reset(c.cfg.Inactive)
	}
	return true
}

func (w *sweeper) tick(c *Cache) {
	c.sweep()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	// In this order, as put first adds its entry and then looks whether the
	// timer runs: either it sees that it does not, or its entry is seen here.
	w.running.Store(false)
	if c.entries.Load() > 0 {
		w.running.Store(true)
		w.timer.Reset(c.cfg.Inactive)
	}
}

func (w *sweeper) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.running.Store(false)
	if w.timer != nil {
		w.timer.Stop()
	}
}
