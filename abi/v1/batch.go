package v1

import "encoding/binary"

// AppendBatch appends the input of rhost_batch: the input frame of each of its
// invocations.
func AppendBatch(dst []byte, frames [][]byte) []byte {
	dst = AppendBatchCount(dst, len(frames))
	for _, f := range frames {
		dst = AppendBatchFrame(dst, f)
	}
	return dst
}

// AppendBatchCount begins the input of rhost_batch; so many frames follow.
func AppendBatchCount(dst []byte, n int) []byte {
	return binary.LittleEndian.AppendUint32(dst, uint32(n))
}

// AppendBatchFrame appends the next frame of a batch.
func AppendBatchFrame(dst, frame []byte) []byte { return appendBytes(dst, frame) }

// minItem is the size of the smallest item of a batch: an empty frame.
const minItem = 4

// ReadBatch reads the input of rhost_batch. The frames lie in b.
func ReadBatch(b []byte) (frames [][]byte, err error) {
	r := reader{b: b, msg: "batch"}
	n := r.u32("count")
	if uint64(n)*minItem > uint64(len(r.b)) {
		r.fail("count", "counts more items than the message has room for")
		return nil, r.error()
	}
	frames = make([][]byte, n)
	for i := range frames {
		frames[i] = r.bytes("frame")
	}
	return frames, r.error()
}
