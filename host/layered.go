package host

import "maps"

// layered is a map that can be frozen: what it holds then can be read without a
// lock, in another goroutine, while it is written to. What is written meanwhile
// lies in a layer above, which melt puts down. Freezing takes no time, and melting
// as much as was written.
//
// Nothing of it is safe for concurrent use but frozen itself.
type layered[V any] struct {
	base map[string]V
	over map[string]layer[V] // nil unless frozen
}

// layer is a value written above, or that there is none any more.
type layer[V any] struct {
	value V
	gone  bool
}

func newLayered[V any]() layered[V] { return layered[V]{base: make(map[string]V)} }

func (m *layered[V]) get(key string) (v V, ok bool) {
	if m.over != nil {
		if l, there := m.over[key]; there {
			return l.value, !l.gone
		}
	}
	v, ok = m.base[key]
	return v, ok
}

func (m *layered[V]) set(key string, v V) {
	if m.over != nil {
		m.over[key] = layer[V]{value: v}
		return
	}
	m.base[key] = v
}

func (m *layered[V]) remove(key string) {
	if m.over != nil {
		m.over[key] = layer[V]{gone: true}
		return
	}
	delete(m.base, key)
}

// len is about how many there are: what is frozen counts as if it were still there.
func (m *layered[V]) len() int { return len(m.base) }

// sweep removes what is over, unless the map is frozen.
func (m *layered[V]) sweep(over func(key string, v V) bool) bool {
	if m.over != nil {
		return false
	}
	maps.DeleteFunc(m.base, over)
	return true
}

// freeze gives what is there. It stays as it is until melt.
func (m *layered[V]) freeze() map[string]V {
	m.over = make(map[string]layer[V])
	return m.base
}

// melt ends freeze. Nobody may read what that gave any more.
func (m *layered[V]) melt() {
	for key, l := range m.over {
		if l.gone {
			delete(m.base, key)
		} else {
			m.base[key] = l.value
		}
	}
	m.over = nil
}
