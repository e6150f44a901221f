// File clients.go knows which connection a client id of NATS Streaming belongs to.

package stanserver

import (
	"sync"
	"time"
)

const (
	// alive is how long ago a publisher may have been heard for its client ids to be
	// its own: three heartbeats. After that the server asks it, as it always does.
	alive = 3 * heartbeatInterval
	// maxClients is how many client ids one connection may have.
	maxClients = 64
	// maxRemembered bounds the client ids of connections that have ended.
	maxRemembered = 4096
)

// client is a client id that a publisher connected, together with the secret that it
// named then. A connection that knows the secret is that client, on whatever connection: the
// library reconnects without a new connect request to NATS Streaming.
type client struct {
	id     string
	secret string     // the ConnID; empty for libraries of before 2018
	owner  *publisher // nil when its connection has ended
}

func (c *client) belongsTo(p *publisher) {
	c.owner = p
	p.known.Store(true)
}

// clients are those of all publishers of a server.
type clients struct {
	mu       sync.Mutex
	byID     map[string]*client
	bySecret map[string]*client
}

func newClients() *clients {
	return &clients{byID: make(map[string]*client), bySecret: make(map[string]*client)}
}

// mayConnect reports whether a publisher may ask the server to connect a client id.
func (c *clients) mayConnect(p *publisher, id, secret string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.bySecret[secret]; secret != "" && known != nil && known.id != id {
		return false
	}
	known := c.byID[id]
	return known == nil || known.owner == nil || known.owner == p || !known.owner.heardSince(time.Now().Add(-alive))
}

// connected notes that the server has connected a client id.
func (c *clients) connected(p *publisher, id, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.byID[id]; known != nil {
		c.remove(known)
	}
	if len(c.byID) >= maxRemembered {
		for _, known := range c.byID {
			if known.owner == nil {
				c.remove(known)
			}
		}
	}
	known := &client{id: id, secret: secret}
	known.belongsTo(p)
	c.byID[id] = known
	if secret != "" {
		c.bySecret[secret] = known
	}
}

// mayPublish reports whether a message may come from a publisher. The server checks
// the secret itself; one that is not known here is from before a restart.
func (c *clients) mayPublish(p *publisher, id, secret []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.byID[string(id)]
	if len(secret) == 0 {
		if known != nil && known.owner == nil {
			known.owner = p
		}
		return known == nil || known.owner == p
	}
	if known != nil && known.secret == string(secret) {
		known.belongsTo(p)
		return true
	}
	return c.bySecret[string(secret)] == nil
}

// pinged gives a client to the connection that knows its secret.
func (c *clients) pinged(p *publisher, secret []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.bySecret[string(secret)]; known != nil {
		known.belongsTo(p)
	}
}

// close reports whether a publisher may close a client id, and forgets it then.
func (c *clients) close(p *publisher, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.byID[id]
	if known == nil || known.owner != p {
		return false
	}
	c.remove(known)
	return true
}

// ended keeps the clients of a closed connection for the one that knows their secrets.
func (c *clients) ended(p *publisher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.byID {
		if known.owner == p {
			known.owner = nil
		}
	}
}

func (c *clients) remove(known *client) {
	delete(c.byID, known.id)
	if c.bySecret[known.secret] == known {
		delete(c.bySecret, known.secret)
	}
}
