package v1

import "encoding/binary"

// Header is one header of a request or a response. A name may come more than
// once.
type Header struct{ Name, Value string }

// HTTPRequest is the request of http.
type HTTPRequest struct {
	Method  string
	URL     string
	Timeout uint32 // milliseconds; 0: what is left of the call
	Header  []Header
	Body    []byte // empty for none
}

// AppendHTTPRequest appends the request of http.
func AppendHTTPRequest(dst []byte, q *HTTPRequest) []byte {
	dst = appendString(dst, q.Method)
	dst = appendString(dst, q.URL)
	dst = binary.LittleEndian.AppendUint32(dst, q.Timeout)
	dst = appendHeaders(dst, q.Header)
	return append(dst, q.Body...)
}

// ReadHTTPRequest reads the request of http.
func ReadHTTPRequest(b []byte) (HTTPRequest, error) {
	r := reader{b: b, msg: FuncHTTP}
	q := HTTPRequest{Method: r.string("method"), URL: r.string("url"), Timeout: r.u32("timeout")}
	q.Header, q.Body = readHeaders(&r), r.tail()
	return q, r.error()
}

// HTTPResponse is the answer of http.
type HTTPResponse struct {
	Status uint32 // 200, 404, …
	Header []Header
	Body   []byte
}

// AppendHTTPResponse appends the answer of http.
func AppendHTTPResponse(dst []byte, p *HTTPResponse) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, p.Status)
	dst = appendHeaders(dst, p.Header)
	return append(dst, p.Body...)
}

// ReadHTTPResponse reads the answer of http.
func ReadHTTPResponse(b []byte) (HTTPResponse, error) {
	r := reader{b: b, msg: FuncHTTP}
	p := HTTPResponse{Status: r.u32("status")}
	p.Header, p.Body = readHeaders(&r), r.tail()
	return p, r.error()
}

func appendHeaders(dst []byte, list []Header) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(list)))
	for _, h := range list {
		dst = appendString(appendString(dst, h.Name), h.Value)
	}
	return dst
}

// minHeader is the size of the smallest header: two empty strings.
const minHeader = 8

func readHeaders(r *reader) []Header {
	n := r.u32("headers")
	if n == 0 {
		return nil
	}
	if uint64(n)*minHeader > uint64(len(r.b)) {
		r.fail("headers", "counts more headers than the message has room for")
		return nil
	}
	list := make([]Header, n)
	for i := range list {
		list[i] = Header{Name: r.string("headers"), Value: r.string("headers")}
	}
	return list
}
