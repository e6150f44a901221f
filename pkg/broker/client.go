package broker

import "github.com/nats-io/nats.go"

// ClientOption makes a client of this process connect past the listener; see
// InProcessConn.
func (s *Server) ClientOption() nats.Option { return nats.InProcessServer(s) }
