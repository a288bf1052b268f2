package testkit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// slots are those of a Redis Cluster.
const slots = 16384

// A RedisCluster is three masters without replicas. One that is away takes its
// slots along; those of the others go on.
type RedisCluster struct{ Nodes []*RedisServer }

// NewRedisCluster starts a cluster that is stopped with the test.
func NewRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := &RedisCluster{}
	for range 3 {
		bus := 30_000 + rand.IntN(2_000) // the default, 10,000 above the other port, may be somebody's outgoing one
		c.Nodes = append(c.Nodes, newRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
			"--cluster-require-full-coverage", "no", "--cluster-port", strconv.Itoa(bus)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), startDeadline)
	defer cancel()
	if err := c.form(ctx); err != nil {
		t.Fatalf("form a Redis Cluster: %v", err)
	}
	return c
}

// URL names all nodes.
func (c *RedisCluster) URL() string {
	var hosts []string
	for _, n := range c.Nodes {
		hosts = append(hosts, n.addr())
	}
	return "redis://" + strings.Join(hosts, ",")
}

// form gives each node a third of the slots and makes them know each other.
func (c *RedisCluster) form(ctx context.Context) error {
	for i, n := range c.Nodes {
		client := redis.NewClient(&redis.Options{Addr: n.addr()})
		defer client.Close()
		if err := client.ClusterAddSlotsRange(ctx, i*slots/3, (i+1)*slots/3-1).Err(); err != nil {
			return err
		}
		// Nodes of one epoch would argue.
		if err := client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			return err
		}
		first := c.Nodes[0]
		bus := first.flags[len(first.flags)-1]
		if err := client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", first.port, bus).Err(); i > 0 && err != nil {
			return err
		}
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for _, n := range c.Nodes {
		client := redis.NewClient(&redis.Options{Addr: n.addr()})
		defer client.Close()
		for {
			info, err := client.ClusterInfo(ctx).Result()
			if err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_slots_assigned:%d", slots)) {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("it is not ready: %v\n%s", err, info)
			}
		}
	}
	return nil
}

// Stop ends all nodes at once.
func (c *RedisCluster) Stop() { c.each((*RedisServer).Stop) }

// Start starts them again after Stop: they know each other.
func (c *RedisCluster) Start() { c.each((*RedisServer).Start) }

// Pause makes all nodes hang.
func (c *RedisCluster) Pause() { c.each((*RedisServer).Pause) }

// Resume ends a Pause.
func (c *RedisCluster) Resume() { c.each((*RedisServer).Resume) }

func (c *RedisCluster) each(f func(*RedisServer)) {
	for _, n := range c.Nodes {
		f(n)
	}
}
