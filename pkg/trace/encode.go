// File encode.go writes the requests of OTLP and reads its answers, without the package of the
// collector's service, which links gRPC.

package trace

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Content types of the two forms.
const (
	typeProto = "application/x-protobuf"
	typeJSON  = "application/json"
)

// marshal returns spans as an ExportTraceServiceRequest. TracesData has the same
// single field under the same number and name.
func marshal(spans []*tracepb.ResourceSpans, asJSON bool) ([]byte, error) {
	data := &tracepb.TracesData{ResourceSpans: spans}
	if !asJSON {
		return proto.Marshal(data)
	}
	writeIDsInHex(spans)
	return protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(data)
}

// writeIDsInHex changes ids so that protojson, which writes bytes in base64, writes
// them in hex, as OTLP has it: an id in hex is also a text in base64.
func writeIDsInHex(spans []*tracepb.ResourceSpans) {
	for _, r := range spans {
		for _, scope := range r.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				s.TraceId, s.SpanId, s.ParentSpanId = asHex(s.GetTraceId()), asHex(s.GetSpanId()), asHex(s.GetParentSpanId())
				for _, l := range s.GetLinks() {
					l.TraceId, l.SpanId = asHex(l.GetTraceId()), asHex(l.GetSpanId())
				}
			}
		}
	}
}

// asHex returns the bytes whose base64 is the hex of id. The length of id is a
// multiple of 2, as that of both ids is.
func asHex(id []byte) []byte {
	b, _ := base64.StdEncoding.DecodeString(hex.EncodeToString(id))
	return b
}

// checkRejected returns an error for spans that an accepted request lost, or for what
// the receiver has to say about it.
func checkRejected(body []byte, contentType string) error {
	var n int64
	var message string
	switch contentType {
	case typeProto:
		n, message = rejected(body)
	case typeJSON:
		n, message = rejectedJSON(body)
	}
	if n == 0 && message == "" {
		return nil
	}
	return fmt.Errorf("the receiver rejected %d spans: %s", n, message)
}

// rejected reads field 1 of an ExportTraceServiceResponse: a count (1) and a text (2).
func rejected(body []byte) (n int64, message string) {
	fields(body, func(number protowire.Number, _ uint64, partial []byte) {
		if number != 1 {
			return
		}
		fields(partial, func(number protowire.Number, v uint64, text []byte) {
			switch number {
			case 1:
				n = int64(v) // #nosec G115 -- as protobuf has it
			case 2:
				message = string(text)
			default: // of a newer protocol
			}
		})
	})
	return n, message
}

// fields calls each for the fields of a message, until one cannot be read.
func fields(b []byte, each func(number protowire.Number, v uint64, text []byte)) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		size := protowire.ConsumeFieldValue(number, kind, b[max(n, 0):])
		if n < 0 || size < 0 {
			return
		}
		v, _ := protowire.ConsumeVarint(b[n:])
		text, _ := protowire.ConsumeBytes(b[n:])
		each(number, v, text)
		b = b[n+size:]
	}
}

func rejectedJSON(body []byte) (int64, string) {
	var answer struct {
		PartialSuccess struct {
			RejectedSpans json.RawMessage // a number, or one in quotes
			ErrorMessage  string
		}
	}
	if json.Unmarshal(body, &answer) != nil {
		return 0, ""
	}
	p := answer.PartialSuccess
	text := string(p.RejectedSpans)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n, p.ErrorMessage
}

// exportMethod is the path of a call of gRPC.
const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// frameBytes is the length of what stands before a message of gRPC: a byte that says
// whether it is compressed, and its length.
const frameBytes = 5

func frame(message []byte, compressed bool) []byte {
	b := make([]byte, frameBytes, frameBytes+len(message))
	if compressed {
		b[0] = 1
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(message))) // #nosec G115 -- a batch has some hundred spans
	return append(b, message...)
}

// Codes of gRPC after which the specification of OTLP allows a retry.
var mayCallAgain = map[string]bool{"1": true, "4": true, "10": true, "11": true, "14": true, "15": true}

// checkCall reads the answer of gRPC. Its status follows the body, or stands in the
// header when there is no body.
func checkCall(resp *http.Response, body []byte) error {
	status, from := resp.Trailer.Get("Grpc-Status"), resp.Trailer
	if status == "" {
		status, from = resp.Header.Get("Grpc-Status"), resp.Header
	}
	switch {
	case status == "" && resp.StatusCode != http.StatusOK:
		return checkAnswer(resp, body)
	case status == "":
		return errors.New("an answer without the status of gRPC")
	case status != "0":
		message, _ := url.PathUnescape(from.Get("Grpc-Message"))
		err := fmt.Errorf("gRPC status %s: %s", status, message)
		if mayCallAgain[status] {
			return &temporary{error: err}
		}
		return err
	}
	if len(body) < frameBytes || body[0] != 0 {
		return nil
	}
	return checkRejected(body[frameBytes:], typeProto)
}
