package pubsub

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// shardTimeout is how long a shard of a cluster may take to answer: the others
// wait for it meanwhile, and listeners look at the database every second.
const shardTimeout = time.Second

// A network is one Redis, or a cluster of them.
type network struct {
	one     *redis.Client // nil: cluster is used
	cluster *redis.ClusterClient
}

// newNetwork reads a URL as NewClient does.
func newNetwork(url string) (n network, err error) {
	c, err := NewClient(url)
	switch c := c.(type) {
	case *redis.Client:
		n.one = c
	case *redis.ClusterClient:
		n.cluster = c
	}
	return n, err
}

// NewClient makes a client of the Redis at url, or of the cluster if it names
// several hosts, separated by commas. Nothing is tried twice, and contexts end
// what takes too long. It connects when it is first used. An error never shows
// the password.
func NewClient(url string) (redis.UniversalClient, error) {
	first, addrs := splitHosts(url)
	o, err := redis.ParseURL(first)
	if err != nil {
		// The parser's own words may quote any part of the URL, the password too.
		return nil, errors.New("the Redis URL is malformed: write redis://user:password@host:port/0, or rediss:// for TLS, with special characters of the password percent-encoded; several hosts, separated by commas, are a cluster")
	}
	o.Protocol = 2 // messages come as plain replies, from every version of Redis
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if len(addrs) == 1 {
		return redis.NewClient(o), nil
	}
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each node has its own
	}
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
		Protocol: o.Protocol, MaxRedirects: 2, DialerRetries: 1, ContextTimeoutEnabled: true, MaintNotificationsConfig: o.MaintNotificationsConfig,
		DialTimeout: shardTimeout, ReadTimeout: shardTimeout, WriteTimeout: shardTimeout,
	}), nil
}

// splitHosts gives the URL with its first host alone, and all hosts.
func splitHosts(url string) (first string, hosts []string) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url, []string{""}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	hosts = strings.Split(rest[at:end], ",")
	return scheme + "://" + rest[:at] + hosts[0] + rest[end:], hosts
}

func (n network) sharded() bool { return n.cluster != nil }

// commands are what one Redis and a cluster have in common.
func (n network) commands() redis.UniversalClient {
	if n.sharded() {
		return n.cluster
	}
	return n.one
}

// shard gives the Redis that has a channel.
func (n network) shard(ctx context.Context, channel string) (*redis.Client, error) {
	if n.sharded() {
		return n.cluster.MasterForKey(ctx, channel)
	}
	return n.one, nil
}

// look has the cluster's state read anew: a shard may have moved.
func (n network) look(ctx context.Context) {
	if n.sharded() {
		n.cluster.ReloadState(ctx)
	}
}
