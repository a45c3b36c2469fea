package automaton

// plain gives the element that a step is, or the elements that are its
// alternatives. They are waited for as one: what comes first is bound, and an
// event that could be either is bound to the one written first. It gives nil for
// a step that takes several events.
func plain(s Step) []Step {
	if s.Single() {
		return []Step{s}
	}
	var all []Step
	for _, part := range s.Either {
		if len(part) != 1 || part[0].Repeats() || part[0].Optional || part[0].Wait != s.Either[0][0].Wait {
			return nil
		}
		inner := plain(part[0])
		if inner == nil {
			return nil
		}
		all = append(all, inner...)
	}
	return all
}

// either builds one repetition of alternatives of which some take several
// events. Each is followed by itself.
func (p *repetition) either(to int32, link Link, skips []edge, nots uint64) int32 {
	var at []int32
	for _, part := range p.step.Either {
		at = append(at, p.part(part, to, link, nots))
	}
	id := p.add(state{wait: p.wait(at)})
	for _, first := range at {
		p.link(id, edge{op: proceed, to: first, when: p.outside(nil)})
	}
	p.link(id, skips...)
	return id
}

// part builds a sequence inside the step, entered with link.
func (p *repetition) part(steps []Step, to int32, link Link, nots uint64) int32 {
	outer := p.until
	if p.step.Until != 0 {
		p.until = p.step.Until
	}
	id := p.sequence(&sequence{steps: steps, exit: to, head: head{link: link}}, 0, nots)
	p.until = outer
	return id
}
