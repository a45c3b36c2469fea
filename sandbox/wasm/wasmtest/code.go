package wasmtest

import (
	"encoding/binary"
	"slices"
)

// Code is a piece of a function's body.
type Code []byte

// The value types.
const (
	TypeI32 byte = 0x7f
	TypeI64 byte = 0x7e
	TypeF64 byte = 0x7c
	Void    byte = 0x40 // block type of a block without a result
)

// Seq joins pieces of code.
func Seq(parts ...Code) Code { return slices.Concat(parts...) }

// Op is an instruction with unsigned immediates.
func Op(code byte, immediates ...uint32) Code {
	b := Code{code}
	for _, n := range immediates {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

// I32 is a constant.
func I32(v int32) Code { return appendSigned(Code{0x41}, int64(v)) }

// I64 is a constant.
func I64(v int64) Code { return appendSigned(Code{0x42}, v) }

// Get reads a local; parameters are counted first.
func Get(local uint32) Code { return Op(0x20, local) }

// Set writes a local.
func Set(local uint32) Code { return Op(0x21, local) }

// Tee writes a local and leaves the value.
func Tee(local uint32) Code { return Op(0x22, local) }

// GlobalGet reads a global.
func GlobalGet(global uint32) Code { return Op(0x23, global) }

// GlobalSet writes a global.
func GlobalSet(global uint32) Code { return Op(0x24, global) }

// Load reads 4 bytes at the address on the stack plus offset.
func Load(offset uint32) Code { return Op(0x28, 2, offset) }

// Store writes 4 bytes.
func Store(offset uint32) Code { return Op(0x36, 2, offset) }

// Call calls a function.
func Call(f Func) Code { return Op(0x10, uint32(f)) }

// Drop takes a value from the stack and forgets it.
func Drop() Code { return Op(0x1a) }

// Add adds two i32.
func Add() Code { return Op(0x6a) }

// Sub subtracts two i32.
func Sub() Code { return Op(0x6b) }

// Less compares two i32, signed.
func Less() Code { return Op(0x48) }

// Wrap turns an i64 into an i32.
func Wrap() Code { return Op(0xa7) }

// Grow grows the memory by pages and leaves the old size, or -1.
func Grow(pages int32) Code { return Seq(I32(pages), Op(0x40, 0)) }

// Unreachable traps.
func Unreachable() Code { return Op(0x00) }

// Return returns what is on the stack.
func Return() Code { return Op(0x0f) }

// Branch leaves label enclosing blocks, or repeats a loop.
func Branch(label uint32) Code { return Op(0x0c, label) }

// BranchIf branches when the i32 on the stack is not 0.
func BranchIf(label uint32) Code { return Op(0x0d, label) }

// Loop is a block that a branch repeats.
func Loop(body ...Code) Code { return nest(0x03, Void, body) }

// Block is a block that can be left by a branch.
func Block(body ...Code) Code { return nest(0x02, Void, body) }

// If runs body when the i32 on the stack is not 0.
func If(body ...Code) Code { return nest(0x04, Void, body) }

// Repeat runs body n times, counting in a local.
func Repeat(local uint32, n int32, body ...Code) Code {
	return Seq(I32(n), Set(local), Loop(Seq(body...), Get(local), I32(1), Sub(), Tee(local), BranchIf(0)))
}

// Forever repeats body.
func Forever(body ...Code) Code { return Loop(Seq(body...), Branch(0)) }

func nest(op, blockType byte, body []Code) Code {
	return Seq(Code{op, blockType}, Seq(body...), Code{0x0b})
}

func appendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
