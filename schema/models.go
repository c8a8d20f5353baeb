package schema

import "strings"

// contentModels selects the names that Django has for the models of openedx_content.
var contentModels = func() string {
	var parts []string
	for _, group := range [][]Table{publishing, containers, media, components, collections} {
		for i := range group {
			if model, ok := strings.CutPrefix(group[i].Name, "openedx_content_"); ok {
				parts = append(parts, "SELECT '"+model+"' AS model")
			}
		}
	}
	return strings.Join(parts, " UNION ALL ")
}()
