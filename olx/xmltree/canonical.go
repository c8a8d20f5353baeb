package xmltree

// Canonical returns an element in the canonical form of structural files (olx.md §3.3), without final LF. Blank text
// between elements is replaced by the indent; an element with other text among its children is not indented inside, and
// keeps all its text. CDATA sections become text, line ends LF, and prefixes that are declared further out are declared
// on the element itself. Reading the result and writing it again gives the same bytes.
func (n *Node) Canonical() []byte { return n.Elem().Append(nil, 0) }

// Elem returns an element as one to be written, which may then be changed; the node stays as it is. Written at depth 0 it
// is n.Canonical().
func (n *Node) Elem() *Elem {
	e := n.elem()
	e.Attrs = append(n.borrowed(), e.Attrs...)
	return e
}

// Start returns an element to be written with the name, declarations and attributes of n and no body. Its body is for
// the caller to set, for instance to n.Inner().
func (n *Node) Start() *Elem {
	e := &Elem{Name: n.Name.String(), Attrs: n.borrowed()}
	e.Attrs = n.appendAttrs(e.Attrs)
	return e
}

// Opaque returns the bytes of an element with its attributes written anew and what is between its tags as it stands in
// the source (olx.md §1.10, §3.3). Prefixes that are declared further out are declared on the element itself, so that
// the result can stand anywhere.
func (n *Node) Opaque() string {
	e := n.Start()
	e.Inner = n.Inner()
	return string(e.Append(nil, 0))
}

func (n *Node) appendAttrs(to []ElemAttr) []ElemAttr {
	for _, list := range [2][]Attr{n.Spaces, n.Attrs} {
		for _, a := range list {
			to = append(to, ElemAttr{a.Name.String(), a.Value})
		}
	}
	return to
}

func (n *Node) elem() *Elem {
	e := &Elem{Name: n.Name.String(), Attrs: n.appendAttrs(nil)}
	if n.HasText() {
		var inner []byte
		for _, c := range n.Children {
			inner = c.appendFlat(inner)
		}
		e.Inner = string(inner)
		return e
	}
	for _, c := range n.Children {
		switch c.Kind {
		case Element:
			e.Children = append(e.Children, c.elem())
		case Comment, Instruction:
			e.Children = append(e.Children, &Elem{Verbatim: lineEnds(c.Outer())})
		}
	}
	return e
}

// appendFlat appends a node without indenting anything.
func (n *Node) appendFlat(dst []byte) []byte {
	switch n.Kind {
	case Text, CData:
		return AppendText(dst, n.Text())
	case Comment, Instruction:
		return append(dst, lineEnds(n.Outer())...)
	}
	e := &Elem{Name: n.Name.String(), Attrs: n.appendAttrs(nil)}
	var inner []byte
	for _, c := range n.Children {
		inner = c.appendFlat(inner)
	}
	e.Inner = string(inner)
	return e.Append(dst, 0)
}

// borrowed returns the declarations that the element and what is below it rely on but do not make, in the order of their
// first use.
func (n *Node) borrowed() []ElemAttr {
	var found []ElemAttr
	have := map[string]bool{"xml": true}
	var walk func(n *Node)
	walk = func(n *Node) {
		var added []string
		for _, d := range n.Spaces {
			prefix := declared(d)
			if !have[prefix] {
				have[prefix] = true
				added = append(added, prefix)
			}
		}
		need := func(name Name, isAttr bool) {
			if have[name.Prefix] || name.Prefix == "" && (isAttr || name.Space == "") {
				return
			}
			have[name.Prefix] = true
			as := "xmlns"
			if name.Prefix != "" {
				as += ":" + name.Prefix
			}
			found = append(found, ElemAttr{as, name.Space})
		}
		need(n.Name, false)
		for _, a := range n.Attrs {
			need(a.Name, true)
		}
		for _, c := range n.Children {
			if c.Kind == Element {
				walk(c)
			}
		}
		for _, prefix := range added {
			delete(have, prefix)
		}
	}
	walk(n)
	return found
}

// declared returns the prefix that a declaration declares, "" for the default namespace.
func declared(d Attr) string {
	if d.Name.Prefix == "" {
		return ""
	}
	return d.Name.Local
}
