// File message.go looks into a message of a publisher without copying it.

package stanserver

import "google.golang.org/protobuf/encoding/protowire"

// published is what has to be known of a pb.PubMsg.
type published struct {
	clientID, guid, queue, connID []byte
	size                          int // of its data
}

// The fields of a pb.PubMsg.
const (
	fieldClientID = 1
	fieldGUID     = 2
	fieldSubject  = 3
	fieldReply    = 4
	fieldData     = 5
	fieldConnID   = 6
	fieldSHA256   = 10
)

// scan reads a pb.PubMsg. It is stricter than the server's decoder, so that both
// always see the same: each field at most once, and no unknown one.
func scan(message []byte) (p published, ok bool) {
	var seen uint16
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeTag(message)
		if n < 0 || kind != protowire.BytesType || num > fieldSHA256 || seen&(1<<num) != 0 {
			return published{}, false
		}
		value, m := protowire.ConsumeBytes(message[n:])
		if m < 0 {
			return published{}, false
		}
		seen |= 1 << num
		message = message[n+m:]
		switch num {
		case fieldClientID:
			p.clientID = value
		case fieldGUID:
			p.guid = value
		case fieldSubject:
			p.queue = value
		case fieldConnID:
			p.connID = value
		case fieldData:
			p.size = len(value)
		case fieldReply, fieldSHA256:
		default:
			return published{}, false
		}
	}
	return p, true
}
