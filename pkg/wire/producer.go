// File producer.go has the documents of the callback producer, POST /queue/producer.

package wire

// ProducerRequest asks for a message to be posted to a URL. Both keys are required.
type ProducerRequest struct {
	Message     *string `json:"message"`
	CallbackURL *string `json:"callback_url"`
}

// Delivery is what is posted to the URL.
type Delivery struct {
	Message string `json:"message"`
}

// Produced is an item of the answer, which is a list of one.
type Produced struct {
	ID  string `json:"id"`
	URL string `json:"url"`
	Msg string `json:"msg"`
}
