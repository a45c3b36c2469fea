package guest

import v1 "github.com/rhost/rhost/abi/v1"

// service is one of the services of the host. It is passed as a method
// expression, so that a plugin imports the services it calls and no other.
type service func(h host, request, answer []byte) (v1.Status, int)

// usualAnswer is room for most answers, so that few need a second call.
const usualAnswer = 512

// ask makes a request and returns the answer, in memory of its own.
func ask(h host, name string, do service, request []byte) ([]byte, error) {
	answer := make([]byte, usualAnswer)
	st, n := do(h, request, answer)
	switch {
	case st == v1.StatusOK && n <= len(answer):
		return answer[:n:n], nil
	case st == v1.StatusTooSmall:
		// The service has run; its answer waits to be taken.
		answer = make([]byte, n)
		if h.take(answer) == n {
			return answer, nil
		}
		st = v1.StatusInternal
	case st == v1.StatusOK:
		st = v1.StatusInternal
	}
	return nil, &StatusError{Service: name, Status: st}
}

// encodeValue is encode for values where nothing would mean "delete".
func encodeValue(what string, v any) ([]byte, error) {
	text, err := encode(what, v)
	if err == nil && len(text) == 0 {
		text = []byte("null")
	}
	return text, err
}
