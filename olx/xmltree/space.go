package xmltree

const (
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace = "http://www.w3.org/2000/xmlns/"
)

// scope holds the namespace declarations in force, with a log to undo them by. Lookups take constant time however many
// declarations a hostile file stacks up.
type scope struct {
	bound map[string]string // by prefix, "" for the default namespace
	log   []binding
}

type binding struct {
	prefix, uri string // what was bound before
	had         bool
}

func (s *scope) mark() int { return len(s.log) }

func (s *scope) undo(mark int) {
	for len(s.log) > mark {
		b := s.log[len(s.log)-1]
		s.log = s.log[:len(s.log)-1]
		if b.had {
			s.bound[b.prefix] = b.uri
		} else {
			delete(s.bound, b.prefix)
		}
	}
}

func (s *scope) bind(prefix, uri string) {
	if s.bound == nil {
		s.bound = map[string]string{}
	}
	old, had := s.bound[prefix]
	s.log = append(s.log, binding{prefix, old, had})
	s.bound[prefix] = uri
}

func (s *scope) lookup(prefix string) (uri string, ok bool) {
	if prefix == "xml" {
		return xmlSpace, true
	}
	uri, ok = s.bound[prefix]
	return uri, ok || prefix == ""
}

// resolve takes the declarations of a start tag into force, gives its names their namespaces, and refuses attributes
// that are there twice.
func (p *parser) resolve(n *Node) error {
	if err := p.declare(n); err != nil {
		return err
	}
	uri, ok := p.spaces.lookup(n.Name.Prefix)
	if !ok || n.Name.Prefix == "xmlns" {
		return p.invalid(int(n.start), "the prefix of <%s> is not declared", n.Name)
	}
	n.Name.Space = uri
	prefixed := false
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if a.Name.Prefix == "" {
			continue // the default namespace does not apply to attributes
		}
		if a.Name.Space, ok = p.spaces.lookup(a.Name.Prefix); !ok {
			return p.invalid(int(a.start), "the prefix of attribute %s is not declared", a.Name)
		}
		prefixed = true
	}
	return p.unique(n.Attrs, prefixed)
}

func (p *parser) declare(n *Node) error {
	if err := p.unique(n.Spaces, false); err != nil {
		return err
	}
	for i := range n.Spaces {
		a := &n.Spaces[i]
		a.Name.Space = xmlnsSpace
		prefix := declared(*a)
		switch {
		case prefix == "xmlns", a.Value == xmlnsSpace, (prefix == "xml") != (a.Value == xmlSpace):
			return p.invalid(int(a.start), "the declaration %s=%q is not allowed", a.Name, a.Value)
		case prefix != "" && a.Value == "":
			return p.invalid(int(a.start), "the prefix %s is declared as nothing", prefix)
		}
		p.spaces.bind(prefix, a.Value)
	}
	return nil
}

// unique refuses two attributes of one name; prefixed says that names may differ in prefix only.
func (p *parser) unique(attrs []Attr, prefixed bool) error {
	const few = 12 // up to here comparing all pairs beats a map
	twice := func(a *Attr) error { return p.invalid(int(a.start), "attribute %s is there twice", a.Name) }
	same := func(a, b *Attr) bool {
		return a.Name.Local == b.Name.Local &&
			(a.Name.Prefix == b.Name.Prefix || prefixed && a.Name.Space == b.Name.Space)
	}
	if len(attrs) <= few {
		for i := range attrs {
			for j := range i {
				if same(&attrs[i], &attrs[j]) {
					return twice(&attrs[i])
				}
			}
		}
		return nil
	}
	seen := make(map[Name]bool, len(attrs))
	for i := range attrs {
		key := attrs[i].Name
		if prefixed {
			key.Prefix = ""
		}
		if seen[key] {
			return twice(&attrs[i])
		}
		seen[key] = true
	}
	return nil
}
