// Package intake moves QueueRequests from NATS Streaming to the store. Everything that a
// gateway publishes comes through it.
//
//	server --> deliver --> book: unsettled      --> take: decode --> Store.Accept
//	   ^                     |  ^ no room: the key is kept, the message is
//	   |                     |    fetched again when there is room
//	   +---- ack <-----------+ durable: when the commit is on disk
//	                           not durable: when the invocation is settled
//
// A message is acked only when it cannot be lost any more. Redeliveries are recognised:
// by the store when it is durable, otherwise by the book, and by cluster, channel,
// sequence and timestamp, since a server that keeps its messages in memory begins
// again at sequence 1.
//
// A lost connection is made again for as long as the worker lives, by the same client id,
// so that the server redelivers unacked messages at once. When a queue has other workers
// too, the server gives them to those instead: what was between commit and ack then, and
// without a durable store everything unsettled, runs twice. The worker cannot prevent that.
//
// The package calls no function, keeps no message and decides no retry.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// Store is where the intake puts what it takes.
type Store interface {
	// Accept takes an invocation in and calls done exactly once, possibly before it
	// returns: with nil, it is stored; with store.ErrSeen, it was stored before; with
	// anything else it is not stored and will be offered again. Accept may wait while
	// the store is busy.
	Accept(a store.Accept, done func(error))
	// Full is nil, or says why nothing should be accepted just now.
	Full() error
	// Durable reports whether what is stored outlives the process. It never changes.
	Durable() bool
}

// Embedded is embedded NATS Streaming.
type Embedded interface {
	InProcessConn() (net.Conn, error)
}

// Backlog counts the messages of an embedded server that are not accepted yet, because that
// server removes the oldest messages, accepted or not, when a channel is full.
type Backlog interface {
	// Reserve precedes the publishing of a message. After an error it must not be published.
	Reserve(queue string, size int) error
	// Accepted says that a message is accepted, so that the server may remove it. first: it
	// was not delivered before. It does not block.
	Accepted(queue string, sequence uint64, size int, first bool)
}

// drainTimeout bounds the waits of a shutdown: for commits and acks that are
// pending, and for the server's answers.
const drainTimeout = 3 * time.Second

// Options says where to take from and by which rules.
type Options struct {
	// URL is nats://host:port.
	URL string
	// Login is what the server gets to see of the worker. An embedded server asks for nothing.
	Login Login
	// Embedded is embedded NATS Streaming, if it is used: connections are
	// made in the process then, and survive a pause of its listener. Nil: URL is dialled.
	Embedded Embedded
	// Backlog is that of the embedded server; nil for an outside server.
	Backlog Backlog
	// Cluster is the NATS Streaming cluster id, Channels the queues to read, Group
	// the queue group that all workers of a queue share.
	Cluster  string
	Channels []string
	Group    string
	// Hostname makes the client id stable: the same worker takes up its own messages.
	Hostname string
	// AckWait is how long the server waits for an ack before it sends a message
	// again, with a durable store; whole seconds, at least one.
	AckWait time.Duration
	// MaxUnsettled and MaxUnsettledBytes bound what lies unacked without a durable
	// store, in messages and in bytes. The last message that fits may pass the bytes.
	MaxUnsettled      int
	MaxUnsettledBytes int64
	// Names makes one function of the forms of a name.
	Names invocation.Names
	// CheckURL reads the URL of a callback that came with a message; its error means
	// that this program would not have published it.
	CheckURL func(raw string) (*url.URL, error)
	Store    Store
	// OnRest is called when the intake is paused because nothing more can be
	// taken, and when it is resumed. It is called by one goroutine, also while there is
	// no connection, and must not block for long. May be nil.
	OnRest func(resting bool)
	// Metrics come from NewMetrics with the same channels.
	Metrics *Metrics
	// Logger gets one line per change; nil discards.
	Logger *slog.Logger

	readAhead  int // tests make these small
	storeBytes int64
	tick       time.Duration
}

// Intake is a worker's connection to NATS Streaming. Use Run, then Close.
type Intake struct {
	opts    Options
	log     *slog.Logger
	url     string // without credentials
	durable bool
	book    *book
	delays  delays
	toTake  signal // there is something to hand to the store
	toAck   signal // there is something to ack
	review  signal // the session should look at its subscriptions
	watch   signal // the watch should look at the bounds

	halt chan struct{}  // closed by Close to end Run
	quit chan struct{}  // closed by Close to end take and ack, which outlive Run
	busy sync.WaitGroup // take, ack and publishing; nothing is added once closed is set

	mu      sync.Mutex
	running chan struct{} // closed when Run has returned; nil before Run
	// connected is closed when the first connection has been logged.
	connected chan struct{}
	session   *session
	clientID  string    // what the last session was called
	down      error     // why there is no session; nil when there is one
	downAt    time.Time // when the last session ended, or the intake was made
	failed    int       // connections that could not be made, or were lost, since the last session began
	rest      error     // why nothing is taken; nil when it is
	closed    bool
}

// New checks the options. It opens nothing.
func New(o Options) (*Intake, error) {
	var problems []error
	want := func(ok bool, text string) {
		if !ok {
			problems = append(problems, errors.New(text))
		}
	}
	u, err := url.Parse(o.URL)
	want(err == nil && u.Host != "", "a URL of the form nats://host:port is needed")
	want(o.Cluster != "" && o.Group != "", "a cluster and a queue group are needed")
	want(len(o.Channels) > 0, "at least one channel is needed")
	want(o.Hostname != "", "a hostname is needed, for the client id")
	want(o.Store != nil && o.Metrics != nil, "a store and metrics are needed")
	want(o.CheckURL != nil, "a check of callback URLs is needed")
	if len(problems) > 0 {
		return nil, fmt.Errorf("intake: %w", errors.Join(problems...))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.readAhead == 0 {
		o.readAhead = readAhead
	}
	if o.storeBytes == 0 {
		o.storeBytes = storeBytes
	}
	if o.tick == 0 {
		o.tick = tickPeriod
	}
	i := &Intake{
		opts: o, log: o.Logger, url: u.Redacted(), durable: o.Store.Durable(),
		toTake: newSignal(), toAck: newSignal(), review: newSignal(), watch: newSignal(),
		halt: make(chan struct{}), quit: make(chan struct{}), connected: make(chan struct{}),
		down: errors.New("not started"), downAt: time.Now(),
	}
	i.delays = newDelays(i.durable, i.opts.MaxUnsettled)
	i.book = newBook(i.limits(), i.toTake, i.toAck, i.review, i.watch)
	if !i.durable {
		i.book.identify = i.derivedID
	}
	return i, nil
}

// Run takes messages until ctx is done. It goes through every loss of the
// connection and returns nil, only once nothing more is taken: with a durable
// store everything taken is stored and acked then and the subscriptions are
// closed, unless the store stands still for longer than 3 s. Without one, the
// connection and its subscriptions stay up until Close, because the running calls
// are still to be acked and another worker would be given them. Call it once.
func (i *Intake) Run(ctx context.Context) error {
	i.mu.Lock()
	if i.running != nil || i.closed {
		i.mu.Unlock()
		return errors.New("intake: Run was called before")
	}
	i.running = make(chan struct{})
	i.mu.Unlock()
	defer close(i.running)

	i.busy.Go(i.takeLoop)
	i.busy.Go(i.ackLoop)
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	helpers.Go(func() { i.watchLoop(ctx) })
	helpers.Go(func() {
		defer cancel()
		select {
		case <-i.halt:
		case <-ctx.Done():
		}
	})
	i.connectLoop(ctx)
	cancel()
	helpers.Wait()
	i.book.drain()
	i.drain()
	return nil
}

// Changed takes changes that are durable, in the order of the commits. Without a durable
// store the message of an invocation that is settled is acked now, or when the callback that
// carries its result is settled. It does not block, may be called before Accept's done, and
// does nothing for an invocation that came without a message.
func (i *Intake) Changed(changes []store.Change) {
	if i.durable {
		return
	}
	for n := range changes {
		if c := &changes[n]; c.Outcome != "" && c.Outcome != invocation.OutcomeRetry {
			i.book.settle(c.Inv.ID, c.Callback)
		}
	}
}

// Connected reports whether there is a connection to the server, taking or resting.
func (i *Intake) Connected() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.down == nil
}

// Down returns since when there is no connection, and why; nil while there is one.
func (i *Intake) Down() (since time.Time, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.downAt, i.down
}

// FirstConnected is closed when NATS Streaming has been connected for the first time.
func (i *Intake) FirstConnected() <-chan struct{} { return i.connected }

// URL is the address of NATS Streaming, without credentials.
func (i *Intake) URL() string { return i.url }

// Ready is nil when messages are being taken, or says why they are not.
func (i *Intake) Ready() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down != nil {
		return fmt.Errorf("not connected to NATS Streaming at %s: %w", i.url, i.down)
	}
	if i.rest != nil {
		return fmt.Errorf("intake paused: %w", i.rest)
	}
	return nil
}

// Close sends the acks that are left, closes the connection, which keeps the
// durable subscriptions, and ends what Run started. What is unacked is given to
// another worker, or to this one when it comes back. It returns within about 10 s,
// also when store and server stand still; Accept's done may then be called later.
// Idempotent.
func (i *Intake) Close() error {
	i.mu.Lock()
	first, running := !i.closed, i.running
	i.closed = true
	i.mu.Unlock()
	if !first {
		return nil
	}
	i.book.drain()
	close(i.halt)
	var err error
	if running != nil {
		<-running
		err = errors.Join(i.book.waitAcks(drainTimeout), i.endSession())
	}
	close(i.quit)
	i.join()
	return err
}

func (i *Intake) endSession() error {
	i.mu.Lock()
	s := i.session
	i.session, i.down = nil, errors.New("closed")
	i.mu.Unlock()
	i.opts.Metrics.connected.Set(0)
	if s == nil {
		return nil
	}
	return s.close()
}

// join waits for the goroutines of Run. One that waits for a store that stands
// still is left to the store's own end.
func (i *Intake) join() {
	done := make(chan struct{})
	go func() { i.busy.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drainTimeout):
		i.log.Warn("store not answering, last messages may be redelivered")
	}
}

func (i *Intake) queueNames() string { return strings.Join(i.opts.Channels, ",") }
